// Fuzzer: HTTP requests. However the input is cut, the same requests come out, with the same flags
// and the same refusal; what comes out has the parts that a request must have.
// units: native/frame/*.cc
#include "fuzz.h"

namespace {

struct Outcome {
  std::vector<std::string> requests;
  std::vector<uint32_t> flags;
  uint16_t refusal = 0;
  bool last = false;
  bool operator==(const Outcome&) const = default;
};

// Takes input in pieces, each in memory of its exact size.
class Taking {
 public:
  Taking(const gaidaros::Framer& framer, size_t room) : framer_(framer), out_(room) {}

  // False: nothing behind it is looked at.
  bool push(const std::string& piece) {
    rest_ += piece;
    gaidaros::Cut cut{};
    do {
      const std::vector<uint8_t> exact(rest_.begin(), rest_.end());
      cut = framer_.cut(exact, 0, out_, state_);
      for (uint32_t i = 0; i < cut.frames; i++) take(out_[i]);
      rest_.erase(0, cut.consumed);
    } while (cut.status == gaidaros::FrameStatus::kRoom);
    outcome.refusal = cut.refusal;
    outcome.last = cut.last;
    const bool goes_on = cut.status == gaidaros::FrameStatus::kMore;
    fuzz::same(goes_on == (cut.refusal == 0), "a refusal has a status", 0);
    return goes_on && !cut.last;
  }

  Outcome outcome;

 private:
  void take(const gaidaros::Frame& frame) {
    const std::string request = rest_.substr(frame.offset + frame.head, frame.length - frame.head);
    const size_t line = request.find("\r\n");
    fuzz::same(line != std::string::npos && request.find("\r\n\r\n") != std::string::npos, "a head",
               0);
    fuzz::same(request.substr(line - 9, 8) == " HTTP/1.", "a version", 0);
    fuzz::same(request.substr(0, line).find_first_of("\r\n") == std::string::npos, "one line", 0);
    outcome.requests.push_back(request);
    outcome.flags.push_back(frame.flags);
  }

  const gaidaros::Framer& framer_;
  std::vector<gaidaros::Frame> out_;
  gaidaros::FrameState state_;
  std::string rest_;
};

// Pieces of the lengths in `rhythm`, over and over.
Outcome taken(const gaidaros::Framer& framer, size_t room, const std::string& input,
              const std::string& rhythm) {
  Taking taking(framer, room);
  size_t from = 0;
  for (size_t i = 0; from < input.size(); i++) {
    const size_t step = 1 + static_cast<unsigned char>(rhythm[i % rhythm.size()]);
    if (!taking.push(input.substr(from, step))) break;
    from += step;
  }
  return taking.outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  auto framer = gaidaros::make_http_framer();
  gaidaros::HttpLimits limits;
  limits.max_line = choices.byte();
  limits.max_headers = choices.byte();
  limits.max_header_count = choices.byte();
  limits.max_body = choices.byte();
  limits.max_chunk_extension = choices.byte();
  framer->limit(limits);
  const size_t room = 1 + choices.byte() % 4;
  const std::string rhythm = choices.text(3);
  const std::string input = choices.rest();
  const Outcome whole = taken(*framer, 64, input, std::string(1, '\xff'));
  fuzz::same(taken(*framer, room, input, rhythm) == whole, "in pieces", input.size());
  fuzz::same(taken(*framer, 64, input, std::string(1, '\0')) == whole, "byte by byte",
             input.size());
  return 0;
}
