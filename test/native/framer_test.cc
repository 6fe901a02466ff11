// Framers, beyond what the golden corpus can say.
#include "harness.h"
#include "spec.h"

namespace {

using gaidaros::FrameState;
using gaidaros::FrameStatus;

TEST_CASE("specs outside their bounds make no framer") {
  const std::string long_delimiter(256, 'x');
  CHECK(gaidaros::make_delimiter_framer({{}}) == nullptr);
  CHECK(gaidaros::make_delimiter_framer({test::bytes_of(long_delimiter)}) == nullptr);
  CHECK(gaidaros::make_fixed_framer(0) == nullptr);
  gaidaros::LengthSpec spec;
  spec.strip = true;
  spec.offset = 1;
  CHECK(gaidaros::make_length_framer(spec) == nullptr);
}

TEST_CASE("a delimiter of 255 bytes is found, and copied") {
  std::string delimiter(254, 'x');
  delimiter += 'y';
  const auto framer = gaidaros::make_delimiter_framer({test::bytes_of(delimiter), true});
  const std::string input = "xx" + delimiter + delimiter;
  delimiter.assign(255, '-');
  const test::Feed fed = test::feed(*framer, 0, 8, input, {100, 257});
  CHECK_EQ(fed.frames.size(), 2);
  CHECK_EQ(fed.frames[0].payload, "xx");
  CHECK_EQ(fed.frames[1].payload, "");
}

TEST_CASE("bytes that were searched in vain are not searched again") {
  for (const std::string text : {"line", "delimiter:ab"}) {
    const auto framer = test::framer_of(text);
    std::string data(100, 'x');
    FrameState state;
    gaidaros::Frame out[8];
    framer->cut(test::bytes_of(data), 0, out, state);
    CHECK_EQ(state.scanned, 100);
    // A framer that looked here again would now see delimiters.
    for (size_t i = 0; i + 2 <= data.size(); i += 2)
      data.replace(i, 2, text == "line" ? "\n\n" : "ab");
    const auto cut = framer->cut(test::bytes_of(data), 0, out, state);
    CHECK_EQ(cut.frames, 0);
    CHECK_EQ(cut.status, FrameStatus::kMore);
  }
}

TEST_CASE("room for no frame cuts nothing and forgets nothing") {
  const auto framer = test::framer_of("line");
  FrameState state{2, {}};
  const std::string data = "abc\n";
  const auto cut = framer->cut(test::bytes_of(data), 0, {}, state);
  CHECK_EQ(cut.frames, 0);
  CHECK_EQ(cut.consumed, 0);
  CHECK_EQ(cut.status, FrameStatus::kRoom);
  CHECK_EQ(state.scanned, 2);
}

TEST_CASE("room that is just enough is no reason to come back") {
  const auto framer = test::framer_of("line");
  FrameState state;
  gaidaros::Frame out[2];
  const std::string data = "a\nb\n";
  CHECK_EQ(framer->cut(test::bytes_of(data), 0, out, state).status, FrameStatus::kMore);
}

TEST_CASE("an adjustment outside 64 bits does not wrap around") {
  gaidaros::LengthSpec spec;
  spec.type = gaidaros::LengthType::kU8;
  spec.adjust = INT64_MAX;
  FrameState state;
  gaidaros::Frame out[1];
  uint8_t prefix[gaidaros::Framer::kMaxPrefix];
  const std::string data = "\xff";
  CHECK_EQ(gaidaros::make_length_framer(spec)->cut(test::bytes_of(data), 0, out, state).status,
           FrameStatus::kTooLong);
  spec.adjust = INT64_MIN;
  CHECK_EQ(gaidaros::make_length_framer(spec)->cut(test::bytes_of(data), 0, out, state).status,
           FrameStatus::kMalformed);
  spec.strip = true;
  CHECK_EQ(gaidaros::make_length_framer(spec)->prefix(1, prefix), -1);
  spec.adjust = INT64_MAX;
  CHECK_EQ(gaidaros::make_length_framer(spec)->prefix(1, prefix), -1);
}

TEST_CASE("prefixes of the longest replies") {
  uint8_t prefix[gaidaros::Framer::kMaxPrefix];
  CHECK_EQ(test::framer_of("varint,strip")->prefix(UINT32_MAX, prefix), 5);
  CHECK_EQ(prefix[4], 0x0f);
  CHECK_EQ(test::framer_of("length:u32be,strip")->prefix(UINT32_MAX, prefix), 4);
  CHECK_EQ(prefix[0], 0xff);
  CHECK_EQ(test::framer_of("length:u32be,inclusive,strip")->prefix(UINT32_MAX - 4, prefix), 4);
  CHECK_EQ(test::framer_of("length:u32be,inclusive,strip")->prefix(UINT32_MAX - 3, prefix), -1);
}

}  // namespace
