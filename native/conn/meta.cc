#include "meta.h"

#include "../net/socket.h"

namespace gaidaros {

ConnectionMeta meta_of(const Connection& connection) {
  ConnectionMeta meta;
  meta.remote = connection.peer;
  if (connection.fd >= 0) meta.local = local_address(connection.fd);
  meta.bytes_in = connection.bytes_in;
  meta.bytes_out = connection.bytes_out;
  meta.requests = connection.next_sequence;
  if (!connection.proxied) return meta;
  const auto& [proxy, header] = *connection.proxied;
  meta.proxy = proxy;
  meta.proxy_version = header.version;
  if (!header.local) meta.local = header.destination;
  return meta;
}

}  // namespace gaidaros
