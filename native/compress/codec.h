// A method of compression as the filters use it: encoders and decoders that work from span to span.
// Used on one thread each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "method.h"

namespace gaidaros {

enum class Progress : uint8_t {
  more,    // all input is used, and all that came of it is in the output
  room,    // the output is full: there may be more
  end,     // the stream is over; input behind it is left
  broken,  // this is no such stream, or there is no memory
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Takes input and fills output; both are then what is left of them.
  virtual Progress decode(std::span<const uint8_t>& input, std::span<uint8_t>& output) = 0;
  // Makes it one of a fresh stream. False: it cannot be used again.
  virtual bool reset() = 0;
};

class Encoder {
 public:
  enum class Flush : uint8_t {
    turn,    // the peer's decoder can make all of the input out of the output
    finish,  // and the stream is over
  };

  virtual ~Encoder() = default;
  // As Decoder::decode(). `more` or `end`: what `flush` asks for is done.
  virtual Progress encode(std::span<const uint8_t>& input, std::span<uint8_t>& output,
                          Flush flush) = 0;
  virtual bool reset() = 0;
};

class Codec {
 public:
  virtual ~Codec() = default;
  // Null for want of memory.
  virtual std::unique_ptr<Encoder> encoder() const = 0;
  virtual std::unique_ptr<Decoder> decoder() const = 0;
  // Whether a further stream may stand behind one, and begin with this byte.
  virtual bool joins(uint8_t first) const = 0;
  // Whether zeros may stand behind the last one, to no purpose.
  virtual bool pads() const { return false; }
};

// Null with `error` in words where the library cannot be had.
std::unique_ptr<Codec> make_codec(const CompressOptions& options, std::string& error);
// Why that cannot be done; empty where nothing stands in the way.
std::string codec_refusal(Method method);
std::unique_ptr<Codec> make_zlib_codec(const CompressOptions& options, std::string& error);
std::unique_ptr<Codec> make_zstd_codec(const CompressOptions& options, std::string& error);
std::unique_ptr<Codec> make_brotli_codec(const CompressOptions& options, std::string& error);

// Appends what all of `input` becomes. False: no memory.
[[nodiscard]] bool encode_all(Encoder& encoder, std::span<const uint8_t> input,
                              Encoder::Flush flush, std::vector<uint8_t>& output);

}  // namespace gaidaros
