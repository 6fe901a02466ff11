// Requests of HTTP/1.1 and HTTP/1.0 (RFC 9112), each a frame: request line, fields, and the body as
// it stands on the wire. Each line is read once, in its order, so the outcome is the same wherever
// the chunks of a stream end.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "framer.h"
#include "http_line.h"

namespace gaidaros {
namespace {

using http::Facts;

enum Phase : uint8_t { kStart, kFields, kBody, kChunkLine, kChunkData, kTrailers };

constexpr uint32_t kAroundChunk = 4;  // the CRLF of its line, and that behind its data
// What chunks may put around a body: as much as the body may be, and this.
constexpr uint32_t kChunkAllowance = 64 * 1024;
constexpr uint64_t kMostInChunk = uint64_t{1} << 31;

enum class Step : uint8_t { more, again, whole, refused };

// One unfinished request: what is at hand of it, and what was known before.
class Request {
 public:
  Request(const uint8_t* data, uint32_t size, FrameState& state, const HttpLimits& limits)
      : data_(data), size_(size), state_(state), known_(state.http), limits_(limits) {}

  Step go() {
    Step step;
    do step = once();
    while (step == Step::again);
    return step;
  }

  uint32_t total() const { return total_; }
  uint16_t refusal() const { return refusal_; }

  uint32_t flags() const {
    const Facts& facts = known_.facts;
    const bool keeps = facts.has(http::kIsOld) ? facts.has(http::kAsksKeep) : true;
    uint32_t flags = 0;
    if (facts.has(http::kAsksClose) || !keeps) flags |= kFrameLast;
    if (facts.has(http::kIsHead)) flags |= kFrameHead;
    if (facts.has(http::kIsOld)) flags |= kFrameOld;
    return flags;
  }

  // The client waits for leave to send the body. Said once.
  bool expects() {
    Facts& facts = known_.facts;
    if (known_.phase <= kFields || !facts.has(http::kExpects) || facts.has(http::kToldToGo))
      return false;
    facts.known |= http::kToldToGo;
    return true;
  }

 private:
  Step once() {
    switch (known_.phase) {
      case kStart:
        return start();
      case kFields:
        return fields();
      case kBody:
        return body();
      case kChunkLine:
        return chunk_line();
      case kChunkData:
        return chunk_data();
      default:
        return trailers();
    }
  }

  Step refuse(uint16_t status) {
    refusal_ = status;
    return Step::refused;
  }

  // Finds the next line, of at most `most` bytes without its CRLF (0: any number). Step::again: it
  // is line_.
  Step find_line(bool limited, uint32_t most, uint16_t too_long) {
    const uint32_t from = known_.line;
    const uint32_t scanned = std::max(state_.scanned, from);
    const void* found =
        scanned < size_ ? std::memchr(data_ + scanned, '\n', size_ - scanned) : nullptr;
    const uint32_t end = found == nullptr
                             ? size_
                             : static_cast<uint32_t>(static_cast<const uint8_t*>(found) - data_);
    // With its CR.
    if (limited && end - from > uint64_t{most} + 1) return refuse(too_long);
    state_.scanned = end;
    if (found == nullptr) return Step::more;
    if (end == from || data_[end - 1] != '\r') return refuse(400);
    line_ = {reinterpret_cast<const char*>(data_) + from, end - 1 - from};
    known_.line = state_.scanned = end + 1;
    return Step::again;
  }

  // CRLFs in front of a request are skipped.
  Step skip_empty_lines() {
    for (;;) {
      if (known_.line == size_) return Step::more;
      if (data_[known_.line] != '\r') return Step::again;
      if (known_.line + 1 == size_) return Step::more;
      if (data_[known_.line + 1] != '\n') return refuse(400);
      known_.line += 2;
      known_.skipped = known_.line;
      if (limits_.max_line > 0 && known_.skipped > limits_.max_line) return refuse(414);
    }
  }

  Step start() {
    if (state_.scanned <= known_.line) {
      const Step skipped = skip_empty_lines();
      if (skipped != Step::again) return skipped;
      if (!http::is_token_char(data_[known_.line])) return refuse(400);
    }
    const uint32_t most = limits_.max_line - std::min(known_.skipped, limits_.max_line);
    const Step step = find_line(limits_.max_line > 0, most, 414);
    if (step != Step::again) return step;
    known_.phase = kFields;
    const uint16_t status = http::read_request_line(line_, known_.facts);
    return status == 0 ? Step::again : refuse(status);
  }

  // The next line of a section of fields, counted. Step::whole: it is the empty one.
  Step find_field() {
    constexpr uint32_t kCrlf = 2;
    const uint32_t used = known_.section + kCrlf;
    const uint32_t most = limits_.max_headers > used ? limits_.max_headers - used : 0;
    const Step step = find_line(limits_.max_headers > 0, most, 431);
    if (step != Step::again) return step;
    if (line_.empty()) return Step::whole;
    known_.section += static_cast<uint32_t>(line_.size()) + kCrlf;
    known_.fields++;
    const uint32_t most_fields = limits_.max_header_count;
    return most_fields > 0 && known_.fields > most_fields ? refuse(431) : Step::again;
  }

  Step fields() {
    const Step step = find_field();
    if (step == Step::whole) return end_head();
    if (step != Step::again) return step;
    const uint16_t status = http::read_field(line_, known_.facts);
    return status == 0 ? Step::again : refuse(status);
  }

