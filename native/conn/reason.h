// Why a connection was closed. Same names and order as lib/engine/reasons.ts; compared at load.
#pragma once

#include <cstdint>

namespace gaidaros {

#define GAIDAROS_REASONS(X) \
  X(end)                    \
  X(done)                   \
  X(closed)                 \
  X(shutdown)               \
  X(reset)                  \
  X(io_error)               \
  X(handler_error)          \
  X(handler_timeout)        \
  X(split)                  \
  X(frame_size)             \
  X(frame_error)            \
  X(first_byte_timeout)     \
  X(frame_timeout)          \
  X(idle_timeout)           \
  X(write_timeout)          \
  X(linger)                 \
  X(output_limit)           \
  X(max_connections)        \
  X(max_connections_per_ip) \
  X(filter_error)           \
  X(worker_lost)            \
  X(proxy_error)            \
  X(proxy_denied)           \
  X(proxy_timeout)          \
  X(tls_error)              \
  X(tls_timeout)            \
  X(tls_truncated)          \
  X(inflate_error)          \
  X(inflate_limit)          \
  X(inflate_trailing)       \
  X(inflate_truncated)

enum class Reason : uint8_t {
#define X(name) name,
  GAIDAROS_REASONS(X)
#undef X
      kCount,
};

// Reasons that are worth a record even when nobody watches the connection: they go into the log.
constexpr bool is_abnormal(Reason reason) {
  switch (reason) {
    case Reason::end:
    case Reason::done:
    case Reason::closed:
    case Reason::shutdown:
    case Reason::reset:
    case Reason::idle_timeout:
      return false;
    default:
      return true;
  }
}

}  // namespace gaidaros
