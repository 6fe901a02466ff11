// Encoders and decoders of a loop that wait for their next stream: making one costs more than to
// compress a short reply. Belongs to the loop, and outlives its connections.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codec.h"

namespace gaidaros {

class CodecPool {
 public:
  // Null with `error` in words where the method cannot be had.
  static std::unique_ptr<CodecPool> make(const CompressOptions& options, std::string& error);

  const Codec& codec() const { return *codec_; }
  // Of a fresh stream; null for want of memory.
  std::unique_ptr<Encoder> take_encoder();
  std::unique_ptr<Decoder> take_decoder();
  void give(std::unique_ptr<Encoder> encoder);
  void give(std::unique_ptr<Decoder> decoder);
  // Where output goes before it is known how much it is.
  std::span<uint8_t> scratch() { return {scratch_.get(), kScratch}; }

  static constexpr size_t kScratch = 64 * 1024;

 private:
  explicit CodecPool(std::unique_ptr<Codec> codec)
      : codec_(std::move(codec)), scratch_(new uint8_t[kScratch]) {}

  std::unique_ptr<Codec> codec_;
  std::unique_ptr<uint8_t[]> scratch_;
  std::vector<std::unique_ptr<Encoder>> encoders_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

}  // namespace gaidaros
