// Compression of datagrams: each is a stream by itself, that nothing follows.
#pragma once

#include "codec_pool.h"

namespace gaidaros {

class DatagramCodec {
 public:
  explicit DatagramCodec(CodecPool& pool) : pool_(pool) {}

  // Appends what `wire` inflates to. False: it is no such stream, or becomes more than `most` bytes
  // (0: no limit of its own) or than `limits` allow.
  [[nodiscard]] bool inflate(std::span<const uint8_t> wire, uint32_t most,
                             const InflateLimits& limits, std::vector<uint8_t>& plain);
  // Appends what `plain` becomes. False: no memory.
  [[nodiscard]] bool deflate(std::span<const uint8_t> plain, std::vector<uint8_t>& wire);

 private:
  CodecPool& pool_;
};

}  // namespace gaidaros
