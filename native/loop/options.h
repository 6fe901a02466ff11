// What a loop is told: how to poll, how to write, what to bear. Durations are milliseconds, sizes
// bytes; 0 turns a limit off (docs/options.md).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../compress/method.h"
#include "../conn/proxy_header.h"
#include "../frame/framer.h"
#include "../net/network.h"
#include "../tls/filter.h"

namespace gaidaros {

enum class PollingType : uint8_t { edge, level, completion };

struct Limits {
  uint32_t max_connections = 10'000;
  uint32_t max_connections_per_ip = 0;
  uint32_t max_frame_size = 1 << 20;
  uint32_t output_high_water = 64 * 1024;
  uint32_t output_limit = 1 << 20;
  uint32_t max_pipelined = 64;
  uint32_t first_byte_timeout = 10'000;
  uint32_t frame_timeout = 10'000;
  uint32_t idle_timeout = 60'000;
  uint32_t write_timeout = 30'000;
  uint32_t handler_timeout = 0;
  uint32_t linger_idle_timeout = 5'000;
  uint32_t linger_timeout = 30'000;
  uint32_t linger_bytes = 1 << 20;
  uint32_t stall_warning = 0;
  uint32_t tls_handshake_timeout = 10'000;
  InflateLimits inflate;
  HttpLimits http;
};

// A PROXY header before each connection.
struct ProxyOptions {
  bool on = false;
  ProxyVersions versions = ProxyVersions::either;
  uint32_t timeout = 5'000;
  std::vector<Network> allow;  // who may send one; empty: everybody
};

// TLS, where there is a context.
struct TlsOptions {
  std::shared_ptr<TlsContext> context;
  bool implicit = true;  // from the first byte on; else when start_tls() is called
};

// Datagrams instead of connections.
struct DatagramOptions {
  bool on = false;
  bool local = false;          // they come by unix sockets
  uint32_t amplification = 0;  // bytes of a reply to those of its request; 0: no limit
  bool join = false;           // replies to one peer leave as one message, where the kernel can
};

struct LoopOptions {
  PollingType polling = PollingType::edge;
  bool messages = false;  // SOCK_SEQPACKET; with framer length:u32le,strip (poller/messages.h)
  bool send_batching = true;
  bool cork = false;           // -k
  bool nodelay = false;        // -K: no gathering
  bool disable_nagle = false;  // -A
  bool quick_ack = false;      // TCP_QUICKACK
  bool want_opened = false;
  bool want_closed = false;
  uint32_t recv_bytes = 16 * 1024;
  uint32_t poll_timeout = 1'000;
  Limits limits;
  ProxyOptions proxy;
  TlsOptions tls;
  DatagramOptions datagrams;
  CompressOptions compress;
  std::unique_ptr<Framer> framer;  // null: bytes go up as chunks, framing is the host's business
};

}  // namespace gaidaros
