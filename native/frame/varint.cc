// Frames that begin with their payload's length as an unsigned LEB128 varint, as protobuf streams
// are delimited: at most five bytes and 2^32 - 1, in its shortest form.
#include "cutter.h"

namespace gaidaros {
namespace {

constexpr uint32_t kMaxVarint = 5;
constexpr uint8_t kFifthMax = 0x0f;  // the fifth byte carries the upper four bits of 32

class VarintFramer final : public Framer {
 public:
  explicit VarintFramer(bool strip) : strip_(strip) {}

  Cut cut(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame> out,
          FrameState& state) const override {
    return cut_frames(data, max_frame, out, state,
                      [this](const uint8_t* rest, uint32_t size, uint64_t limit, FrameState&) {
                        return measure(rest, size, limit);
                      });
  }

  int prefix(uint32_t length, uint8_t* out) const override {
    if (!strip_) return 0;
    int n = 0;
    for (; length >= 0x80; length >>= 7) out[n++] = static_cast<uint8_t>(length | 0x80);
    out[n++] = static_cast<uint8_t>(length);
    return n;
  }
  bool strips() const override { return strip_; }

 private:
  Measured measure(const uint8_t* rest, uint32_t size, uint64_t limit) const {
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++) {
      const uint8_t byte = rest[i];
      if (i == kMaxVarint - 1 && byte > kFifthMax) return {kTotalMalformed};
      value |= uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) {
        if (byte == 0 && i > 0) return {kTotalMalformed};
        return {i + 1 + value, strip_ ? i + 1 : 0};
      }
      // What follows adds a byte and, being no zero, at least one in the next place.
      if (i + 2 + value + (uint64_t{1} << (7 * (i + 1))) > limit) return {kTotalTooLong};
    }
    return {0};
  }

  bool strip_;
};

}  // namespace

std::unique_ptr<Framer> make_varint_framer(bool strip) {
  return std::make_unique<VarintFramer>(strip);
}

}  // namespace gaidaros
