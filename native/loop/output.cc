// Output: replies in the order of their requests, gathered to one piece a connection and turn, and
// what happens when the kernel does not take it all.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "loop.h"

namespace gaidaros {

namespace {

// What filters make of longer output leaves by pieces, while they are in the processor's cache.
constexpr size_t kCodedAtOnce = 512 * 1024;

bool is_before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

}  // namespace

int64_t Loop::reply(ConnId id, uint32_t sequence, std::span<const uint8_t> bytes, uint32_t flags,
                    uint32_t count) {
  awake();
  if (datagrams_) return reply_datagram(id, bytes, flags);
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live() || connection->state == ConnState::lingering)
    return -1;
  uint8_t head[Framer::kMaxPrefix];
  std::vector<uint8_t> framed;
  if (flags & kReplyFrame && options_.framer) {
    int prefix = options_.framer->prefix(static_cast<uint32_t>(bytes.size()), head);
    std::span<const uint8_t> suffix = options_.framer->suffix();
    if (prefix < 0) {
      close(*connection, Reason::handler_error);
      return -1;
    }
    framed.reserve(static_cast<size_t>(prefix) + bytes.size() + suffix.size());
    framed.insert(framed.end(), head, head + prefix);
    framed.insert(framed.end(), bytes.begin(), bytes.end());
    framed.insert(framed.end(), suffix.begin(), suffix.end());
    bytes = framed;
  }
  copying_ = true;
  respond(*connection, sequence, bytes,
          {count, (flags & kReplyMore) != 0, (flags & kReplyLast) != 0});
  copying_ = false;
  check_high_water(*connection);
  // Whoever writes the reply at the head waits for the peer alone: what is held behind it waits for
  // it.
  bool at_head = sequence == connection->reply_sequence;
  return static_cast<int64_t>(at_head ? connection->unsent() : connection->queued());
}

void Loop::answer(ConnId id, uint32_t sequence, uint32_t count, std::span<const uint8_t> bytes) {
  if (datagrams_) {
    reply_datagram(id, bytes, 0);
    return;
  }
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live()) return;
  respond(*connection, sequence, bytes, {count, false, false});
  check_high_water(*connection);
}

bool Loop::has_begun(ConnId id, uint32_t sequence) {
  const Connection* connection = table_.find(id);
  if (connection == nullptr) return false;
  if (connection->streaming && connection->reply_sequence == sequence) return true;
  if (!connection->backlog) return false;
  const std::vector<HeldReply>& held = connection->backlog->held;
  return std::any_of(held.begin(), held.end(), [sequence](const HeldReply& each) {
    return each.sequence == sequence && !each.done;
  });
}

int64_t Loop::write(ConnId id, std::span<const uint8_t> bytes) {
  awake();
  if (datagrams_) return reply_datagram(id, bytes, kReplyMore);
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live() || connection->state == ConnState::lingering)
    return -1;
  const Limits& limits = options_.limits;
  // Nobody asked for these bytes, so only the handler's restraint bounds them.
  if (limits.output_limit > 0 && connection->unsent() > limits.output_limit) {
    connection->reset = true;
    close(*connection, Reason::output_limit);
    return -1;
  }
  copying_ = true;
  emit(*connection, bytes);
  copying_ = false;
  check_high_water(*connection);
  return static_cast<int64_t>(connection->unsent());
}

void Loop::respond(Connection& connection, uint32_t sequence, std::span<const uint8_t> bytes,
                   Answering how) {
  if (connection.state == ConnState::lingering) return;
  if (sequence != connection.reply_sequence) {
    if (is_before(connection.reply_sequence, sequence)) hold(connection, sequence, bytes, how);
    return;
  }
  if (!bytes.empty()) emit(connection, bytes);
  connection.streaming = how.more;
  if (how.more || !connection.live()) return;
  // An eighth of the way each time: a rough mean that needs no history.
  average_reply_ +=
      (static_cast<uint32_t>(std::min<size_t>(bytes.size() / how.count, 1u << 28)) >> 3) -
      (average_reply_ >> 3);
  answered(connection, how.count, how.end);
  if (connection.backlog && !connection.backlog->held.empty()) release_held(connection);
}

