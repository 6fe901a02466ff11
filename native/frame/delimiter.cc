// Frames that end with a fixed run of bytes; "line" is the delimiter "\n". The search is for the
// delimiter's last byte; the bytes in front of a hit are then compared. So each byte is searched
// once, wherever the chunks of a stream end.
#include <algorithm>
#include <array>
#include <cstring>

#include "find.h"
#include "framer.h"

namespace gaidaros {
namespace {

constexpr size_t kMaxDelimiter = 255;
constexpr uint8_t kCr = '\r';

class DelimiterFramer final : public Framer {
 public:
  explicit DelimiterFramer(const DelimiterSpec& spec)
      : size_(static_cast<uint32_t>(spec.delimiter.size())),
        last_(spec.delimiter.back()),
        strip_(spec.strip),
        cr_(spec.strip && spec.cr) {
    std::copy(spec.delimiter.begin(), spec.delimiter.end(), bytes_.begin());
  }

  Cut cut(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame> out,
          FrameState& state) const override {
    const uint64_t limit = max_frame == 0 ? UINT32_MAX : max_frame;
    const uint32_t size = static_cast<uint32_t>(std::min<size_t>(data.size(), UINT32_MAX));
    const uint32_t from = state.scanned;
    Cut cut{0, 0, FrameStatus::kMore, 0};
    state.scanned = 0;
    if (size == 0) return cut;
    if (out.empty()) {
      // Nothing is searched, so nothing is forgotten either.
      state.scanned = from;
      cut.status = FrameStatus::kRoom;
      return cut;
    }
    each_byte(data.data(), from, size, last_, [&](size_t at) {
      return !ends_frame(data.data(), cut.consumed, at) ||
             take(data.data(), static_cast<uint32_t>(at) + 1, limit, out, cut);
    });
    if (cut.status == FrameStatus::kMore) finish_cut(data.data(), size, limit, out, cut, state);
    return cut;
  }

  std::span<const uint8_t> suffix() const override { return {bytes_.data(), strip_ ? size_ : 0}; }
  bool strips() const override { return strip_; }

 private:
  // Is the last byte at `at` the end of a delimiter that lies within the frame from `start` on?
  bool ends_frame(const uint8_t* data, uint32_t start, size_t at) const {
    const uint32_t before = size_ - 1;
    if (before == 0) return true;
    if (at - start < before || data[at - before] != bytes_[0]) return false;
    return before == 1 || std::memcmp(data + at - before, bytes_.data(), before) == 0;
  }

  // Cuts the frame that ends before `end`; false when that cannot be, or no room is left.
  bool take(const uint8_t* data, uint32_t end, uint64_t limit, std::span<Frame> out,
            Cut& cut) const {
    const uint32_t length = end - cut.consumed;
    if (length > limit) cut.status = FrameStatus::kTooLong;
    if (cut.frames == out.size()) cut.status = FrameStatus::kRoom;
    if (cut.status != FrameStatus::kMore) return false;
    out[cut.frames++] = Frame{cut.consumed, length, 0, strip_ ? tail(data, cut.consumed, end) : 0};
    cut.consumed = end;
    return true;
  }

  uint32_t tail(const uint8_t* data, uint32_t start, uint32_t end) const {
    const bool cr = cr_ && end - start > size_ && data[end - size_ - 1] == kCr;
    return size_ + (cr ? 1 : 0);
  }

  // What the rest, which holds no whole frame, says.
  void finish_cut(const uint8_t* data, uint32_t size, uint64_t limit, std::span<Frame> out,
                  Cut& cut, FrameState& state) const {
    const uint32_t rest = size - cut.consumed;
    if (rest == 0) return;
    if (cut.frames == out.size()) {
      cut.status = FrameStatus::kRoom;
      return;
    }
    state.scanned = rest;
    const uint64_t longest = uint64_t{rest} + size_;
    if (longest > limit && longest - partial(data + cut.consumed, rest) > limit) {
      cut.status = FrameStatus::kTooLong;
    }
  }

  // Bytes at the end of the rest that are a beginning of the delimiter, at most all but its last.
  uint32_t partial(const uint8_t* rest, uint32_t size) const {
    uint32_t n = std::min(size_ - 1, size);
    while (n > 0 && std::memcmp(rest + size - n, bytes_.data(), n) != 0) n--;
    return n;
  }

  std::array<uint8_t, kMaxDelimiter> bytes_{};
  uint32_t size_;
  uint8_t last_;
  bool strip_;
  bool cr_;
};

}  // namespace

std::unique_ptr<Framer> make_delimiter_framer(const DelimiterSpec& spec) {
  if (spec.delimiter.empty() || spec.delimiter.size() > kMaxDelimiter) return nullptr;
  return std::make_unique<DelimiterFramer>(spec);
}

}  // namespace gaidaros
