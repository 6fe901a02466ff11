// The loop that all framers but eof share: measure the next frame, cut it, go on. A template, so
// that the measuring is inlined: at 32-byte lines it runs once every few nanoseconds.
#pragma once

#include <algorithm>

#include "framer.h"

namespace gaidaros {

// What a framer found at the front of the rest.
struct Measured {
  // Whole length of the next frame; 0 where it is not known yet.
  uint64_t total;
  uint32_t head = 0;
  uint32_t tail = 0;
};

// Values of total beyond any limit. Frames are described with 32 bits, so no real length reaches
// them.
inline constexpr uint64_t kTotalMalformed = UINT64_MAX;
inline constexpr uint64_t kTotalTooLong = UINT64_MAX - 1;

// `measure(rest, size, limit, state)` returns Measured for the frame that begins at rest[0]; size
// >= 1.
template <class Measure>
Cut cut_frames(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame> out,
               FrameState& state, Measure measure) {
  const uint64_t limit = max_frame == 0 ? UINT32_MAX : max_frame;
  const uint32_t size = static_cast<uint32_t>(std::min<size_t>(data.size(), UINT32_MAX));
  Cut cut{0, 0, FrameStatus::kMore, 0};
  while (cut.consumed < size) {
    if (cut.frames == out.size()) {
      cut.status = FrameStatus::kRoom;
      return cut;
    }
    const uint32_t rest = size - cut.consumed;
    const Measured next = measure(data.data() + cut.consumed, rest, limit, state);
    if (next.total > limit) {
      cut.status = next.total == kTotalMalformed ? FrameStatus::kMalformed : FrameStatus::kTooLong;
      return cut;
    }
    if (next.total == 0 || next.total > rest) {
      cut.wanted = static_cast<uint32_t>(next.total);
      return cut;
    }
    const uint32_t length = static_cast<uint32_t>(next.total);
    out[cut.frames++] = Frame{cut.consumed, length, next.head, next.tail};
    cut.consumed += length;
    state.scanned = 0;
  }
  return cut;
}

}  // namespace gaidaros