void Loop::answered(Connection& connection, uint32_t count, bool end) {
  connection.reply_sequence += count;
  connection.flight_since = now_;
  stats_.replies += count;
  if (connection.sampled) settle_sample(connection);
  if (connection.expecting && connection.in_flight() == 0 && !end) ask_for_body(connection);
  if (end && connection.live()) {
    end_with(connection, Reason::done);
    // Requests behind this one get no answer.
    give_up_requests(connection);
  }
  if (connection.input_waits) come_back(connection);
  if (connection.peer_ended || connection.state == ConnState::ending) mark_dirty(connection);
}

// A reply before its turn. Pieces of one streamed reply are joined.
void Loop::hold(Connection& connection, uint32_t sequence, std::span<const uint8_t> bytes,
                Answering how) {
  Backlog& backlog = connection.need_backlog();
  auto place = std::lower_bound(
      backlog.held.begin(), backlog.held.end(), sequence,
      [](const HeldReply& held, uint32_t wanted) { return is_before(held.sequence, wanted); });
  if (place == backlog.held.end() || place->sequence != sequence) {
    place = backlog.held.insert(place, HeldReply{});
    place->sequence = sequence;
  }
  if (place->done) return;
  place->bytes.insert(place->bytes.end(), bytes.begin(), bytes.end());
  place->count = how.count;
  place->done = !how.more;
  place->end = how.end;
  backlog.held_bytes += bytes.size();
}

void Loop::release_held(Connection& connection) {
  bool copying = std::exchange(copying_, true);
  while (connection.live() && connection.backlog && !connection.backlog->held.empty() &&
         connection.backlog->held.front().sequence == connection.reply_sequence) {
    HeldReply first = std::move(connection.backlog->held.front());
    connection.backlog->held.erase(connection.backlog->held.begin());
    connection.backlog->held_bytes -= first.bytes.size();
    if (!first.bytes.empty()) emit(connection, first.bytes);
    connection.streaming = !first.done;
    if (!first.done) {
      // Its writer may have stopped for what was in front of it.
      connection.was_high = options_.limits.output_high_water > 0;
      break;
    }
    if (connection.live()) answered(connection, first.count, first.end);
  }
  copying_ = copying;
  if (connection.live()) check_low_water(connection);
}

void Loop::mark_dirty(Connection& connection) {
  if (connection.in_dirty) return;
  connection.in_dirty = true;
  dirty_.push_back(connection.id());
  if (!delivering_) host_.wake();
}

// Adds bytes to a connection's output. Those of the turn's own tables stay where they are until
// flush(); with copying_ they are the caller's and are copied.
void Loop::emit(Connection& connection, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  if (connection.is_behind() && !connection.filter) return queue(connection, bytes);
  if (options_.nodelay) {
    if (!connection.filter) return send_at_once(connection, bytes);
    mark_dirty(connection);
    return encode(connection, bytes);
  }
  mark_dirty(connection);
  if (connection.pending_size == 0 && !copying_) {
    connection.pending = bytes.data();
    connection.pending_size = static_cast<uint32_t>(bytes.size());
  } else if (!copying_ && connection.pending + connection.pending_size == bytes.data()) {
    connection.pending_size += static_cast<uint32_t>(bytes.size());
  } else {
    gather(connection, bytes);
  }
}

