// A compression filter fed by hand, and streams to feed it with.
#pragma once

#include <algorithm>
#include <string>

#include "compress/compress_filter.h"
#include "decoding.h"
#include "feed.h"

namespace test {

// What a stream has become, and how that ended.
struct Inflated {
  std::string plain;
  bool is_refused = false;
  gaidaros::Reason reason = gaidaros::Reason::end;
  bool operator==(const Inflated&) const = default;
};

// Feeds `wire` by pieces of `step` bytes into rooms of `room` bytes, and then the end of input.
inline Inflated inflate(gaidaros::CodecPool& pool, const std::string& wire, size_t step,
                        size_t room, gaidaros::InflateLimits limits = {0, 0}) {
  using Status = gaidaros::Filter::Status;
  gaidaros::Counters counters;
  gaidaros::CompressFilter filter(pool, limits, counters);
  Taken taken;
  decode_all(filter, wire, step, room, taken);
  Inflated result{taken.plain, taken.status == Status::kRefused};
  std::vector<uint8_t> last;
  if (!result.is_refused) result.is_refused = filter.finish(last) == Status::kError;
  if (result.is_refused) result.reason = filter.reason();
  return result;
}

// What the filter sends for these replies, each of a turn by itself, and at its end.
inline std::string deflate(gaidaros::CodecPool& pool, const std::vector<std::string>& replies) {
  gaidaros::Counters counters;
  gaidaros::InflateLimits limits;
  gaidaros::CompressFilter filter(pool, limits, counters);
  std::vector<uint8_t> output;
  for (const std::string& reply : replies) (void)filter.encode(bytes_of(reply), true, output);
  filter.end(output);
  return {output.begin(), output.end()};
}

}  // namespace test
