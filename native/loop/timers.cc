// Timers: one place a connection in a coarse wheel. Activity only stores a time; when the place
// comes up, the deadline is worked out anew and the place moved if it was too early.

#include <algorithm>

#include "loop.h"

namespace gaidaros {

namespace {

constexpr uint32_t kClosingLinger = 500;  // a server that goes does not wait long for a peer's FIN
constexpr uint32_t kLooks = 8;            // at output that waits, in each write_timeout

}  // namespace

bool Loop::deadline(const Connection& connection, uint32_t& due, Reason& reason) const {
  const Limits& limits = options_.limits;
  bool any = false;
  auto at = [&](uint32_t since, uint32_t limit, Reason why) {
    if (limit == 0) return;
    if (any && static_cast<int32_t>(since + limit - due) >= 0) return;
    any = true;
    due = since + limit;
    reason = why;
  };
  if (connection.state == ConnState::lingering) {
    Reason why = connection.reason == Reason::done ? Reason::linger : connection.reason;
    uint32_t idle = limits.linger_idle_timeout;
    if (closing_) idle = idle == 0 ? kClosingLinger : std::min(idle, kClosingLinger);
    at(connection.last_ms, idle, why);
    at(connection.linger_since, limits.linger_timeout, why);
    return any;
  }
  if (has_write_timeout(connection))
    at(connection.backlog->output_since, limits.write_timeout, Reason::write_timeout);
  if (connection.in_flight() > 0) {
    at(connection.flight_since, limits.handler_timeout, Reason::handler_timeout);
    return any;
  }
  if (connection.has_output()) return any;
  if (connection.opening && !connection.greeting) {
    // Also for whom its turn does not come: the peer waits no longer than that.
    at(connection.opening_since, limits.tls_handshake_timeout, Reason::tls_timeout);
    return any;
  }
  if (connection.paused != 0) return any;
  if (connection.greeting) {
    at(connection.since_ms, options_.proxy.timeout, Reason::proxy_timeout);
    return any;
  }
  if (connection.partial) {
    at(connection.frame_since, limits.frame_timeout, Reason::frame_timeout);
  } else if (connection.bytes_in == 0) {
    at(connection.last_ms, limits.first_byte_timeout, Reason::first_byte_timeout);
  } else {
    at(connection.last_ms, limits.idle_timeout, Reason::idle_timeout);
  }
  return any;
}

bool Loop::has_write_timeout(const Connection& connection) const {
  return options_.limits.write_timeout > 0 && connection.state != ConnState::lingering &&
         connection.backlog && !connection.backlog->output.empty();
}

// When the connection has to be looked at whose deadline is `due`.
uint32_t Loop::next_look(const Connection& connection, uint32_t due) const {
  if (!has_write_timeout(connection)) return due;
  uint32_t look = now_ + options_.limits.write_timeout / kLooks;
  return static_cast<int32_t>(due - look) > 0 ? look : due;
}

// Of a buffer of megabytes the kernel says that there is room when a third of it is free: a peer
// that reads slowly has taken much by then.
void Loop::look_at_output(Connection& connection) const {
  Backlog& backlog = *connection.backlog;
  uint32_t left = unacknowledged(connection.fd);
  if (left < backlog.unacknowledged) backlog.output_since = now_;
  backlog.unacknowledged = left;
}

// Sees to it that the connection's place comes up no later than its deadline. A place that comes up
// early costs one look.
void Loop::arm(Connection& connection) {
  uint32_t due = 0;
  Reason reason{};
  if (!connection.live() || !deadline(connection, due, reason)) return;
  due = next_look(connection, due);
  if (connection.timer.scheduled && static_cast<int32_t>(connection.timer.due - due) <= 0) return;
  wheel_.schedule(connection.slot, due);
}

void Loop::expire(Connection& connection) {
  if (!connection.live()) return;
  if (has_write_timeout(connection)) look_at_output(connection);
  uint32_t due = 0;
  Reason reason{};
  if (!deadline(connection, due, reason)) {
    // Nothing can be due now (a request is in flight, reading is paused); later something may be.
    const Limits& limits = options_.limits;
    uint32_t again =
        std::max({limits.idle_timeout, limits.frame_timeout, limits.first_byte_timeout});
    if (again > 0) wheel_.schedule(connection.slot, now_ + std::min(again, 1000u));
    return;
  }
  if (static_cast<int32_t>(due - now_) > 0)
    return wheel_.schedule(connection.slot, next_look(connection, due));
  if (reason == Reason::frame_timeout && options_.framer) {
    constexpr uint16_t kRequestTimeout = 408;
    if (refuse(connection, kRequestTimeout)) return end_with(connection, reason);
  }
  connection.reset = reason == Reason::write_timeout;
  close(connection, reason);
}

void Loop::tick() {
  if (datagrams_) expire_flights();
  wheel_.advance(now_, [this](uint32_t slot) { expire(table_.at(slot)); });
  if (!warm_.empty() && static_cast<int32_t>(now_ - cool_at_) >= 0) cool_down();
  if (accept_resume_at_ != 0 && static_cast<int32_t>(now_ - accept_resume_at_) >= 0) {
    accept_resume_at_ = 0;
    resume_accepting(kPauseResources);
  }
  if (closing_ && static_cast<int32_t>(now_ - close_at_) >= 0) {
    for (uint32_t slot = 0; slot < table_.slots(); slot++)
      if (Connection& connection = table_.at(slot); connection.live())
        close(connection,
              connection.state == ConnState::open ? Reason::shutdown : connection.reason);
  }
}

}  // namespace gaidaros
