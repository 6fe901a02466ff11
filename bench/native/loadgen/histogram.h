// A log-linear latency histogram after HdrHistogram's idea: each power of two is cut into 128 equal
// steps, so that a value is known to better than 0.8 % from 1 ns to 18 minutes in 34 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace bench {

class Histogram {
 public:
  void record(uint64_t value_ns) {
    counts_[index_of(std::min(value_ns, kLargest))]++;
    total_++;
    sum_ += value_ns;
    max_ = std::max(max_, value_ns);
  }

  void reset() { *this = Histogram(); }

  // The value in ns that `share` (0 to 1) of the recorded ones do not exceed; 0 when none was
  // recorded.
  [[nodiscard]] uint64_t quantile(double share) const {
    if (total_ == 0) return 0;
    auto wanted =
        std::max<uint64_t>(1, static_cast<uint64_t>(share * static_cast<double>(total_) + 0.5));
    uint64_t seen = 0;
    for (uint32_t i = 0; i < counts_.size(); i++) {
      seen += counts_[i];
      if (seen >= wanted) return std::min(highest_in(i), max_);
    }
    return max_;
  }

  [[nodiscard]] uint64_t count() const { return total_; }
  [[nodiscard]] uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const {
    return total_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(total_);
  }

 private:
  static constexpr uint32_t kStepBits = 7;
  static constexpr uint32_t kSteps = 1u << kStepBits;
  static constexpr uint32_t kOctaves = 33;
  static constexpr uint64_t kLargest = (uint64_t{1} << (kStepBits + kOctaves)) - 1;

  // Values below 128 have a place each; above, the octave and the seven bits after the leading one.
  static uint32_t index_of(uint64_t value) {
    if (value < kSteps) return static_cast<uint32_t>(value);
    auto octave = static_cast<uint32_t>(std::bit_width(value)) - kStepBits;
    return octave * kSteps + static_cast<uint32_t>((value >> (octave - 1)) & (kSteps - 1));
  }

  static uint64_t highest_in(uint32_t index) {
    uint32_t octave = index / kSteps;
    if (octave == 0) return index;
    uint64_t lowest = (uint64_t{kSteps} + index % kSteps) << (octave - 1);
    return lowest + (uint64_t{1} << (octave - 1)) - 1;
  }

  std::array<uint64_t, kSteps*(kOctaves + 1)> counts_{};
  uint64_t total_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace bench
