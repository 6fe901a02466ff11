#include "proxy_filter.h"

#include <utility>

#include "connection.h"

namespace gaidaros {

Filter::Step ProxyFilter::decode(std::span<const uint8_t> input, std::span<uint8_t>,
                                 std::vector<uint8_t>&) {
  size_t before = held_.size();
  held_.insert(held_.end(), input.begin(), input.end());
  ProxyResult result = parse_proxy_header(held_, versions_, header_);
  if (result.status == ProxyResult::Status::more) return {Status::kOk, input.size(), 0};
  if (result.status == ProxyResult::Status::refused) return {Status::kError, 0, 0};
  return {Status::kDone, result.used - before, 0};
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

void ProxyFilter::leave(Connection& connection) {
  connection.greeting = false;
  connection.proxied = std::make_unique<Proxied>(Proxied{connection.peer, std::move(header_)});
  if (!connection.proxied->header.local) connection.peer = connection.proxied->header.source;
}

}  // namespace gaidaros
