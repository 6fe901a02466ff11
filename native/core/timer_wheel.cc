#include "timer_wheel.h"

#include <bit>

namespace gaidaros {

void TimerWheel::schedule(uint32_t slot, uint32_t due) {
  TimerNode& node = node_of_(owner_, slot);
  if (node.scheduled) {
    if (node.due == due) return;
    unlink(node);
  }
  // Rounded up: a timer fires late by up to a tick, never early. One that is overdue already comes
  // with the next tick.
  uint32_t tick = due / kTick + 1;
  if (started_ && !is_after(tick, tick_)) tick = tick_ + 1;
  uint32_t bucket = tick % kBuckets;
  node.due = due;
  node.bucket = static_cast<uint16_t>(bucket);
  node.scheduled = true;
  node.previous = TimerNode::kNone;
  node.next = heads_[bucket];
  if (node.next != TimerNode::kNone) node_of_(owner_, node.next).previous = slot;
  heads_[bucket] = slot;
  used_[bucket / 64] |= uint64_t{1} << (bucket % 64);
  count_++;
}

void TimerWheel::cancel(uint32_t slot) {
  TimerNode& node = node_of_(owner_, slot);
  if (node.scheduled) unlink(node);
}

void TimerWheel::unlink(TimerNode& node) {
  if (node.next != TimerNode::kNone) node_of_(owner_, node.next).previous = node.previous;
  if (node.previous != TimerNode::kNone) {
    node_of_(owner_, node.previous).next = node.next;
  } else {
    heads_[node.bucket] = node.next;
    if (node.next == TimerNode::kNone)
      used_[node.bucket / 64] &= ~(uint64_t{1} << (node.bucket % 64));
  }
  node.scheduled = false;
  count_--;
}

// Takes one slot that is due out of a bucket. A bucket also holds slots of later rounds, which
// stay.
uint32_t TimerWheel::pop_due(uint32_t bucket, uint32_t now) {
  for (uint32_t slot = heads_[bucket]; slot != TimerNode::kNone;) {
    TimerNode& node = node_of_(owner_, slot);
    if (static_cast<int32_t>(now - node.due) >= 0) {
      unlink(node);
      return slot;
    }
    slot = node.next;
  }
  return TimerNode::kNone;
}

int TimerWheel::next_timeout(uint32_t now) const {
  if (count_ == 0) return -1;
  uint32_t tick = now / kTick;
  uint32_t first = (tick + 1) % kBuckets;
  // The rest of the first word, the other words, then the first word's beginning.
  for (uint32_t i = 0; i <= used_.size(); i++) {
    uint32_t word = (first / 64 + i) % used_.size();
    uint64_t bits = used_[word];
    if (i == 0) bits &= ~uint64_t{0} << (first % 64);
    if (bits == 0) continue;
    uint32_t bucket = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
    uint32_t ticks = (bucket - tick) % kBuckets;
    return static_cast<int>(ticks * kTick - now % kTick);
  }
  return static_cast<int>(kTick);
}

}  // namespace gaidaros
