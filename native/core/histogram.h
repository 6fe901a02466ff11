// Durations in buckets whose width is an eighth of an octave: a percentile is right to 12.5 %, the
// histograms of several loops add up, and counting one is a shift and an addition. From 125 ns to
// two minutes; what is longer counts as that.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace gaidaros {

class Histogram {
 public:
  static constexpr uint32_t kUnitNs = 125;
  static constexpr uint32_t kBuckets = 224;

  // Counts a duration `times` times.
  void add(uint64_t ns, uint64_t times = 1) {
    buckets_[bucket_of(ns)] += times;
    count_ += times;
    sum_ns_ += ns * times;
    max_ns_ = std::max(max_ns_, ns);
  }

  uint64_t count() const { return count_; }
  uint64_t sum_ns() const { return sum_ns_; }
  uint64_t max_ns() const { return max_ns_; }
  uint64_t in_bucket(uint32_t bucket) const { return buckets_[bucket]; }

  static uint32_t bucket_of(uint64_t ns) {
    uint64_t units = ns / kUnitNs;
    if (units < 8) return static_cast<uint32_t>(units);
    auto octave = static_cast<uint32_t>(std::bit_width(units)) - 3;  // 1: 8 to 15 units
    if (octave > kBuckets / 8 - 1) return kBuckets - 1;
    return octave * 8 + static_cast<uint32_t>(units >> (octave - 1) & 7);
  }
  // What is in a bucket is shorter than this many units.
  static uint64_t bound_of(uint32_t bucket) {
    if (bucket < 8) return bucket + 1;
    return uint64_t{9 + bucket % 8} << (bucket / 8 - 1);
  }

 private:
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
  uint64_t max_ns_ = 0;
  uint64_t buckets_[kBuckets] = {};
};

}  // namespace gaidaros
