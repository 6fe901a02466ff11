// What a worker tells its server: the answers of a turn, and what JS does between turns.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "insight.h"
#include "values.h"
#include "workerengine.h"

namespace gaidaros {

// Passes the answer to record `index` on, and with it those behind it that lie beside it. Returns
// how many records that took.
uint32_t WorkerEngine::answer(uint32_t index) {
  const Record& record = records_[index];
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  if (kind == RecordKind::ended)
    say(WorkerSays::ended, 0, record.slot, record.generation, 0, UINT32_MAX);
  if (kind == RecordKind::closed) {
    known_.erase(record.slot);
    flows_.erase(record.slot);
  }
  if (kind != RecordKind::request) return 1;
  const Reply& reply = replies_[index];
  uint32_t run = 1;
  switch (static_cast<Answer>(reply.kind & 0xff)) {
    case Answer::later:
      // engine.reply() was called within the turn, or will be.
      if (auto [place, is_new] =
              open_.try_emplace({record.slot, record.generation, record.sequence}, tickets_[index]);
          !is_new)
        open_.erase(place);
      return run;
    case Answer::failed:
      say(WorkerSays::fail, 0, record.slot, record.generation, record.sequence, tickets_[index]);
      return run;
    default:
      break;
  }
  std::span<const uint8_t> bytes = answer_bytes(index);
  if (!(reply.kind & kReplyEnd) && !bytes.empty()) run = extend_run(index, bytes);
  uint32_t flags = reply.kind & kReplyEnd ? kReplyLast : 0;
  bool is_none = static_cast<Answer>(reply.kind & 0xff) == Answer::none;
  if (bytes.empty() && !is_none) flags |= kReplyEmpty;
  say(WorkerSays::reply, flags, record.slot, record.generation, record.sequence, tickets_[index],
      bytes, run);
  return run;
}

std::span<const uint8_t> WorkerEngine::answer_bytes(uint32_t index) {
  const Record& record = records_[index];
  const Reply& reply = replies_[index];
  auto within = [&reply](const uint8_t* base, uint32_t size) -> std::span<const uint8_t> {
    if (reply.offset > size || reply.length > size - reply.offset) return {};
    return {base + reply.offset, reply.length};
  };
  switch (static_cast<Answer>(reply.kind & 0xff)) {
    case Answer::same:
      return framed_again(
          {record.kind & kRecordBig ? big_bytes_[record.offset] : slab_ + record.offset,
           record.length});
    case Answer::slab:
      return within(slab_, kSlabBytes);
    case Answer::out:
      return within(scratch_, kOutBytes);
    default:
      return {};
  }
}

// Replies to requests of one entry that lie side by side go back as one entry.
uint32_t WorkerEngine::extend_run(uint32_t first, std::span<const uint8_t>& bytes) {
  uint32_t run = 1;
  for (uint32_t i = first + 1; i < count_; i++, run++) {
    const Reply& reply = replies_[i];
    // A ticket names one entry, so the run is at most kMostInRun long.
    if (tickets_[i] != tickets_[first] || reply.kind >= static_cast<uint32_t>(Answer::later)) break;
    // These share a buffer.
    if (reply.kind == static_cast<uint32_t>(Answer::same) && framer_ && framer_->strips()) break;
    std::span<const uint8_t> more = answer_bytes(i);
    if (more.data() != bytes.data() + bytes.size()) break;
    if (bytes.size() + more.size() > kPartBytes) break;
    bytes = {bytes.data(), bytes.size() + more.size()};
  }
  return run;
}

// strip: delimiter or prefix put back around a reply.
std::span<const uint8_t> WorkerEngine::framed_again(std::span<const uint8_t> payload) {
  if (!framer_ || !framer_->strips()) return payload;
  uint8_t head[Framer::kMaxPrefix];
  int prefix = framer_->prefix(static_cast<uint32_t>(payload.size()), head);
  std::span<const uint8_t> suffix = framer_->suffix();
  framing_.assign(head, head + std::max(prefix, 0));
  framing_.insert(framing_.end(), payload.begin(), payload.end());
  framing_.insert(framing_.end(), suffix.begin(), suffix.end());
  return framing_;
}

void WorkerEngine::say(WorkerSays what, uint32_t flags, uint32_t slot, uint32_t generation,
                       uint32_t sequence, uint32_t ticket, std::span<const uint8_t> bytes,
                       uint32_t count) {
  // A datagram does not travel in parts. So much is too long for the server, too.
  if (datagrams_ && bytes.size() > kPartBytes) bytes = bytes.first(kPartBytes);
  Entry entry{static_cast<uint32_t>(what) | flags << kSaysFlags | (count - 1) << kRunShift,
              slot,
              generation,
              sequence,
              0,
              0,
              0,
              ticket};
  if (late_.empty() && bytes.size() <= kPartBytes) {
    if (uint8_t* place = out_.place(static_cast<uint32_t>(bytes.size()))) {
      if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
      entry.length = static_cast<uint32_t>(bytes.size());
      return out_.push(entry);
    }
  }
  late_.push_back({entry, {bytes.begin(), bytes.end()}});
}

// In parts where it is long; false: no room.
bool WorkerEngine::put(Late& late) {
  for (;;) {
    auto rest = static_cast<uint32_t>(late.bytes.size()) - late.sent;
    uint32_t size = std::min(rest, kPartBytes);
    uint8_t* place = out_.place(size);
    if (place == nullptr) return false;
    if (size > 0) std::memcpy(place, late.bytes.data() + late.sent, size);
    Entry part = late.entry;
    part.length = size;
    if (size < rest && (part.kind & 0xff) == static_cast<uint32_t>(WorkerSays::reply)) {
      part.kind |= kReplyMore << kSaysFlags;
      part.kind &= ~(kReplyLast << kSaysFlags);
    }
    out_.push(part);
    late.sent += size;
    if (size == rest) return true;
  }
}

// Makes what was said visible and rings the server where it sleeps.
void WorkerEngine::flush() {
  while (!late_.empty() && put(late_.front())) late_.pop_front();
  if (!out_.unpublished() || !out_.publish()) return;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t rung = ::write(server_bell_, &one, sizeof one);
}

// The ticket of a request that is answered by a call.
uint32_t WorkerEngine::land(const RequestId& id) {
  if (auto found = open_.find(id); found != open_.end()) {
    uint32_t ticket = found->second;
    open_.erase(found);
    return ticket;
  }
  // Within its own turn it is not on the list yet: the table's `later` finds this mark.
  for (uint32_t i = 0; i < count_; i++) {
    const Record& record = records_[i];
    if ((record.kind & 0xff) == static_cast<uint32_t>(RecordKind::request) &&
        id == RequestId{record.slot, record.generation, record.sequence}) {
      open_[id] = UINT32_MAX;
      return tickets_[i];
    }
  }
  return UINT32_MAX;
}

int64_t WorkerEngine::count_waiting(uint32_t slot, uint32_t generation, uint32_t size) {
  Flow& flow = flows_[slot];
  if (flow.generation != generation) flow = {generation};
  if (flow.waiting == UINT32_MAX) return -1;
  flow.unacknowledged += size;
  uint32_t waiting = flow.unacknowledged + flow.waiting;
  flow.above = high_water_ > 0 && waiting > high_water_;
  return waiting;
}

Napi::Value WorkerEngine::reply(const Napi::CallbackInfo& info) {
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1),
           sequence = number_at(info, 2);
  std::span<const uint8_t> bytes = bytes_of(info[3]);
  uint32_t flags = number_at(info, 4);
  if (flags & kReplyFrame) bytes = framed_again(bytes);
  if (bytes.empty() && info[3].IsTypedArray()) flags |= kReplyEmpty;
  bool more = flags & kReplyMore;
  uint32_t ticket = more ? UINT32_MAX : land({slot, generation, sequence});
  say(WorkerSays::reply, flags & (kReplyMore | kReplyLast | kReplyEmpty), slot, generation,
      sequence, ticket, bytes);
  auto size = static_cast<uint32_t>(bytes.size());
  return Napi::Number::New(env_,
                           more ? static_cast<double>(count_waiting(slot, generation, size)) : 0.0);
}

