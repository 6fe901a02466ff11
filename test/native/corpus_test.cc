// The golden corpus test/fixtures/frames (its README says how a file reads): each input whole, byte
// by byte, cut at every offset, and when short at every two offsets, with several rooms.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "harness.h"
#include "spec.h"

namespace {

using gaidaros::FrameStatus;
using test::CutFrame;

constexpr size_t kPairs = 48;  // longest input that is cut at every pair of offsets
constexpr size_t kEveryOffset =
    700;  // longest that is cut at every offset; longer ones near their ends

struct Golden {
  std::string framer;
  uint32_t max_frame = 0;
  std::string input;
  std::vector<CutFrame> frames;
  FrameStatus end = FrameStatus::kMore;
  uint32_t wanted = 0;
  uint16_t refusal = 0;
  bool expects = false;
  gaidaros::HttpLimits limits;
  std::optional<size_t> at;
  std::string left;
  std::optional<std::string> last;
  std::vector<std::pair<std::string, std::optional<std::string>>> replies;
};

FrameStatus status_of(const std::string& name) {
  if (name == "more") return FrameStatus::kMore;
  if (name == "too_long") return FrameStatus::kTooLong;
  if (name == "malformed") return FrameStatus::kMalformed;
  throw std::runtime_error("unknown end: " + name);
}

uint32_t flags_of(const std::string& names) {
  uint32_t flags = 0;
  std::istringstream words(names);
  for (std::string name; words >> name;) {
    if (name == "last") {
      flags |= gaidaros::kFrameLast;
    } else if (name == "head") {
      flags |= gaidaros::kFrameHead;
    } else if (name == "old") {
      flags |= gaidaros::kFrameOld;
    } else {
      throw std::runtime_error("unknown flag " + name);
    }
  }
  return flags;
}

uint32_t& limit_of(gaidaros::HttpLimits& limits, const std::string& name) {
  if (name == "max_line") return limits.max_line;
  if (name == "max_headers") return limits.max_headers;
  if (name == "max_header_count") return limits.max_header_count;
  if (name == "max_body") return limits.max_body;
  if (name == "max_chunk_extension") return limits.max_chunk_extension;
  throw std::runtime_error("unknown limit " + name);
}

void set(Golden& g, const std::string& key, const std::string& value) {
  if (key == "framer") {
    g.framer = value;
  } else if (key == "max") {
    g.max_frame = std::stoul(value);
  } else if (key == "input") {
    g.input += test::unescape(value);
  } else if (key == "frame") {
    g.frames.push_back({test::unescape(value), test::unescape(value), 0});
  } else if (key == "payload") {
    g.frames.back().payload = test::unescape(value);
  } else if (key == "flags") {
    g.frames.back().flags = flags_of(value);
  } else if (key == "refusal") {
    g.refusal = static_cast<uint16_t>(std::stoul(value));
  } else if (key == "expects") {
    g.expects = value == "yes";
  } else if (key == "limit") {
    const size_t equals = value.find('=');
    limit_of(g.limits, value.substr(0, equals)) = std::stoul(value.substr(equals + 1));
  } else if (key == "end") {
    g.end = status_of(value);
  } else if (key == "wanted") {
    g.wanted = std::stoul(value);
  } else if (key == "at") {
    g.at = std::stoul(value);
  } else if (key == "left") {
    g.left = test::unescape(value);
  } else if (key == "last") {
    g.last = test::unescape(value);
  } else if (key == "reply") {
    g.replies.push_back({test::unescape(value), std::nullopt});
  } else if (key == "wire") {
    g.replies.back().second = test::unescape(value);
  } else {
    throw std::runtime_error("unknown key " + key);
  }
}

Golden read_golden(const std::filesystem::path& path) {
  std::ifstream file(path);
  Golden g;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t colon = line.find(':');
    const size_t from = line.find(' ', colon);
    set(g, line.substr(0, colon), from == std::string::npos ? "" : line.substr(from + 1));
  }
  return g;
}

