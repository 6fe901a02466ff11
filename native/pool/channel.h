// What a server process and one of its workers (a thread or a process) share: two lanes, one for
// each direction, in memory that both have mapped. A lane is a ring of entries and a ring of bytes
// that the entries name by offset; one producer, one consumer, no pointers, no system call unless
// the other side sleeps.
//
// Who sleeps says so first and looks again: `sleeping` up, fence, look, sleep; who produces
// publishes, fences, looks at `sleeping`, and rings the other's eventfd only where it is up.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

namespace gaidaros {

constexpr uint32_t kLaneEntries = 1024;
constexpr uint32_t kLaneBytes = 256 * 1024;
constexpr uint32_t kPartBytes = 64 * 1024;  // longer ones travel in parts of this size

// To a worker: a Record's kind and flags (layout.h), and these.
constexpr uint32_t kEntryPart = 0x200;  // more of the same request follows
constexpr uint32_t kMostInRun = 64;     // requests, or replies, that one entry carries
constexpr uint32_t kRunShift = 16;      // their number, less one, above a kind and its flags
constexpr uint32_t kEntryMeta = 0x80;   // bytes: ConnectionMeta of the connection
constexpr uint32_t kEntryAck = 0x81;    // `ticket`: bytes of pieces that the server has taken

// From a worker.
enum class WorkerSays : uint8_t {
  reply,
  write,
  end,
  close,
  pause,
  resume,
  framed,
  ended,
  watch,
  fail,
  note  // for the access log; see SentNote
};
// Flags above the kind: those of a reply that comes by call (kReplyMore, ...), shifted.
constexpr uint32_t kSaysFlags = 8;
constexpr uint32_t kSaysMask = 0xff;  // once shifted back

struct Entry {
  uint32_t kind;
  uint32_t slot;
  uint32_t generation;
  uint32_t sequence;
  uint32_t offset;
  uint32_t length;
  uint32_t freed;  // the producer's place in the ring of bytes behind this entry's
  uint32_t ticket;

  uint32_t count() const { return (kind >> kRunShift) + 1; }
};
static_assert(sizeof(Entry) == 32);

// Requests of one connection that came side by side travel as one entry, `sequence` being the
// first one's: a table of these, then the bytes from the first request to the last. Their replies
// come back as one entry where they, too, lie side by side; those need no table.
struct RunItem {
  uint32_t offset;  // behind the table
  uint32_t length;
};

// One direction. All zero is an empty lane.
struct Lane {
  alignas(64) std::atomic<uint32_t> tail;      // entries published
  std::atomic<uint32_t> wants_room;            // the producer has more and no place for it
  alignas(64) std::atomic<uint32_t> head;      // entries taken
  std::atomic<uint32_t> freed;                 // bytes taken
  alignas(64) std::atomic<uint32_t> sleeping;  // the consumer sleeps, or is about to
  alignas(64) Entry entries[kLaneEntries];
  alignas(64) uint8_t bytes[kLaneBytes];
};

struct Channel {
  Lane requests;
  Lane replies;
  // What a worker lets its server know.
  alignas(64) std::atomic<uint32_t> cost_ns;  // processor time of a request, smoothed; 0: unknown
  std::atomic<uint32_t> handler_errors;       // so far
  std::atomic<uint64_t> turn_began_ns;        // CLOCK_MONOTONIC; 0: not in a turn
  std::atomic<uint64_t> requests_taken;
  std::atomic<uint64_t> busy_ns;  // in turns, so far
};

// The producer's end; its state is its own.
class LaneProducer {
 public:
  explicit LaneProducer(Lane* lane = nullptr) : lane_(lane) {}

  // A place for `size` (at most kPartBytes) bytes and one entry; null when there is none: the
  // consumer is asked to ring once it has made room.
  uint8_t* place(uint32_t size) {
    if (uint8_t* found = find(size)) return found;
    lane_->wants_room.store(1, std::memory_order_seq_cst);
    return find(size);  // it may have been made meanwhile
  }

  // Hands over what was written to place().
  void push(Entry entry) {
    entry.offset = at_ & (kLaneBytes - 1);
    at_ += entry.length;
    entry.freed = at_;
    lane_->entries[tail_++ & (kLaneEntries - 1)] = entry;
  }

  bool unpublished() const { return tail_ != lane_->tail.load(std::memory_order_relaxed); }
  uint32_t untaken() const { return tail_ - lane_->head.load(std::memory_order_relaxed); }

  // Makes the entries visible. True: the consumer sleeps and has to be rung; said once a sleep.
  bool publish() {
    lane_->tail.store(tail_, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return lane_->sleeping.load(std::memory_order_relaxed) != 0 &&
           lane_->sleeping.exchange(0, std::memory_order_relaxed) != 0;
  }

 private:
  uint8_t* find(uint32_t size) {
    if (tail_ - lane_->head.load(std::memory_order_acquire) >= kLaneEntries) return nullptr;
    uint32_t freed = lane_->freed.load(std::memory_order_acquire);
    if (static_cast<int32_t>(freed - floor_) > 0) floor_ = freed;
    if (uint32_t past = at_ & (kLaneBytes - 1); at_ == floor_ && past > kPartBytes) {
      // Nothing is under way: the front again, which the processor's caches hold.
      at_ += kLaneBytes - past;
      floor_ = at_;
    }
    uint32_t to_end = kLaneBytes - (at_ & (kLaneBytes - 1));
    uint32_t skip = size > to_end ? to_end : 0;
    if (at_ + skip + size - floor_ > kLaneBytes) return nullptr;
    at_ += skip;
    return lane_->bytes + (at_ & (kLaneBytes - 1));
  }

  Lane* lane_;
  uint32_t tail_ = 0;
  uint32_t at_ = 0;     // where the next bytes go; wraps at 2^32
  uint32_t floor_ = 0;  // nothing before it is in use
};

class LaneConsumer {
 public:
  explicit LaneConsumer(Lane* lane = nullptr) : lane_(lane) {}

  // Entries that were published and not yet taken; entry(i) is the i-th of them.
  uint32_t available() const { return lane_->tail.load(std::memory_order_acquire) - head_; }
  const Entry& entry(uint32_t i) const { return lane_->entries[(head_ + i) & (kLaneEntries - 1)]; }
  // Empty for what a faulty producer made up.
  std::span<const uint8_t> bytes(const Entry& entry) const {
    if (entry.offset > kLaneBytes || entry.length > kLaneBytes - entry.offset) return {};
    return {lane_->bytes + entry.offset, entry.length};
  }

  // Gives the first `count` entries and their bytes back. True: the producer waits for that.
  bool take(uint32_t count) {
    if (count == 0) return false;
    lane_->freed.store(entry(count - 1).freed, std::memory_order_release);
    head_ += count;
    lane_->head.store(head_, std::memory_order_seq_cst);
    return lane_->wants_room.load(std::memory_order_relaxed) != 0 &&
           lane_->wants_room.exchange(0, std::memory_order_relaxed) != 0;
  }

  // About to sleep. False: there is something after all.
  bool sleep() {
    lane_->sleeping.store(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (available() == 0) return true;
    lane_->sleeping.store(0, std::memory_order_relaxed);
    return false;
  }
  void wake() { lane_->sleeping.store(0, std::memory_order_relaxed); }

 private:
  Lane* lane_;
  uint32_t head_ = 0;
};

}  // namespace gaidaros
