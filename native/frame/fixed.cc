// Frames of one size.
#include "cutter.h"

namespace gaidaros {
namespace {

class FixedFramer final : public Framer {
 public:
  explicit FixedFramer(uint32_t size) : size_(size) {}

  Cut cut(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame> out,
          FrameState& state) const override {
    return cut_frames(
        data, max_frame, out, state,
        [this](const uint8_t*, uint32_t, uint64_t, FrameState&) { return Measured{size_}; });
  }

 private:
  uint32_t size_;
};

}  // namespace

std::unique_ptr<Framer> make_fixed_framer(uint32_t size) {
  return size == 0 ? nullptr : std::make_unique<FixedFramer>(size);
}

}  // namespace gaidaros
