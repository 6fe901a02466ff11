// Input: where received bytes go, how they become frames, and what happens to those that have no
// room yet. Requests lie in the slab; what is not a whole request is copied out of it into the
// connection's own buffer, so that each byte of the slab is handed out at most once.

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

#include "loop.h"

namespace gaidaros {

namespace {

constexpr uint32_t kJoinLimit =
    16 * 1024;                          // unfinished frames up to here are put back into the slab
constexpr uint32_t kMinReceive = 4096;  // a slab with less room than this is replaced
constexpr uint32_t kBigFrame = kSlabBytes / 4;
constexpr uint32_t kMaxReceive = 256 * 1024;

}  // namespace

// False: records of this turn still refer to the slab.
bool Loop::renew_slab() {
  if (record_count_ > 0) {
    slab_full_ = true;
    return false;
  }
  // Output of this turn may lie in the old slab.
  flush();
  slab_ = host_.new_slab();
  slab_at_ = 0;
  slab_kept_ = false;
  return true;
}

// After a flush nothing of ours refers to the slab; where no handler does either, its front, which
// the processor's caches hold, is better than fresh memory.
void Loop::rewind_slab() {
  if (!slab_kept_) slab_at_ = 0;
}

std::span<uint8_t> Loop::receive_space(Connection& connection) {
  if (record_count_ >= kMaxRecords) return {};
  if (connection.state != ConnState::open || connection.filter) return scratch_;
  return slab_space(connection);
}

// Where bytes for the framer go: into the slab, behind those of an unfinished frame, or behind
// those in the connection's own buffer where these are too many to be moved. Empty: the turn is
// full.
std::span<uint8_t> Loop::slab_space(Connection& connection) {
  joined_ = 0;
  into_input_ = false;
  uint32_t held = connection.input ? connection.input->size() : 0;
  if (held > kJoinLimit) {
    into_input_ = true;
    uint32_t want = std::clamp(connection.expected > held ? connection.expected - held : 0,
                               options_.recv_bytes, kMaxReceive);
    return connection.input->space(want).first(want);
  }
  if (slab_room() < held + std::min(options_.recv_bytes, kMinReceive) && !renew_slab()) return {};
  if (held > 0) std::memcpy(slab_ + slab_at_, connection.input->bytes().data(), held);
  joined_ = held;
  return {slab_ + slab_at_ + held, std::min(options_.recv_bytes, slab_room() - held)};
}

void Loop::received(Connection& connection, uint32_t count) {
  connection.last_ms = now_;
  // What filters make of it is counted, and a PROXY header.
  if (!connection.filter) connection.bytes_in += count;
  if (!connection.filter || connection.greeting) stats_.bytes_in += count;
  if (connection.state == ConnState::lingering) {
    connection.linger_bytes += count;
    if (options_.limits.linger_bytes > 0 && connection.linger_bytes > options_.limits.linger_bytes)
      close(connection, connection.reason == Reason::done ? Reason::linger : connection.reason);
    return;
  }
  if (connection.state != ConnState::open) return;
  if (connection.filter) {
    std::span<const uint8_t> bytes(scratch_.data(), count);
    if (connection.peer_ended) return;
    if (must_ration(connection)) return ration(connection, bytes);
    if (connection.opening) return decode_opening(connection, bytes);
    decode(connection, bytes, connection.filter.get());
    return;
  }
  take_received(connection, count);
}

// `count` bytes were written into slab_space() or plain_space().
void Loop::take_received(Connection& connection, uint32_t count) {
  if (into_input_) {
    connection.input->commit(count);
    return must_wait(connection) ? wait_for_turn(connection) : take_input(connection);
  }
  uint32_t length = joined_ + count;
  if (joined_ > 0) connection.input.reset();
  if (must_wait(connection)) {
    // A completion poller may bring what was under way when reading was paused.
    connection.need_input().append({slab_ + slab_at_, length});
    return wait_for_turn(connection);
  }
  take_run(connection, length);
}

// Requests that the connection may have in flight beyond the ones it has. Where replies are long, a
// few of them fill the output queue, so fewer are taken in at a time.
uint32_t Loop::room_for(const Connection& connection) const {
  uint32_t most = options_.limits.max_pipelined > 0 ? options_.limits.max_pipelined : kMaxRecords;
  if (options_.limits.output_high_water > 0)
    most = std::min(
        most, std::max(1u, 4 * options_.limits.output_high_water / std::max(1u, average_reply_)));
  uint32_t flight = connection.in_flight();
  return std::min(flight < most ? most - flight : 0, kMaxRecords - record_count_);
}

// Takes `length` bytes that lie at the slab's front edge.
void Loop::take_run(Connection& connection, uint32_t length) {
  std::span<const uint8_t> data(slab_ + slab_at_, length);
  if (!options_.framer) {
    push_record(RecordKind::chunk, connection, slab_at_, length, 0);
    slab_at_ += length;
    return;
  }
  bool stop = false;
  uint32_t wanted = 0;
  uint32_t used = cut(connection, data, stop, wanted, true);
  slab_at_ += used;
  if (used == length || connection.state != ConnState::open) return;
  connection.need_input().space(length - used, wanted);
  connection.input->append(data.subspan(used));
  connection.expected = wanted;
  if (stop) wait_for_turn(connection);
}

// Cuts frames off `data` and makes records of them; returns the bytes used. `stop`: it ended for
// want of room, not of bytes.
uint32_t Loop::cut(Connection& connection, std::span<const uint8_t> data, bool& stop,
                   uint32_t& wanted, bool in_slab) {
  uint32_t used = 0;
  bool was_partial = connection.partial;
  connection.partial = false;
  while (used < data.size()) {
    uint32_t room = room_for(connection);
    if (room == 0) {
      stop = true;
      break;
    }
    Cut result = options_.framer->cut(data.subspan(used), options_.limits.max_frame_size,
                                      std::span(frames_).first(room), connection.frame);
    if (in_slab && wholes_.empty())
      add_run(connection, data.data() + used, std::span(frames_).first(result.frames));
    else
      for (uint32_t i = 0; i < result.frames; i++) {
        if (!add_frame(connection, data.data() + used, frames_[i], in_slab)) {
          // No room in the slab before this turn is over; the frame is whole and will be cut again.
          connection.frame = {};
          stop = true;
          return used + frames_[i].offset;
        }
      }
    used += result.consumed;
    if (result.frames > 0) connection.expecting = false;
    if (result.last) {
      end_with(connection, Reason::done);
      return used;
    }
    if (result.status == FrameStatus::kRoom) continue;
    if (result.status != FrameStatus::kMore) {
      if (result.refusal != 0) refuse(connection, result.refusal);
      end_with(connection,
               result.status == FrameStatus::kTooLong ? Reason::frame_size : Reason::frame_error);
      return used;
    }
    if (result.expects) expect_body(connection);
    if (used < data.size()) {
      wanted = result.wanted;
      connection.partial = true;
      if (!was_partial || used > 0) {
        connection.frame_since = now_;
        if (options_.limits.frame_timeout > 0) arm(connection);
      }
    }
    break;
  }
  return used;
}

// What cannot be a request is answered all the same, behind the requests before it. False: the
// framer has no words for it.
bool Loop::refuse(Connection& connection, uint16_t status) {
  std::string text = options_.framer->refusal(status, std::time(nullptr));
  if (text.empty()) return false;
  if (connection.in_flight() == 0) connection.flight_since = now_;
  stats_.requests++;
  copying_ = true;
  respond(connection, connection.next_sequence++,
          {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, {1, false, false});
  copying_ = false;
  return true;
}

// The client waits for 100 Continue, which is to come behind the replies before it.
void Loop::expect_body(Connection& connection) {
  connection.expecting = true;
  if (connection.in_flight() == 0) ask_for_body(connection);
}

void Loop::ask_for_body(Connection& connection) {
  constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
  connection.expecting = false;
  emit(connection, {reinterpret_cast<const uint8_t*>(kGoOn.data()), kGoOn.size()});
}

// The usual case of add_frame(): frames as they are, side by side in the slab.
void Loop::add_run(Connection& connection, const uint8_t* data, std::span<const Frame> frames) {
  if (frames.empty()) return;
  if (connection.in_flight() == 0) connection.flight_since = now_;
  auto base = static_cast<uint32_t>(data - slab_);
  uint32_t sequence = connection.next_sequence;
  Record* record = memory_.records + record_count_;
  for (const Frame& frame : frames)
    *record++ = {static_cast<uint32_t>(RecordKind::request) | frame.flags,
                 connection.slot,
                 connection.generation,
                 sequence++,
                 base + frame.offset + frame.head,
                 frame.length - frame.head - frame.tail,
                 0,
                 0};
  record_count_ += static_cast<uint32_t>(frames.size());
  connection.next_sequence = sequence;
  stats_.requests += frames.size();
}

bool Loop::add_frame(Connection& connection, const uint8_t* data, const Frame& frame,
                     bool in_slab) {
  uint32_t payload = frame.length - frame.head - frame.tail;
  uint32_t offset;
  uint32_t flags = frame.flags;
  const uint8_t* whole = data + frame.offset;
  if (in_slab) {
    offset = static_cast<uint32_t>(whole - slab_) + frame.head;
  } else if (frame.length > kBigFrame) {
    uint8_t* big = host_.new_big(frame.length);
    std::memcpy(big, whole, frame.length);
    bigs_.push_back(big);
    offset = static_cast<uint32_t>(bigs_.size() - 1);
    flags |= kRecordBig;
    whole = big;
  } else {
    if (slab_room() < frame.length && !renew_slab()) return false;
    std::memcpy(slab_ + slab_at_, whole, frame.length);
    whole = slab_ + slab_at_;
    offset = slab_at_ + frame.head;
    slab_at_ += frame.length;
  }
  if (!wholes_.empty()) wholes_[record_count_] = {whole, frame.length};
  if (connection.in_flight() == 0) connection.flight_since = now_;
  push_record(RecordKind::request, connection, offset, payload,
              (flags & kRecordBig) != 0 ? frame.head : 0);
  memory_.records[record_count_ - 1].kind |= flags;
  connection.next_sequence++;
  stats_.requests++;
  return true;
}

// Takes what the connection's own buffer holds.
void Loop::take_input(Connection& connection) {
  if (!connection.input || connection.input->empty()) return;
  // Out of the connection's reach while its bytes are cut: what ends the connection drops its
  // input.
  std::unique_ptr<InputBuffer> taken = std::move(connection.input);
  InputBuffer& input = *taken;
  bool stop = false;
  uint32_t wanted = 0;
  if (options_.framer) {
    input.consume(cut(connection, input.bytes(), stop, wanted, false));
    connection.expected = wanted;
  } else {
    while (!input.empty() && !stop) {
      if (record_count_ >= kMaxRecords || (slab_room() == 0 && !renew_slab())) {
        stop = true;
        break;
      }
      uint32_t take = std::min(slab_room(), input.size());
      std::memcpy(slab_ + slab_at_, input.bytes().data(), take);
      push_record(RecordKind::chunk, connection, slab_at_, take, 0);
      slab_at_ += take;
      input.consume(take);
    }
  }
  if (connection.state != ConnState::open) return;
  if (!input.empty()) connection.input = std::move(taken);
  if (stop) wait_for_turn(connection);
}

// What is left in the connection's buffer may be whole requests; the loop comes back to them once
// the ones in flight have made room.
void Loop::wait_for_turn(Connection& connection) {
  connection.paused |= kPausePipeline;
  connection.input_waits = true;
  poller_->pause(connection);
  come_back(connection);
}

void Loop::come_back(Connection& connection) {
  if (connection.in_waiting) return;
  connection.in_waiting = true;
  waiting_.push_back(connection.id());
  if (!delivering_) host_.wake();
}

void Loop::take_waiting() {
  std::vector<ConnId> now = std::move(waiting_);
  waiting_.clear();
  for (ConnId id : now) {
    Connection* connection = table_.find(id);
    if (connection == nullptr) continue;
    connection->in_waiting = false;
    if (connection->state != ConnState::open || !connection->input_waits) continue;
    if (record_count_ >= kMaxRecords) {
      come_back(*connection);
      continue;
    }
    // Otherwise it comes back when a reply leaves, or when reading is resumed.
    if ((connection->paused & ~kPausePipeline) != 0 ||
        (options_.framer && room_for(*connection) == 0))
      continue;
    connection->input_waits = false;
    connection->paused &= static_cast<uint8_t>(~kPausePipeline);
    take_input(*connection);
    take_unused(*connection);
    if (connection->state != ConnState::open || connection->input_waits) continue;
    if (connection->peer_ended) {
      finish_stream(*connection);
    } else {
      poller_->resume(*connection);
    }
  }
}

void Loop::ended(Connection& connection) {
  // A filter may have seen the end before the socket does.
  bool is_known = connection.peer_ended;
  connection.peer_ended = true;
  if (connection.state == ConnState::lingering) return close(connection, connection.reason);
  if (connection.state != ConnState::open) return mark_dirty(connection);
  if (!is_known && !connection.input_waits && !connection.rationed) finish_stream(connection);
}

// The peer's end, behind input that was all taken.
void Loop::finish_stream(Connection& connection) {
  if (finish_filters(connection) && !connection.input_waits) finish_input(connection);
}

// End of input, and everything before it was cut: an unfinished frame is dropped and counted,
// except where the framer says that the end is what finishes it.
void Loop::finish_input(Connection& connection) {
  if (connection.finished || connection.state != ConnState::open) return;
  mark_dirty(connection);
  if (!options_.framer) {
    connection.finished = true;
    return push_event(RecordKind::ended, connection, 0);
  }
  if (connection.input && !connection.input->empty()) {
    Frame frame;
    if (options_.framer->finish(connection.input->bytes(), frame)) {
      if (record_count_ >= kMaxRecords ||
          !add_frame(connection, connection.input->bytes().data(), frame, false))
        return wait_for_turn(connection);
    } else {
      stats_.dropped_frames++;
    }
    connection.input.reset();
  }
  connection.partial = false;
  connection.finished = true;
}

}  // namespace gaidaros
