// Frames that end with a fixed run of bytes; "line" is the delimiter "\n". The search is for the
// delimiter's last byte, by memchr, which beats memmem on short delimiters by far; the bytes in
// front of a hit are then compared. So each byte is searched once, wherever the chunks of a stream
// end.
#include <array>
#include <cstring>

#include "cutter.h"
#include "find.h"

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
    return cut_frames(data, max_frame, out, state,
                      [this](const uint8_t* rest, uint32_t size, uint64_t limit, FrameState& s) {
                        return measure(rest, size, limit, s);
                      });
  }

  std::span<const uint8_t> suffix() const override { return {bytes_.data(), strip_ ? size_ : 0}; }
  bool strips() const override { return strip_; }

 private:
  Measured measure(const uint8_t* rest, uint32_t size, uint64_t limit, FrameState& state) const {
    const uint64_t end = find_end(rest, size, state.scanned);
    if (end != 0) return {end, 0, strip_ ? tail(rest, end) : 0};
    state.scanned = size;
    if (size + uint64_t{size_} > limit && size + size_ - partial(rest, size) > limit) {
      return {kTotalTooLong};
    }
    return {0};
  }

  // Position behind the first delimiter whose last byte is not before `from`; 0: there is none.
  uint64_t find_end(const uint8_t* rest, uint32_t size, uint32_t from) const {
    const uint32_t before = size_ - 1;
    uint64_t at = std::max(from, before);
    while (at < size) {
      const uint8_t* hit = find_byte(rest + at, size - at, last_);
      if (hit == nullptr) return 0;
      at = static_cast<uint64_t>(hit - rest) + 1;
      if (before == 0 || std::memcmp(hit - before, bytes_.data(), before) == 0) return at;
    }
    return 0;
  }

  uint32_t tail(const uint8_t* rest, uint64_t end) const {
    return size_ + (cr_ && end > size_ && rest[end - size_ - 1] == kCr ? 1 : 0);
  }

  // Bytes at the end of the rest that are a beginning of the delimiter, at most all but its last.
  uint64_t partial(const uint8_t* rest, uint32_t size) const {
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
