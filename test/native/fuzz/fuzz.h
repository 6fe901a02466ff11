// What the fuzzers of the framers share. The fuzzer's bytes choose the framer's settings, the
// limit, the room and the cuts, and are then the input; each piece's outcome must be the naive
// reference's.
#pragma once

#include <cstdlib>
#include <iostream>

#include "../feed.h"
#include "../naive.h"

namespace fuzz {

// Bytes that are taken off the front as choices; zeros when there are no more.
class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t byte() {
    if (size_ == 0) return 0;
    size_--;
    return *data_++;
  }
  bool flag() { return (byte() & 1) != 0; }
  uint32_t u32() {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 8 | byte();
    return value;
  }
  std::string text(size_t length) {
    std::string out;
    while (out.size() < length) out += static_cast<char>(byte());
    return out;
  }
  std::string rest() { return std::string(reinterpret_cast<const char*>(data_), size_); }

 private:
  const uint8_t* data_;
  size_t size_;
};

[[noreturn]] inline void wrong(const std::string& what, size_t fed) {
  std::cerr << "differs from the reference after " << fed << " bytes: " << what << std::endl;
  std::abort();
}

inline void same(bool is_same, const std::string& what, size_t fed) {
  if (!is_same) wrong(what, fed);
}

// The reference fed in step with the framer; it may take one byte at a time, its answer is the
// same.
class Reference {
 public:
  Reference(const test::NaiveSpec& spec, uint64_t limit) : spec_(spec), limit_(limit) {}

  void push(const std::string& piece) {
    for (const char c : piece) {
      if (verdict_.kind != test::Verdict::Kind::kMore) return;
      rest_ += c;
      verdict_ = test::judge(spec_, rest_, limit_);
      if (verdict_.kind != test::Verdict::Kind::kFrame) continue;
      frames_.push_back({rest_, verdict_.payload});
      rest_.clear();
      verdict_ = {};
    }
  }

  void compare(const test::Feed& fed) const {
    using gaidaros::FrameStatus;
    using Kind = test::Verdict::Kind;
    same(fed.frames == frames_, "frames", fed.fed());
    same((fed.status == FrameStatus::kTooLong) == (verdict_.kind == Kind::kTooLong), "too long",
         fed.fed());
    same((fed.status == FrameStatus::kMalformed) == (verdict_.kind == Kind::kMalformed),
         "malformed", fed.fed());
    if (verdict_.kind != Kind::kMore) return;
    same(fed.rest() == rest_, "rest", fed.fed());
    same(fed.wanted == verdict_.wanted, "wanted", fed.fed());
  }

 private:
  const test::NaiveSpec& spec_;
  uint64_t limit_;
  std::string rest_;
  test::Verdict verdict_;
  std::vector<test::CutFrame> frames_;
};

// A stripped payload with prefix and suffix put back must be one frame with that payload.
inline void check_round_trip(const gaidaros::Framer& framer, const std::string& payload) {
  uint8_t prefix[gaidaros::Framer::kMaxPrefix];
  const int n = framer.prefix(static_cast<uint32_t>(payload.size()), prefix);
  if (n < 0) return;
  const auto suffix = framer.suffix();
  const std::string wire =
      std::string(prefix, prefix + n) + payload + std::string(suffix.begin(), suffix.end());
  const test::Feed fed = test::feed(framer, 0, 4, wire, {});
  same(fed.frames.size() == 1 && fed.frames[0].whole == wire, "reply", 0);
}

// The rest of the fuzzer's bytes are: limit, room, a rhythm of pieces, input.
inline int run(const gaidaros::Framer& framer, const test::NaiveSpec& spec, Choices& choices) {
  constexpr size_t kMaxInput = 600;
  const uint8_t limit = choices.byte();
  const uint32_t max_frame = limit < 128 ? limit : limit * 16u;
  const size_t room = 1 + choices.byte() % 4;
  const std::string rhythm = choices.text(4);
  const std::string input = choices.rest().substr(0, kMaxInput);
  test::Feed fed(framer, max_frame, room);
  Reference reference(spec, max_frame == 0 ? UINT32_MAX : max_frame);
  size_t from = 0;
  for (size_t i = 0; from < input.size(); i++) {
    const size_t step = 1 + static_cast<unsigned char>(rhythm[i % rhythm.size()]);
    const std::string piece = input.substr(from, step);
    from += piece.size();
    reference.push(piece);
    const bool more = fed.push(piece);
    reference.compare(fed);
    if (!more) return 0;
  }
  gaidaros::Frame last{};
  const bool is_last = spec.kind == test::NaiveSpec::Kind::kEof && !fed.rest().empty();
  same(framer.finish(test::bytes_of(fed.rest()), last) == is_last, "finish", fed.fed());
  if (!spec.strip) return 0;
  for (const test::CutFrame& frame : fed.frames) {
    // A CR that was taken along with a newline is not put back.
    if (!spec.cr || frame.whole == frame.payload + "\n") check_round_trip(framer, frame.payload);
  }
  return 0;
}

}  // namespace fuzz
