#include "proxy_filter.h"

#include <utility>

#include "connection.h"

namespace gaidaros {

Filter::Status ProxyFilter::decode(std::span<const uint8_t> input, std::vector<uint8_t>& plain,
                                   std::vector<uint8_t>&) {
  held_.insert(held_.end(), input.begin(), input.end());
  ProxyResult result = parse_proxy_header(held_, versions_, header_);
  if (result.status == ProxyResult::Status::more) return Status::kOk;
  if (result.status == ProxyResult::Status::refused) return Status::kError;
  used_ = result.used;
  plain.insert(plain.end(), held_.begin() + used_, held_.end());
  return Status::kDone;
}

// Before the header there is nothing to answer, but what the server says first.
Filter::Status ProxyFilter::encode(std::span<const uint8_t> plain, bool,
                                   std::vector<uint8_t>& output) {
  output.insert(output.end(), plain.begin(), plain.end());
  return Status::kOk;
}

// Who connects and says nothing, as some health checks do, is a peer like any other.
Filter::Status ProxyFilter::finish(std::vector<uint8_t>&) {
  return held_.empty() ? Status::kOk : Status::kError;
}

// The header is the proxy's, not the peer's: it is not counted, and the first byte is still to
// come.
void ProxyFilter::leave(Connection& connection) {
  connection.bytes_in -= used_;
  connection.greeting = false;
  connection.proxied = std::make_unique<Proxied>(Proxied{connection.peer, std::move(header_)});
  if (!connection.proxied->header.local) connection.peer = connection.proxied->header.source;
}

}  // namespace gaidaros
