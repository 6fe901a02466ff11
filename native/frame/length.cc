// Frames whose length stands in a field of fixed size near their beginning. Whole length = value of
// the field + base; one that is shorter than its own header is malformed.
#include "cutter.h"

namespace gaidaros {
namespace {

constexpr uint32_t field_size(LengthType type) {
  switch (type) {
    case LengthType::kU8:
      return 1;
    case LengthType::kU16be:
    case LengthType::kU16le:
      return 2;
    case LengthType::kU32be:
    case LengthType::kU32le:
      return 4;
  }
  return 0;
}

constexpr bool is_little(LengthType type) {
  return type == LengthType::kU16le || type == LengthType::kU32le;
}

// Place of byte i in the field's value, bits; as constants they make one load and a swap.
template <LengthType kType>
constexpr uint32_t shift(uint32_t i) {
  return 8 * (is_little(kType) ? i : field_size(kType) - 1 - i);
}

template <LengthType kType>
class LengthFramer final : public Framer {
 public:
  explicit LengthFramer(const LengthSpec& spec)
      : header_(uint64_t{spec.offset} + kSize), offset_(spec.offset), strip_(spec.strip) {
    const int64_t own = spec.inclusive ? 0 : static_cast<int64_t>(header_);
    if (__builtin_add_overflow(spec.adjust, own, &base_)) base_ = INT64_MAX;
  }

  Cut cut(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame> out,
          FrameState& state) const override {
    return cut_frames(data, max_frame, out, state,
                      [this](const uint8_t* rest, uint32_t size, uint64_t limit, FrameState&) {
                        return measure(rest, size, limit);
                      });
  }

  int prefix(uint32_t length, uint8_t* out) const override {
    if (!strip_) return 0;
    int64_t value;
    const int64_t whole = static_cast<int64_t>(header_ + length);
    if (__builtin_sub_overflow(whole, base_, &value)) return -1;
    if (value < 0 || value > (int64_t{1} << (8 * kSize)) - 1) return -1;
    for (uint32_t i = 0; i < kSize; i++) out[i] = static_cast<uint8_t>(value >> shift<kType>(i));
    return static_cast<int>(kSize);
  }
  bool strips() const override { return strip_; }

 private:
  static constexpr uint32_t kSize = field_size(kType);

  // The header is compared with the limit before it is read, so that the outcome does not depend on
  // how the input was cut.
  Measured measure(const uint8_t* rest, uint32_t size, uint64_t limit) const {
    if (header_ > limit) return {kTotalTooLong};
    if (size < header_) return {0};
    int64_t total;
    if (__builtin_add_overflow(static_cast<int64_t>(read(rest + offset_)), base_, &total)) {
      return {kTotalTooLong};
    }
    if (total < static_cast<int64_t>(header_)) return {kTotalMalformed};
    return {static_cast<uint64_t>(total), strip_ ? static_cast<uint32_t>(header_) : 0};
  }

  static uint32_t read(const uint8_t* field) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < kSize; i++) value |= uint32_t{field[i]} << shift<kType>(i);
    return value;
  }

  uint64_t header_;   // bytes up to the field's end
  int64_t base_ = 0;  // added to the field's value gives the whole length
  uint32_t offset_;
  bool strip_;
};

}  // namespace

std::unique_ptr<Framer> make_length_framer(const LengthSpec& spec) {
  if (spec.strip && spec.offset != 0) return nullptr;
  switch (spec.type) {
    case LengthType::kU8:
      return std::make_unique<LengthFramer<LengthType::kU8>>(spec);
    case LengthType::kU16be:
      return std::make_unique<LengthFramer<LengthType::kU16be>>(spec);
    case LengthType::kU16le:
      return std::make_unique<LengthFramer<LengthType::kU16le>>(spec);
    case LengthType::kU32be:
      return std::make_unique<LengthFramer<LengthType::kU32be>>(spec);
    case LengthType::kU32le:
      return std::make_unique<LengthFramer<LengthType::kU32le>>(spec);
  }
  return nullptr;
}

}  // namespace gaidaros
