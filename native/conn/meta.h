// What a handler may ask of its connection. To a worker it goes ahead of the connection's records,
// as these bytes and the TLVs of a PROXY header behind them.
#pragma once

#include <cstdint>
#include <span>

#include "../net/address.h"
#include "../net/socket.h"
#include "connection.h"

namespace gaidaros {

struct ConnectionMeta {
  Address remote;
  Address local;  // family 0: as told before
  Address proxy;  // where proxy_version is not 0
  uint32_t proxy_version = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t requests = 0;
  // Of a unix socket: who has connected, and paths, with an end.
  Credentials credentials;
  char remote_path[110] = {};
  char local_path[110] = {};
};

struct LocalPeer;

// Of a datagram by unix socket `fd`.
void describe_sender(ConnectionMeta& meta, int fd, const LocalPeer& sender);
// The local address is asked of the kernel.
ConnectionMeta meta_of(const Connection& connection);
inline std::span<const uint8_t> tlvs_of(const Connection& connection) {
  if (!connection.proxied) return {};
  return connection.proxied->header.tlvs;
}

}  // namespace gaidaros
