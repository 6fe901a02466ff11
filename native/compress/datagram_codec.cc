#include "datagram_codec.h"

#include <algorithm>
#include <utility>

namespace gaidaros {

namespace {

uint64_t limit_of(size_t wire, uint32_t most, const InflateLimits& limits) {
  uint64_t limit = UINT32_MAX;
  if (most > 0) limit = std::min<uint64_t>(limit, most);
  if (limits.max > 0) limit = std::min<uint64_t>(limit, limits.max);
  if (limits.ratio > 0)
    limit = std::min(limit, std::max(kRatioFrom, uint64_t{limits.ratio} * wire));
  return limit;
}

}  // namespace

bool DatagramCodec::inflate(std::span<const uint8_t> wire, uint32_t most,
                            const InflateLimits& limits, std::vector<uint8_t>& plain) {
  uint64_t limit = limit_of(wire.size(), most, limits);
  std::unique_ptr<Decoder> decoder = pool_.take_decoder();
  Progress progress = decoder ? Progress::room : Progress::broken;
  while (progress == Progress::room && plain.size() <= limit) {
    std::span<uint8_t> room = pool_.scratch();
    progress = decoder->decode(wire, room);
    std::span<uint8_t> made = pool_.scratch().first(CodecPool::kScratch - room.size());
    plain.insert(plain.end(), made.begin(), made.end());
  }
  pool_.give(std::move(decoder));
  return progress == Progress::end && wire.empty() && plain.size() <= limit;
}

bool DatagramCodec::deflate(std::span<const uint8_t> plain, std::vector<uint8_t>& wire) {
  std::unique_ptr<Encoder> encoder = pool_.take_encoder();
  bool is_done = encoder && encode_all(*encoder, plain, Encoder::Flush::finish, wire);
  pool_.give(std::move(encoder));
  return is_done;
}

}  // namespace gaidaros
