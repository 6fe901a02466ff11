// Feeds input to a framer in pieces, as a connection does: bytes accumulate, whole frames are taken
// off the front, the rest stays. What comes out must not depend on where the pieces end.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "frame/framer.h"

namespace test {

struct CutFrame {
  std::string whole;
  std::string payload;
  uint32_t flags = 0;  // of an HTTP request
  bool operator==(const CutFrame&) const = default;
};

inline std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class Feed {
 public:
  Feed(const gaidaros::Framer& framer, uint32_t max_frame, size_t room)
      : framer_(framer), max_frame_(max_frame), out_(room) {}

  // Returns false once the input was refused.
  bool push(const std::string& piece) {
    fed_ += piece.size();
    rest_ += piece;
    if (last) return true;
    do {
      // A copy of exact size: reading past its end is a fault that the sanitizer sees.
      const std::vector<uint8_t> exact(rest_.begin(), rest_.end());
      const gaidaros::Cut cut = framer_.cut(exact, max_frame_, out_, state_);
      take(cut);
    } while (status == gaidaros::FrameStatus::kRoom);
    return status == gaidaros::FrameStatus::kMore;
  }

  const std::string& rest() const { return rest_; }
  size_t fed() const { return fed_; }

  std::vector<CutFrame> frames;
  gaidaros::FrameStatus status = gaidaros::FrameStatus::kMore;
  uint32_t wanted = 0;
  uint16_t refusal = 0;
  bool expects = false;  // the client of the unfinished request waits for 100 Continue
  bool last = false;     // the connection has had its last request

 private:
  void take(const gaidaros::Cut& cut) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < cut.frames; i++) {
      const gaidaros::Frame& f = out_[i];
      if (f.offset != at || f.length == 0) throw std::runtime_error("frames are not in a row");
      if (uint64_t{f.head} + f.tail > f.length) throw std::runtime_error("a negative payload");
      const std::string whole = rest_.substr(f.offset, f.length);
      frames.push_back({whole, whole.substr(f.head, f.length - f.head - f.tail), f.flags});
      at += f.length;
    }
    if (cut.consumed != at) throw std::runtime_error("consumed is not the sum of the frames");
    if (cut.status == gaidaros::FrameStatus::kRoom && cut.frames != out_.size()) {
      throw std::runtime_error("room is left, but kRoom was said");
    }
    rest_.erase(0, cut.consumed);
    if (state_.scanned > rest_.size()) throw std::runtime_error("scanned lies past the rest");
    status = cut.status;
    wanted = cut.wanted;
    heed(cut);
  }

  // What framer http says besides.
  void heed(const gaidaros::Cut& cut) {
    if (cut.frames > 0) expects = false;
    if (expects && cut.expects) throw std::runtime_error("100 Continue is asked for twice");
    const uint32_t flags = frames.empty() ? 0 : frames.back().flags;
    if (cut.last != ((flags & gaidaros::kFrameLast) != 0)) {
      throw std::runtime_error("last is not what the last frame says");
    }
    refusal = cut.refusal;
    expects = expects || cut.expects;
    last = cut.last;
  }

  const gaidaros::Framer& framer_;
  uint32_t max_frame_;
  std::vector<gaidaros::Frame> out_;
  gaidaros::FrameState state_;
  std::string rest_;
  size_t fed_ = 0;
};

// Feeds `input` in pieces that end at `ends` (ascending), and at its end.
inline Feed feed(const gaidaros::Framer& framer, uint32_t max_frame, size_t room,
                 const std::string& input, const std::vector<size_t>& ends) {
  Feed fed(framer, max_frame, room);
  size_t from = 0;
  for (const size_t end : ends) {
    if (!fed.push(input.substr(from, end - from))) return fed;
    from = end;
  }
  fed.push(input.substr(from));
  return fed;
}

}  // namespace test
