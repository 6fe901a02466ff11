// What a worker takes of its server: entries of the lane become records of a turn.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "workerengine.h"

namespace gaidaros {

namespace {

// Requests that are taken at once: what keeps the worker busy so long, so that dear ones are left
// for others and answered one by one, and cheap ones share a crossing.
constexpr uint64_t kTurnNs = 2'000'000;
constexpr uint32_t kBigFrame = kSlabBytes / 4;

}  // namespace

// Takes entries into this turn's records: as many as keep it busy for kTurnNs.
uint32_t WorkerEngine::take() {
  count_ = requests_ = 0;
  big_bytes_.clear();
  uint32_t available = in_.available();
  if (available == 0) return 0;
  uint32_t cost = channel_->cost_ns.load(std::memory_order_relaxed);
  uint64_t most = one_shot_ || cost == 0 ? 1 : std::clamp<uint64_t>(kTurnNs / cost, 1, kMaxRecords);
  uint32_t taken = 0;
  while (taken < available && requests_ < most && count_ < kMaxRecords) {
    if (!take_entry(in_.entry(taken))) break;
    taken++;
  }
  if (in_.take(taken)) {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t rung = ::write(server_bell_, &one, sizeof one);
  }
  channel_->requests_taken.fetch_add(requests_, std::memory_order_relaxed);
  return count_;
}

// False: the slab is full, this turn has to be over first.
bool WorkerEngine::take_entry(const Entry& entry) {
  std::span<const uint8_t> bytes = in_.bytes(entry);
  if (entry.kind == kEntryMeta) return learn(entry, bytes), true;
  if (entry.kind == kEntryAck) return heed(entry), true;
  if (entry.kind & kEntryPart) {
    parts_.insert(parts_.end(), bytes.begin(), bytes.end());
    return true;
  }
  if (entry.count() > 1) return place_run(entry, bytes);
  if (parts_.empty()) return place(entry, bytes);
  parts_.insert(parts_.end(), bytes.begin(), bytes.end());
  place(entry, parts_);
  parts_.clear();
  return true;
}

bool WorkerEngine::place(const Entry& entry, std::span<const uint8_t> bytes) {
  auto size = static_cast<uint32_t>(bytes.size());
  uint32_t kind = entry.kind;
  uint32_t offset = 0;
  if (size > kBigFrame) {
    Napi::HandleScope scope(env_);
    if (big_bytes_.empty()) bigs_ = Napi::Persistent(Napi::Array::New(env_).As<Napi::Object>());
    auto big = Napi::Buffer<uint8_t>::Copy(env_, bytes.data(), size);
    offset = static_cast<uint32_t>(big_bytes_.size());
    bigs_.Value().Set(offset, big);
    big_bytes_.push_back(big.Data());
    kind |= kRecordBig;
  } else {
    uint8_t* room = room_in_slab(size);
    if (room == nullptr) return false;
    if (size > 0) std::memcpy(room, bytes.data(), size);
    offset = static_cast<uint32_t>(room - slab_);
  }
  bool is_request = (entry.kind & 0xff) == static_cast<uint32_t>(RecordKind::request);
  tickets_[count_] = is_request ? entry.ticket : UINT32_MAX;
  records_[count_++] = {kind,
                        entry.slot,
                        entry.generation,
                        entry.sequence,
                        offset,
                        size,
                        is_request ? 0 : entry.ticket,
                        0};
  if ((entry.kind & 0xff) <= static_cast<uint32_t>(RecordKind::chunk)) requests_++;
  had_request_ = had_request_ || is_request;
  return true;
}

// Its bytes at once, a record for each of its requests.
bool WorkerEngine::place_run(const Entry& entry, std::span<const uint8_t> bytes) {
  uint32_t count = entry.count();
  size_t head = count * sizeof(RunItem);
  if (count > kMostInRun || bytes.size() < head) return true;  // no producer of ours made that
  if (count_ + count > kMaxRecords) return false;
  auto size = static_cast<uint32_t>(bytes.size() - head);
  uint8_t* room = room_in_slab(size);
  if (room == nullptr) return false;
  if (size > 0) std::memcpy(room, bytes.data() + head, size);
  auto base = static_cast<uint32_t>(room - slab_);
  for (uint32_t i = 0; i < count; i++) {
    RunItem item;
    std::memcpy(&item, bytes.data() + i * sizeof item, sizeof item);
    if (item.offset > size || item.length > size - item.offset) item = {0, 0};
    tickets_[count_] = entry.ticket;
    records_[count_++] = {static_cast<uint32_t>(RecordKind::request),
                          entry.slot,
                          entry.generation,
                          entry.sequence + i,
                          base + item.offset,
                          item.length,
                          0,
                          0};
  }
  requests_ += count;
  had_request_ = true;
  return true;
}

// JS owns the slab and may keep what it got of it; see Engine::new_slab().
uint8_t* WorkerEngine::room_in_slab(uint32_t size) {
  if (size > kSlabBytes - slab_at_ || slab_ == nullptr) {
    if (count_ > 0) return nullptr;
    Napi::HandleScope scope(env_);
    auto slab = Napi::Buffer<uint8_t>::New(env_, kSlabBytes);
    slab_ref_ = Napi::Persistent(slab);
    slab_ = slab.Data();
    slab_at_ = 0;
    slab_is_new_ = true;
  }
  uint8_t* room = slab_ + slab_at_;
  slab_at_ += size;
  return room;
}

void WorkerEngine::learn(const Entry& entry, std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(ConnectionMeta)) return;
  Known& known = known_[entry.slot];
  known.generation = entry.generation;
  Address local = known.meta.local;
  std::memcpy(&known.meta, bytes.data(), sizeof known.meta);
  if (known.meta.local.family == 0) known.meta.local = local;
  std::span<const uint8_t> facts = bytes.subspan(sizeof known.meta);
  known.facts.assign(facts.begin(), facts.end());
}

void WorkerEngine::heed(const Entry& entry) {
  auto found = flows_.find(entry.slot);
  if (found == flows_.end() || found->second.generation != entry.generation) return;
  Flow& flow = found->second;
  flow.unacknowledged -= std::min(flow.unacknowledged, entry.ticket);
  flow.waiting = entry.sequence;
  bool is_gone = flow.waiting == UINT32_MAX;
  uint32_t waiting = is_gone ? 0 : flow.waiting + flow.unacknowledged;
  if (!flow.above || waiting > high_water_ / 2) return;
  flow.above = false;
  tickets_[count_] = UINT32_MAX;
  records_[count_++] = {static_cast<uint32_t>(RecordKind::drained),
                        entry.slot,
                        entry.generation,
                        0,
                        0,
                        0,
                        waiting,
                        0};
  if (waiting == 0 && !is_gone) flows_.erase(found);
}

}  // namespace gaidaros
