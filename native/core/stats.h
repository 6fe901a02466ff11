// What a loop counts. One X-macro: the names here are the names in stats().
#pragma once

#include <cstdint>

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
  X(turns)

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
};

}  // namespace gaidaros
