// How connections end: after their last reply, by the peer, by a limit, with the server.

#include <algorithm>
#include <cerrno>

#include "loop.h"

namespace gaidaros {

void Loop::released(Connection& connection) { bury(connection); }

// A slot is free when the kernel has let go of the connection and its closed record was delivered.
void Loop::bury(Connection& connection) {
  if (connection.state == ConnState::closed && connection.fd < 0 && !connection.mourned)
    graves_.push_back(connection.id());
}

// Where the handler or its framing is at fault, what was answered before still goes out.
void Loop::close(ConnId id, Reason reason) {
  if (datagrams_) {
    if (datagrams_->flights.find(id) != nullptr) end_flight(id.slot, reason);
    return;
  }
  Connection* connection = table_.find(id);
  if (connection == nullptr) return;
  switch (reason) {
    case Reason::handler_error:
      return fail(*connection);
    case Reason::split:
    case Reason::frame_size:
    case Reason::frame_error:
      return end_with(*connection, reason);
    default:
      return close(*connection, reason);
  }
}

void Loop::close(Connection& connection, Reason reason) {
  if (!connection.live()) return;
  connection.state = ConnState::closed;
  connection.reason = reason;
  discount_unsent(connection);
  connection.pending_size = 0;
  if (connection.opening && (reason == Reason::tls_error || reason == Reason::tls_timeout))
    stats_.tls_failed++;
  connection.mourned = connection.watched || options_.want_closed || is_abnormal(reason);
  stats_.closed[static_cast<unsigned>(reason)]++;
  stats_.active--;
  if (!connection.greeting) count_address(connection, -1);
  wheel_.cancel(connection.slot);
  if (connection.mourned) push_event(RecordKind::closed, connection, static_cast<uint32_t>(reason));
  if (connection.reset) reset_on_close(connection.fd);
  poller_->close(connection);
  if (!delivering_) host_.wake();
  const Limits& limits = options_.limits;
  if (accept_paused_ & kPauseLimit &&
      (limits.max_connections == 0 || stats_.active < limits.max_connections))
    resume_accepting(kPauseLimit);
}

// What a filter was given is counted at once; what the kernel did not take of that is known by what
// became of it, which for TLS is a little more.
void Loop::discount_unsent(Connection& connection) {
  if (!connection.filter || !connection.backlog) return;
  uint64_t unsent = std::min<uint64_t>(connection.unsent(), connection.bytes_out);
  connection.bytes_out -= unsent;
  stats_.bytes_out -= unsent;
}

void Loop::failed(Connection& connection, int code) {
  // A message that is longer than the socket's buffer.
  if (code == EMSGSIZE) return close(connection, Reason::output_limit);
  close(connection, is_reset(code) ? Reason::reset : Reason::io_error);
}

// No more requests are taken; what is in flight is answered and sent, then the connection is
// closed.
void Loop::end_with(Connection& connection, Reason reason) {
  if (connection.state != ConnState::open) return;
  connection.state = ConnState::ending;
  connection.reason = reason;
  connection.paused |= kPauseEnding;
  connection.input_waits = false;
  connection.partial = false;
  connection.input.reset();
  poller_->pause(connection);
  mark_dirty(connection);
}

// The handler failed: no request behind the failed one is answered. A reply that was sent in part
// is broken off by a reset, so that the peer does not take it for a whole one.
void Loop::fail(Connection& connection) {
  if (!connection.live() || connection.state == ConnState::lingering) return;
  if (connection.streaming) {
    connection.reset = true;
    return close(connection, Reason::handler_error);
  }
  end_with(connection, Reason::handler_error);
  connection.reason = Reason::handler_error;
  give_up_requests(connection);
}

// What is in flight gets no answer.
void Loop::give_up_requests(Connection& connection) {
  connection.reply_sequence = connection.next_sequence;
  if (connection.backlog) {
    connection.backlog->held.clear();
    connection.backlog->held_bytes = 0;
  }
  mark_dirty(connection);
}

void Loop::end(ConnId id) {
  Connection* connection = table_.find(id);
  if (connection != nullptr) end_with(*connection, Reason::done);
}

// Closes what has nothing left to do. Called after each flush for connections that had output or
// whose end is due.
void Loop::settle(Connection& connection) {
  if (!connection.live() || connection.state == ConnState::lingering) return;
  if (connection.upgrading && connection.state == ConnState::open) upgrade(connection);
  if (!connection.live() || connection.in_flight() > 0 || connection.has_output()) return;
  if (connection.backlog && connection.backlog->idle()) connection.backlog.reset();
  if (connection.backlog) return;
  if (connection.state != ConnState::ending) {
    bool framed_in_js = !options_.framer;
    if (!connection.peer_ended || !connection.finished) return;
    if (framed_in_js && !connection.ended_told) return;
  }
  end_filters(connection);
  if (!connection.live() || connection.has_output()) return;
  if (connection.state == ConnState::ending) return begin_linger(connection);
  close(connection, Reason::end);
}

// close() with unread input would send RST and may destroy output that is still on its way: first
// FIN, then input is drained until the peer's FIN or a limit (pitfall 24).
void Loop::begin_linger(Connection& connection) {
  if (connection.peer_ended) return close(connection, connection.reason);
  poller_->shutdown(connection);
  connection.state = ConnState::lingering;
  connection.linger_since = connection.last_ms = now_;
  connection.paused = 0;
  poller_->resume(connection);
  arm(connection);
}

void Loop::pause(ConnId id) {
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live()) return;
  connection->paused |= kPauseUser;
  poller_->pause(*connection);
}

