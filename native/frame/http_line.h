// Lines of an HTTP/1 message, one at a time: what the request line, a field or a chunk's line says
// (RFC 9110, 9112), and the status that refuses it. Strict: what could be read in two ways is
// refused, so that nobody in front of us can have read it in the other.
#pragma once

#include <cstdint>
#include <string_view>

namespace gaidaros::http {

// What the lines of one request have said so far.
enum Fact : uint16_t {
  kHasLength = 1,  // Content-Length
  kIsChunked = 2,  // Transfer-Encoding: chunked
  kHasHost = 4,
  kAsksClose = 8,  // Connection: close
  kAsksKeep = 16,  // Connection: keep-alive
  kExpects = 32,   // Expect: 100-continue
  kToldToGo = 64,  // the wish for 100 Continue was passed on
  kIsOld = 128,    // HTTP/1.0
  kIsHead = 256,   // method HEAD
};

struct Facts {
  uint16_t known = 0;
  uint32_t length = 0;  // Content-Length; UINT32_MAX: that or more

  bool has(uint16_t fact) const { return (known & fact) != 0; }
};

// May stand in a token, so in a method and in a field's name.
bool is_token_char(uint8_t byte);

// Each takes a line without its CRLF; 0, or the status to refuse the request with.
uint16_t read_request_line(std::string_view line, Facts& facts);
uint16_t read_field(std::string_view line, Facts& facts);
uint16_t read_trailer(std::string_view line);

struct ChunkLine {
  uint16_t refusal = 0;
  uint64_t size = 0;
};
// `max_extension`: bytes from the semicolon on; 0: any number.
ChunkLine read_chunk_line(std::string_view line, uint32_t max_extension);
inline constexpr uint32_t kChunkDigits = 16;

}  // namespace gaidaros::http