Napi::Value WorkerEngine::write(const Napi::CallbackInfo& info) {
  std::span<const uint8_t> bytes = bytes_of(info[2]);
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1);
  say(WorkerSays::write, 0, slot, generation, 0, UINT32_MAX, bytes);
  return Napi::Number::New(env_, static_cast<double>(count_waiting(
                                     slot, generation, static_cast<uint32_t>(bytes.size()))));
}

void WorkerEngine::end(const Napi::CallbackInfo& info) {
  say(WorkerSays::end, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::close_connection(const Napi::CallbackInfo& info) {
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1);
  say(WorkerSays::close, 0, slot, generation, 0, number_at(info, 2));
  // Nobody answers its requests any more; the server's count of them must not stay.
  for (auto place = open_.begin(); place != open_.end();) {
    const auto& [id, ticket] = *place;
    if (id.slot != slot || id.generation != generation || ticket == UINT32_MAX) {
      ++place;
      continue;
    }
    say(WorkerSays::reply, 0, slot, generation, id.sequence, ticket);
    place = open_.erase(place);
  }
}
void WorkerEngine::pause(const Napi::CallbackInfo& info) {
  say(WorkerSays::pause, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::resume(const Napi::CallbackInfo& info) {
  say(WorkerSays::resume, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::watch(const Napi::CallbackInfo& info) {
  say(WorkerSays::watch, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::framed(const Napi::CallbackInfo& info) {
  say(WorkerSays::framed, 0, number_at(info, 0), number_at(info, 1), number_at(info, 2),
      info[3].ToBoolean() ? 1 : 0);
}

// note(kind, slot, generation, sequence, value): for the server's access log.
void WorkerEngine::note(const Napi::CallbackInfo& info) {
  SentNote note{clock_ns(), number_at(info, 0), 0};
  std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&note), sizeof note);
  say(WorkerSays::note, 0, number_at(info, 1), number_at(info, 2), number_at(info, 3),
      number_at(info, 4), bytes);
}

// undefined where the connection is known to be gone; where nothing was told, an unknown peer.
Napi::Value WorkerEngine::info(const Napi::CallbackInfo& info) {
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1);
  auto found = known_.find(slot);
  bool is_known = found != known_.end() && found->second.generation == generation;
  if (!is_known && sticky_) return env_.Undefined();
  if (!is_known) return info_object(env_, {}, {});
  return info_object(env_, found->second.meta, found->second.facts);
}

void WorkerEngine::set_errors(const Napi::CallbackInfo& info) {
  channel_->handler_errors.store(number_at(info, 0), std::memory_order_relaxed);
}

}  // namespace gaidaros
