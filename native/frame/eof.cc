// One frame: everything up to the end of input. Empty input is no frame.
#include "framer.h"

namespace gaidaros {
namespace {

class EofFramer final : public Framer {
 public:
  Cut cut(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame>,
          FrameState&) const override {
    const size_t limit = max_frame == 0 ? UINT32_MAX : max_frame;
    return {0, 0, data.size() > limit ? FrameStatus::kTooLong : FrameStatus::kMore, 0};
  }

  bool finish(std::span<const uint8_t> data, Frame& out) const override {
    out = Frame{0, static_cast<uint32_t>(data.size()), 0, 0};
    return !data.empty();
  }
};

}  // namespace

std::unique_ptr<Framer> make_eof_framer() { return std::make_unique<EofFramer>(); }

}  // namespace gaidaros