void Loop::resume(ConnId id) {
  Connection* connection = table_.find(id);
  if (connection != nullptr && connection->live() && connection->paused & kPauseUser)
    unpause(*connection, kPauseUser);
}

bool Loop::watch(ConnId id) {
  if (datagrams_) {
    Flight* flight = datagrams_->flights.find(id);
    if (flight != nullptr) flight->watched = true;
    return flight != nullptr;
  }
  Connection* connection = table_.find(id);
  if (connection == nullptr || !(connection->live() || connection->mourned)) return false;
  connection->watched = true;
  return true;
}

void Loop::heard_end(ConnId id) {
  Connection* connection = table_.find(id);
  if (connection != nullptr && connection->live()) hear_end(*connection);
}

// Whoever frames in JS has cut what there was at the end of input, as far as max_pipelined let it.
void Loop::hear_end(Connection& connection) {
  connection.ended_told = true;
  drop_frame(connection);
  mark_dirty(connection);
}

// Nothing will finish a frame that the end of input left unfinished.
void Loop::drop_frame(Connection& connection) {
  if (connection.partial) stats_.dropped_frames++;
  connection.partial = false;
}

void Loop::framed(ConnId id, uint32_t count, bool partial) {
  awake();
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live()) return;
  if (connection->in_flight() == 0) connection->flight_since = now_;
  connection->next_sequence += count;
  if (count > 0) expect_late(*connection, connection->next_sequence - 1, count);
  stats_.requests += count;
  if (partial && (!connection->partial || count > 0)) connection->frame_since = now_;
  connection->partial = partial;
  if (connection->ended_told) drop_frame(*connection);
  arm(*connection);
}

void Loop::begin_close(uint32_t grace_ms) {
  if (closing_) return;
  stop_listening();
  closing_ = true;
  awake();
  // What workers have said by now counts before the end does.
  host_.collect();
  close_at_ = now_ + grace_ms;
  for (uint32_t slot = 0; slot < table_.slots(); slot++) {
    Connection& connection = table_.at(slot);
    if (connection.state != ConnState::open) continue;
    bool has_last_words = connection.filter && !connection.greeting;
    if (connection.in_flight() == 0 && !connection.has_output() && !has_last_words) {
      close(connection, Reason::shutdown);
    } else {
      end_with(connection, Reason::shutdown);
    }
  }
  if (grace_ms == 0) tick();
  host_.wake();
}

}  // namespace gaidaros