// Makes one piece in the arena of what is pending and `bytes`.
void Loop::gather(Connection& connection, std::span<const uint8_t> bytes) {
  bool at_end = connection.pending_size > 0 &&
                connection.pending + connection.pending_size == arena_.get() + arena_at_;
  size_t need = bytes.size() + (at_end ? 0 : connection.pending_size);
  if (need > kOutBytes - arena_at_) {
    flush();
    if (!connection.live()) return;
    bool has_queue = connection.backlog && !connection.backlog->output.empty();
    if (bytes.size() > kOutBytes || has_queue) {
      if (connection.filter || connection.is_behind()) return queue_plain(connection, bytes);
      return send_at_once(connection, bytes);
    }
    mark_dirty(connection);
    at_end = false;
  }
  uint8_t* start = arena_.get() + arena_at_;
  if (!at_end && connection.pending_size > 0) {
    std::memcpy(start, connection.pending, connection.pending_size);
    arena_at_ += connection.pending_size;
  }
  if (!at_end) connection.pending = start;
  std::memcpy(arena_.get() + arena_at_, bytes.data(), bytes.size());
  arena_at_ += static_cast<uint32_t>(bytes.size());
  connection.pending_size += static_cast<uint32_t>(bytes.size());
}

// Bytes that the socket will get when it takes more.
void Loop::queue(Connection& connection, std::span<const uint8_t> bytes) {
  Backlog& backlog = connection.need_backlog();
  bool idle = backlog.output.empty();
  backlog.output.push(bytes);
  // Of messages the end of the first may have been missing until now.
  if (idle || options_.messages) {
    if (idle) backlog.moved(now_);
    if (!connection.sending) poller_->send_queued(connection);
    if (!connection.live()) return;
    if (options_.limits.write_timeout > 0) arm(connection);
  }
  check_high_water(connection);
}

void Loop::queue_plain(Connection& connection, std::span<const uint8_t> bytes) {
  if (!connection.filter) return queue(connection, bytes);
  encode_long(connection, bytes);
}

void Loop::encode_long(Connection& connection, std::span<const uint8_t> plain) {
  while (!plain.empty() && connection.live()) {
    size_t size = std::min(plain.size(), kCodedAtOnce);
    std::optional<std::span<const uint8_t>> coded = code(connection, plain.first(size));
    if (!coded) return;
    plain = plain.subspan(size);
    if (!coded->empty()) pass_on(connection, *coded, !plain.empty());
  }
}

// To the socket, and to the queue what it does not take. Nothing may wait there already. `more`
// follows at once.
void Loop::hand_over(Connection& connection, std::span<const uint8_t> bytes, bool more) {
  connection.pending = bytes.data();
  connection.pending_size = static_cast<uint32_t>(bytes.size());
  sent(connection, poller_->send_now(connection, bytes, more));
}

void Loop::pass_on(Connection& connection, std::span<const uint8_t> bytes, bool more) {
  if (connection.is_behind()) return queue(connection, bytes);
  hand_over(connection, bytes, more);
}

void Loop::send_at_once(Connection& connection, std::span<const uint8_t> bytes) {
  mark_dirty(connection);
  cork(connection, true);
  hand_over(connection, bytes, false);
  cork(connection, false);
}

void Loop::cork(Connection& connection, bool on) {
  if (!options_.cork || connection.fd < 0 || connection.corked == on) return;
  if (!connection.peer.is_internet()) return;
  connection.corked = on;
  stats_.syscalls.setsockopt++;
  set_cork(connection.fd, on);
}

void Loop::sent(Connection& connection, int result) {
  if (!connection.live()) return;
  if (result < 0 && result != -EAGAIN) return failed(connection, -result);
  auto count = static_cast<uint32_t>(std::max(result, 0));
  count_sent(connection, count);
  connection.last_ms = now_;
  // Against reentrance: queue() may send, and its outcome comes back here.
  uint32_t rest = connection.pending_size - std::min(count, connection.pending_size);
  const uint8_t* at = connection.pending + count;
  connection.pending = nullptr;
  connection.pending_size = 0;
  if (rest > 0) queue(connection, {at, rest});
}

// What filters were given is counted, and not what they made of it.
void Loop::count_sent(Connection& connection, uint32_t count) {
  if (connection.filter) return;
  connection.bytes_out += count;
  stats_.bytes_out += count;
}

void Loop::uncounted(Connection& connection, uint32_t in, uint32_t out) {
  connection.bytes_in -= in;
  connection.bytes_out -= out;
  stats_.bytes_in -= in;
  stats_.bytes_out -= out;
}