void check_fed(const Golden& g, const gaidaros::Framer& framer, const test::Feed& fed) {
  CHECK_EQ(fed.frames.size(), g.frames.size());
  for (size_t i = 0; i < g.frames.size(); i++) {
    CHECK_EQ(fed.frames[i].whole, g.frames[i].whole);
    CHECK_EQ(fed.frames[i].payload, g.frames[i].payload);
    CHECK_EQ(fed.frames[i].flags, g.frames[i].flags);
  }
  CHECK_EQ(fed.status, g.end);
  CHECK_EQ(fed.refusal, g.refusal);
  // A refusal may have come before all was fed: the rest is then a beginning of what is left.
  CHECK(g.left.starts_with(fed.rest()));
  if (g.end != FrameStatus::kMore) return;
  CHECK_EQ(fed.rest(), g.left);
  CHECK_EQ(fed.wanted, g.wanted);
  CHECK_EQ(fed.expects, g.expects);
  gaidaros::Frame last{};
  CHECK_EQ(framer.finish(test::bytes_of(fed.rest()), last), g.last.has_value());
  if (g.last) CHECK_EQ(fed.rest().substr(last.offset, last.length), *g.last);
}

void check_byte_by_byte(const Golden& g, const gaidaros::Framer& framer, size_t room) {
  test::Feed fed(framer, g.max_frame, room);
  for (size_t i = 0; i < g.input.size() && fed.push(g.input.substr(i, 1)); i++) {
  }
  check_fed(g, framer, fed);
  if (g.at) CHECK_EQ(fed.fed(), *g.at);
}

bool is_near_frame_end(const Golden& g, size_t offset) {
  constexpr size_t kNear = 6;
  size_t end = 0;
  for (size_t i = 0; i <= g.frames.size(); i++) {
    if (offset + kNear > end && offset < end + kNear) return true;
    if (i < g.frames.size()) end += g.frames[i].whole.size();
  }
  return offset + kNear > g.input.size();
}

void check_cuts(const Golden& g, const gaidaros::Framer& framer, size_t room) {
  const auto& in = g.input;
  check_fed(g, framer, test::feed(framer, g.max_frame, room, in, {}));
  for (size_t a = 0; a <= in.size(); a++) {
    if (in.size() > kEveryOffset && !is_near_frame_end(g, a)) continue;
    check_fed(g, framer, test::feed(framer, g.max_frame, room, in, {a}));
    for (size_t b = a; in.size() <= kPairs && b <= in.size(); b++) {
      check_fed(g, framer, test::feed(framer, g.max_frame, room, in, {a, b}));
    }
  }
  if (in.size() <= kEveryOffset) check_byte_by_byte(g, framer, room);
}

void check_reply(const gaidaros::Framer& framer, const std::string& reply,
                 const std::optional<std::string>& wire) {
  uint8_t prefix[gaidaros::Framer::kMaxPrefix];
  const int n = framer.prefix(static_cast<uint32_t>(reply.size()), prefix);
  CHECK_EQ(n >= 0, wire.has_value());
  if (!wire) return;
  const auto suffix = framer.suffix();
  CHECK_EQ(std::string(prefix, prefix + n) + reply + std::string(suffix.begin(), suffix.end()),
           *wire);
}

void check_golden(const std::filesystem::path& path) {
  const Golden g = read_golden(path);
  const auto framer = test::framer_of(g.framer);
  CHECK(framer != nullptr);
  framer->limit(g.limits);
  std::string all;
  for (const CutFrame& f : g.frames) all += f.whole;
  CHECK_EQ(all + g.left, g.input);
  CHECK_EQ(framer->strips(), g.framer.ends_with(",strip"));
  for (const size_t room : {1, 2, 64}) check_cuts(g, *framer, room);
  for (const auto& [reply, wire] : g.replies) check_reply(*framer, reply, wire);
}

const bool kRegistered = [] {
  const std::filesystem::path root = "test/fixtures/frames";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".frames") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    test::Register("corpus " + std::filesystem::relative(path, root).string(),
                   [path] { check_golden(path); });
  }
  return !files.empty();
}();

TEST_CASE("the corpus of frames was found") { CHECK(kRegistered); }

}  // namespace
