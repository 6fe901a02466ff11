// What a loop counts. One X-macro: the names here are the names in stats().
#pragma once

#include <cstdint>

#include "histogram.h"

namespace gaidaros {

#define GAIDAROS_COUNTERS(X) \
  X(accepted)                \
  X(active)                  \
  X(requests)                \
  X(replies)                 \
  X(bytes_in)                \
  X(bytes_out)               \
  X(batches)                 \
  X(records)                 \
  X(dropped_frames)          \
  X(accept_paused_limit)     \
  X(accept_paused_resources) \
  X(accept_errors)           \
  X(turns)                   \
  X(datagrams_cut)           \
  X(datagrams_multipart)     \
  X(datagrams_held_back)     \
  X(datagrams_unsent)        \
  X(icmp_errors)             \
  X(tls_handshakes)          \
  X(tls_resumed)             \
  X(tls_failed)              \
  X(compressed_bytes_in)     \
  X(compressed_bytes_out)    \
  X(datagrams_corrupt)

#define GAIDAROS_SYSCALLS(X) \
  X(epoll_wait)              \
  X(epoll_ctl)               \
  X(io_uring_enter)          \
  X(accept)                  \
  X(recv)                    \
  X(send)                    \
  X(setsockopt)              \
  X(shutdown)                \
  X(close)                   \
  X(read)

struct Syscalls {
#define X(name) uint64_t name = 0;
  GAIDAROS_SYSCALLS(X)
#undef X
};

struct Counters {
#define X(name) uint64_t name = 0;
  GAIDAROS_COUNTERS(X)
#undef X
};

struct Stats : Counters {
  Syscalls syscalls;
  static constexpr unsigned kMaxReasons = 32;
  uint64_t closed[kMaxReasons] = {};
  // From handing a request over to its answer's way to the kernel: every request that is answered
  // in its turn, and of the others one in 64, which stands for all of them.
  Histogram latency;
  // For how long the loop was kept from its sockets at a time: by a turn of the handler, or by what
  // else runs in the process.
  Histogram lag;
};

}  // namespace gaidaros
