// What a handler may ask of its connection. To a worker it goes ahead of the connection's records,
// as these bytes, and behind them the TLVs of a PROXY header and what filters say (TlsFact).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../net/address.h"
#include "../net/socket.h"
#include "connection.h"

namespace gaidaros {

struct ConnectionMeta {
  Address remote;
  Address local;  // family 0: as told before
  Address proxy;  // where proxy_version is not 0
  uint32_t proxy_version = 0;
  uint32_t proxy_bytes = 0;  // of its TLVs, which stand in front of what filters say
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
std::vector<uint8_t> facts_of(const Connection& connection);
// What a filter found wrong; empty: nothing.
std::string fault_of(const Connection& connection);

}  // namespace gaidaros
