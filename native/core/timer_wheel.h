// A hashed timer wheel over slots of the connection table: one deadline a slot, O(1) schedule and
// cancel, a coarse tick (pitfall 20). The owner keeps the node inside its connection and is told
// which slots are due; whether a deadline is still meant is the owner's business, so that activity
// on a connection costs one store and no call.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

namespace gaidaros {

struct TimerNode {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t next = kNone;
  uint32_t previous = kNone;
  uint32_t due = 0;  // milliseconds of the loop's clock, wraps after 49 days
  uint16_t bucket = 0;
  bool scheduled = false;
};

class TimerWheel {
 public:
  static constexpr uint32_t kTick =
      32;  // milliseconds: no timer here is shorter than a few hundred
  static constexpr uint32_t kBuckets = 1024;
  using NodeOf = TimerNode& (*)(void* owner, uint32_t slot);

  TimerWheel(void* owner, NodeOf node_of) : owner_(owner), node_of_(node_of) {
    heads_.fill(TimerNode::kNone);
  }

  // Schedules `slot` for `due`, or moves it there.
  void schedule(uint32_t slot, uint32_t due);
  void cancel(uint32_t slot);
  // Calls `fire(slot)` for each slot due at `now`; it may schedule and cancel any slot.
  template <typename Fire>
  void advance(uint32_t now, Fire&& fire);
  // Milliseconds until the wheel wants to be advanced; -1 when nothing is scheduled.
  int next_timeout(uint32_t now) const;
  uint32_t scheduled() const { return count_; }

 private:
  // Ticks wrap where the clock that they are counted of does.
  static constexpr uint32_t kTickMask = UINT32_MAX / kTick;
  static bool is_after(uint32_t a, uint32_t b) {
    uint32_t distance = (a - b) & kTickMask;
    return distance != 0 && distance <= kTickMask / 2;
  }
  void unlink(TimerNode& node);
  uint32_t pop_due(uint32_t bucket, uint32_t now);

  void* owner_;
  NodeOf node_of_;
  std::array<uint32_t, kBuckets> heads_;
  std::array<uint64_t, kBuckets / 64> used_{};
  uint32_t tick_ = 0;  // the last tick that was swept
  bool started_ = false;
  uint32_t count_ = 0;
};

template <typename Fire>
void TimerWheel::advance(uint32_t now, Fire&& fire) {
  uint32_t target = now / kTick;
  if (!started_ || count_ == 0) {
    started_ = true;
    tick_ = target;
    if (count_ == 0) return;
  }
  if (is_after(tick_, target)) return;
  uint32_t steps = (target - tick_) & kTickMask;
  if (steps >= kBuckets) {
    steps = kBuckets - 1;
    tick_ = target - steps;
  }
  for (uint32_t i = 0; i <= steps; i++, tick_++) {
    uint32_t bucket = tick_ % kBuckets;
    if (!(used_[bucket / 64] >> (bucket % 64) & 1)) continue;
    for (uint32_t slot; (slot = pop_due(bucket, now)) != TimerNode::kNone;) fire(slot);
  }
  tick_ = target;
}

}  // namespace gaidaros