void Loop::sent_queued(Connection& connection, uint32_t count) {
  count_sent(connection, count);
  connection.last_ms = now_;
  connection.backlog->moved(now_);
  connection.backlog->output.pop(count);
  if (connection.backlog->output.empty()) mark_dirty(connection);
  check_low_water(connection);
}

// Above the mark the client has enough to read: no more of its requests are taken (pitfall 23).
void Loop::check_high_water(Connection& connection) {
  uint32_t mark = options_.limits.output_high_water;
  if (mark == 0 || connection.queued() <= mark) return;
  connection.was_high = connection.was_high || connection.unsent() > mark;
  if (connection.paused & kPauseOutput) return;
  connection.paused |= kPauseOutput;
  poller_->pause(connection);
}

// Whoever was told how much waits goes by that, and may wait itself while it is above the low mark.
void Loop::expect_drained(ConnId id) {
  Connection* connection = table_.find(id);
  if (connection != nullptr && connection->unsent() > options_.limits.output_high_water / 2)
    connection->was_high = true;
}

void Loop::check_low_water(Connection& connection) {
  uint32_t low = options_.limits.output_high_water / 2;
  if (connection.was_high && connection.unsent() <= low) {
    connection.was_high = false;
    if (connection.watched)
      push_event(RecordKind::drained, connection, static_cast<uint32_t>(connection.unsent()));
  }
  if (connection.paused & kPauseOutput && connection.queued() <= low)
    unpause(connection, kPauseOutput);
}

void Loop::unpause(Connection& connection, uint8_t why) {
  connection.paused &= static_cast<uint8_t>(~why);
  if (connection.input_waits) come_back(connection);
  if (connection.paused == 0) poller_->resume(connection);
}

// Puts the turn's output of a connection through its filters. True: what they made stands in the
// arena and is to be sent like that of others; else it was too long, or has to queue.
bool Loop::code_pending(Connection& connection) {
  std::span<const uint8_t> plain(connection.pending, std::exchange(connection.pending_size, 0));
  if (plain.size() > kCodedAtOnce) {
    encode_long(connection, plain);
    return false;
  }
  std::optional<std::span<const uint8_t>> coded = code(connection, plain);
  if (!coded || coded->empty()) return false;
  if (connection.is_behind() || coded->size() > kOutBytes - arena_at_) {
    pass_on(connection, *coded, false);
    return false;
  }
  std::memcpy(arena_.get() + arena_at_, coded->data(), coded->size());
  connection.pending = arena_.get() + arena_at_;
  connection.pending_size = static_cast<uint32_t>(coded->size());
  arena_at_ += connection.pending_size;
  return true;
}

// Gives the turn's output to the poller: one piece a connection.
void Loop::flush() {
  if (datagrams_) flush_datagrams();
  if (dirty_.empty()) {
    arena_at_ = 0;
    return;
  }
  flushing_.swap(dirty_);
  dirty_.clear();
  for (ConnId id : flushing_) {
    Connection* connection = table_.find(id);
    if (connection == nullptr) continue;
    connection->in_dirty = false;
    if (connection->pending_size == 0 || !connection->live()) continue;
    if (connection->filter && !code_pending(*connection)) continue;
    cork(*connection, true);
    poller_->send(*connection, {connection->pending, connection->pending_size});
  }
  poller_->flush();
  arena_at_ = 0;
  for (ConnId id : flushing_) {
    Connection* connection = table_.find(id);
    if (connection == nullptr) continue;
    cork(*connection, false);
    if (connection->live()) check_low_water(*connection);
    settle(*connection);
    // Its place in the wheel may be that of a later deadline, of its first byte for one. What is
    // there of the next request has a time of its own, once nothing is in flight.
    uint32_t idle = options_.limits.idle_timeout;
    bool is_far = idle > 0 && connection->timer.due - now_ > idle;
    if (is_far || connection->partial || connection->bytes_in == 0) arm(*connection);
  }
  flushing_.clear();
}

}  // namespace gaidaros