  Step end_head() {
    const Facts& facts = known_.facts;
    if (!facts.has(http::kIsOld | http::kHasHost)) return refuse(400);
    if (facts.has(http::kIsChunked)) {
      known_.phase = kChunkLine;
      known_.section = 0;
      return Step::again;
    }
    if (is_too_much(facts.length) || facts.length > UINT32_MAX - known_.line) return refuse(413);
    known_.phase = kBody;
    return Step::again;
  }

  Step body() {
    total_ = known_.line + known_.facts.length;
    return size_ < total_ ? Step::more : Step::whole;
  }

  bool is_too_much(uint64_t body) const {
    return limits_.max_body > 0 ? body > limits_.max_body : body >= UINT32_MAX;
  }

  // All of it is kept until the request is whole: a body of chunks of a byte, each with an
  // extension, would be hundreds of times what is allowed.
  bool is_mostly_chunks() const {
    return limits_.max_body > 0 && known_.section > uint64_t{limits_.max_body} + kChunkAllowance;
  }

  Step chunk_line() {
    const bool limited = limits_.max_chunk_extension > 0;
    const uint64_t most = uint64_t{http::kChunkDigits} + limits_.max_chunk_extension;
    const Step step =
        find_line(limited, static_cast<uint32_t>(std::min<uint64_t>(most, UINT32_MAX)), 400);
    if (step != Step::again) return step;
    const http::ChunkLine chunk = http::read_chunk_line(line_, limits_.max_chunk_extension);
    if (chunk.refusal != 0) return refuse(chunk.refusal);
    if (chunk.size == 0) {
      known_.phase = kTrailers;
      known_.section = 0;
      return Step::again;
    }
    // The sum stands where a Content-Length would.
    const uint64_t body = known_.facts.length + std::min(chunk.size, kMostInChunk + 1);
    known_.section += static_cast<uint32_t>(line_.size()) + kAroundChunk;
    if (chunk.size > kMostInChunk || is_too_much(body) || is_mostly_chunks() ||
        known_.line + chunk.size > UINT32_MAX - 2)
      return refuse(413);
    known_.facts.length = static_cast<uint32_t>(body);
    known_.line += static_cast<uint32_t>(chunk.size);
    known_.phase = kChunkData;
    return Step::again;
  }

  // known_.line is where the data ends.
  Step chunk_data() {
    if (size_ <= known_.line) return Step::more;
    if (data_[known_.line] != '\r') return refuse(400);
    if (size_ - known_.line == 1) return Step::more;
    if (data_[known_.line + 1] != '\n') return refuse(400);
    known_.line += 2;
    known_.phase = kChunkLine;
    return Step::again;
  }

  Step trailers() {
    const Step step = find_field();
    if (step == Step::whole) total_ = known_.line;
    if (step != Step::again) return step;
    const uint16_t status = http::read_trailer(line_);
    return status == 0 ? Step::again : refuse(status);
  }

  const uint8_t* data_;
  uint32_t size_;
  FrameState& state_;
  HttpProgress& known_;
  const HttpLimits& limits_;
  std::string_view line_;
  uint32_t total_ = 0;
  uint16_t refusal_ = 0;
};

std::string_view phrase_of(uint16_t status) {
  switch (status) {
    case 408:
      return "408 Request Timeout";
    case 413:
      return "413 Content Too Large";
    case 414:
      return "414 URI Too Long";
    case 417:
      return "417 Expectation Failed";
    case 431:
      return "431 Request Header Fields Too Large";
    case 501:
      return "501 Not Implemented";
    case 505:
      return "505 HTTP Version Not Supported";
    default:
      return "400 Bad Request";
  }
}

// RFC 9110, 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT
std::string date_of(int64_t unix_seconds) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto seconds = static_cast<time_t>(unix_seconds);
  tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  return text.data();
}

class HttpFramer final : public Framer {
 public:
  Cut cut(std::span<const uint8_t> data, uint32_t /*max_frame*/, std::span<Frame> out,
          FrameState& state) const override {
    const uint32_t size = static_cast<uint32_t>(std::min<size_t>(data.size(), UINT32_MAX));
    Cut cut{0, 0, FrameStatus::kMore, 0};
    while (cut.consumed < size) {
      if (cut.frames == out.size()) {
        cut.status = FrameStatus::kRoom;
        return cut;
      }
      Request request(data.data() + cut.consumed, size - cut.consumed, state, limits_);
      const Step step = request.go();
      if (step == Step::refused) {
        cut.refusal = request.refusal();
        cut.status = is_about_size(cut.refusal) ? FrameStatus::kTooLong : FrameStatus::kMalformed;
        return cut;
      }
      if (step == Step::more) {
        cut.wanted = request.total();
        cut.expects = request.expects();
        return cut;
      }
      const uint32_t flags = request.flags();
      out[cut.frames++] = Frame{cut.consumed, request.total(), state.http.skipped, 0, flags};
      cut.consumed += request.total();
      state = {};
      cut.last = (flags & kFrameLast) != 0;
      if (cut.last) return cut;
    }
    return cut;
  }

  void limit(const HttpLimits& limits) override { limits_ = limits; }

  std::string refusal(uint16_t status, int64_t unix_seconds) const override {
    const std::string phrase(phrase_of(status));
    return "HTTP/1.1 " + phrase + "\r\nDate: " + date_of(unix_seconds) +
           "\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: " +
           std::to_string(phrase.size() + 1) + "\r\n\r\n" + phrase + "\n";
  }

 private:
  static bool is_about_size(uint16_t status) {
    return status == 413 || status == 414 || status == 431;
  }

  HttpLimits limits_;
};

}  // namespace

std::unique_ptr<Framer> make_http_framer() { return std::make_unique<HttpFramer>(); }

}  // namespace gaidaros
