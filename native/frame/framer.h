// Framers cut whole requests off the accumulated input of a stream. One immutable Framer serves all
// connections of a listener; what it must remember of one connection is a FrameState inside that
// connection. Pure computation: no system call, no allocation, callable from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "http_line.h"

namespace gaidaros {

// A whole frame inside the data given to cut(). The payload, which the handler sees, is
// [offset + head, offset + length - tail); head and tail are 0 unless the framer strips.
struct Frame {
  uint32_t offset;
  uint32_t length;
  uint32_t head;
  uint32_t tail;
  uint32_t flags = 0;
};

// Flags of a frame that is an HTTP request; they are the record's (loop/layout.h).
constexpr uint32_t kFrameLast = 0x1000;  // the connection's last: close behind its reply
constexpr uint32_t kFrameHead = 0x2000;  // HEAD: the reply has no body
constexpr uint32_t kFrameOld = 0x4000;   // HTTP/1.0
constexpr uint32_t kFrameFlags = kFrameLast | kFrameHead | kFrameOld;

// What one HTTP/1 request may be; bytes, 0 is off. They hold in place of max_frame.
struct HttpLimits {
  uint32_t max_line = 0;
  uint32_t max_headers = 0;
  uint32_t max_header_count = 0;
  uint32_t max_body = 0;
  uint32_t max_chunk_extension = 0;
};

// What is known of an unfinished HTTP request. Places are relative to its first byte.
struct HttpProgress {
  uint32_t line = 0;     // where the next line begins, or the data of the chunk ends
  uint32_t skipped = 0;  // empty lines in front of the request
  uint32_t section = 0;  // bytes of the head's fields, around the chunks so far, of the trailers
  uint32_t fields = 0;
  http::Facts facts;
  uint8_t phase = 0;
};

// Position up to which the bytes at hand were already searched in vain, so that no byte is looked
// at twice. Relative to the first byte of the unfinished frame; 0 after a whole frame was cut.
struct FrameState {
  uint32_t scanned = 0;
  HttpProgress http;
};

enum class FrameStatus : uint8_t {
  kMore,       // the rest is an unfinished frame (or nothing)
  kRoom,       // `room` frames were cut; there may be more
  kTooLong,    // the next frame is longer than max_frame
  kMalformed,  // the next bytes cannot be a frame
};

struct Cut {
  uint32_t frames;    // written to `out`
  uint32_t consumed;  // bytes of those frames, from data[0]
  FrameStatus status;
  uint32_t wanted;  // kMore: whole length of the unfinished frame where it is known already, else 0
  uint16_t refusal = 0;  // HTTP, kTooLong and kMalformed: the status to answer with
  bool expects = false;  // HTTP, kMore: the client waits for 100 Continue; said once a request
  bool last = false;     // HTTP: the last frame is the connection's last, nothing behind it counts
};

class Framer {
 public:
  virtual ~Framer() = default;

  // Cuts up to `room` whole frames off the front of `data`. `state` describes data[0] on entry and
  // data[consumed] on return. A frame may be at most `max_frame` bytes as it stands on the wire
  // (0: no limit); a longer one is reported as soon as that is certain, without waiting for its
  // end.
  virtual Cut cut(std::span<const uint8_t> data, uint32_t max_frame, std::span<Frame> out,
                  FrameState& state) const = 0;

  // End of input with `data` left over: true when that is one last frame (framer eof, if not
  // empty).
  virtual bool finish(std::span<const uint8_t> data, Frame& out) const;

  // strip: what is put before and after a reply of `length` bytes. prefix() writes at most
  // kMaxPrefix bytes and returns how many, or -1 where the length does not fit the field.
  static constexpr uint32_t kMaxPrefix = 10;
  virtual int prefix(uint32_t length, uint8_t* out) const;
  virtual std::span<const uint8_t> suffix() const;
  virtual bool strips() const { return false; }

  // HTTP: what is allowed from now on, and what a request that cannot be is answered with; empty
  // for other framers.
  virtual void limit(const HttpLimits& limits);
  virtual std::string refusal(uint16_t status, int64_t unix_seconds) const;
};

struct DelimiterSpec {
  std::span<const uint8_t> delimiter;  // 1 to 255 bytes; copied
  bool strip = false;
  bool cr = false;  // strip: one CR before the delimiter goes too
};

enum class LengthType : uint8_t { kU8, kU16be, kU16le, kU32be, kU32le };

struct LengthSpec {
  LengthType type = LengthType::kU32be;
  uint32_t offset = 0;     // bytes before the field
  int64_t adjust = 0;      // added to the value of the field
  bool inclusive = false;  // the field counts the whole frame
  bool strip = false;  // payload without what stands up to the field's end; replies get the field
                       // (offset must be 0)
};

// nullptr where a spec breaks its bounds: an empty or overlong delimiter, size 0, strip with an
// offset. The options check these first and say what is wrong.
std::unique_ptr<Framer> make_delimiter_framer(const DelimiterSpec& spec);
std::unique_ptr<Framer> make_length_framer(const LengthSpec& spec);
std::unique_ptr<Framer> make_varint_framer(
    bool strip);  // unsigned LEB128, at most 5 bytes, shortest form
std::unique_ptr<Framer> make_fixed_framer(uint32_t size);
std::unique_ptr<Framer> make_eof_framer();
std::unique_ptr<Framer> make_http_framer();

}  // namespace gaidaros
