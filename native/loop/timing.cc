// What the loop measures of itself: how long it was kept from its sockets, and how long requests
// take. The clock is read three times a turn, whatever the number of its requests.

#include "../core/clock.h"
#include "loop.h"

namespace gaidaros {

namespace {

constexpr uint32_t kSampleEvery = 64;    // requests that are not answered in their turn
constexpr uint32_t kMaxSamples = 1'024;  // whose answer is waited for

}  // namespace

void Loop::note_lag(uint32_t count, uint64_t ns) {
  stats_.lag.add(ns);
  if (options_.limits.stall_warning > 0 && ns / 1'000'000 >= options_.limits.stall_warning)
    host_.stalled(count, ns);
}

// The host has had `count` records since `began`.
void Loop::note_turn(uint64_t began, uint32_t count) {
  // What an earlier turn has answered may not have been sent yet.
  if (answered_now_ == 0) began_ = began;
  note_lag(count, clock_ns() - began);
}

// The answers of this turn have been sent.
void Loop::note_sent() {
  if (answered_now_ == 0) return;
  stats_.latency.add(clock_ns() - began_, answered_now_);
  answered_now_ = 0;
}

// `count` requests, the last of which is `sequence`, are answered by calls. One of many is timed.
void Loop::expect_late(Connection& connection, uint32_t sequence, uint32_t count) {
  if (static_cast<int32_t>(sequence - connection.reply_sequence) < 0) {
    answered_now_ += count;  // the call came before the turn had ended
    return;
  }
  late_ += count;
  if (late_ < sample_at_ || connection.sampled || samples_.size() >= kMaxSamples) return;
  samples_.push_back({connection.id(), late_, delivering_ ? began_ : clock_ns()});
  connection.sampled = true;
  connection.sampled_sequence = sequence;
  late_ = 0;
  sample_at_ = kSampleEvery;
}

// Some of the connection's requests were answered, perhaps the one that is timed.
void Loop::settle_sample(Connection& connection) {
  if (static_cast<int32_t>(connection.sampled_sequence - connection.reply_sequence) >= 0) return;
  for (const Sample& sample : samples_)
    if (sample.id.slot == connection.slot && sample.id.generation == connection.generation)
      stats_.latency.add(clock_ns() - sample.began, sample.weight);
  drop_sample(connection);
}

// It is answered, or gone: what was not answered has no time.
void Loop::drop_sample(Connection& connection) {
  std::erase_if(samples_, [&](const Sample& sample) {
    return sample.id.slot == connection.slot && sample.id.generation == connection.generation;
  });
  connection.sampled = false;
}

}  // namespace gaidaros
