#include "meta.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "../net/datagram.h"
#include "../net/unix_address.h"

namespace gaidaros {

namespace {

template <size_t Size>
void copy_path(char (&to)[Size], const std::string& path) {
  std::memcpy(to, path.data(), std::min(path.size(), Size - 1));
}

}  // namespace

void describe_sender(ConnectionMeta& meta, int fd, const LocalPeer& sender) {
  sockaddr_storage storage{};
  std::memcpy(&storage, &sender.name, sizeof sender.name);
  meta.credentials = sender.credentials;
  copy_path(meta.remote_path, unix_path(storage, sender.size));
  copy_path(meta.local_path, local_path(fd));
}

ConnectionMeta meta_of(const Connection& connection) {
  ConnectionMeta meta;
  meta.remote = connection.peer;
  if (connection.fd >= 0) meta.local = local_address(connection.fd);
  if (connection.fd >= 0 && connection.peer.is_unix()) {
    meta.credentials = peer_credentials(connection.fd);
    copy_path(meta.remote_path, peer_path(connection.fd));
    copy_path(meta.local_path, local_path(connection.fd));
  }
  meta.bytes_in = connection.bytes_in;
  meta.bytes_out = connection.bytes_out;
  meta.requests = connection.next_sequence;
  if (!connection.proxied) return meta;
  const auto& [proxy, header] = *connection.proxied;
  meta.proxy = proxy;
  meta.proxy_version = header.version;
  meta.proxy_bytes = static_cast<uint32_t>(header.tlvs.size());
  if (!header.local) meta.local = header.destination;
  return meta;
}

std::vector<uint8_t> facts_of(const Connection& connection) {
  std::vector<uint8_t> facts;
  if (connection.proxied) facts = connection.proxied->header.tlvs;
  for (Filter* filter = connection.filter.get(); filter; filter = filter->next.get())
    filter->describe(facts);
  return facts;
}

std::string fault_of(const Connection& connection) {
  if (connection.upgrading) return "bytes in plain behind the request that asked for TLS";
  for (Filter* filter = connection.filter.get(); filter; filter = filter->next.get())
    if (std::string fault = filter->fault(); !fault.empty()) return fault;
  return {};
}

}  // namespace gaidaros
