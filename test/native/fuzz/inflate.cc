// Fuzzer: the compression filter. However a stream is cut and however little room there is, it
// becomes the same; limits hold; what was deflated comes back.
// units: native/compress/*.cc
#include "../inflating.h"
#include "fuzz.h"

namespace {

constexpr uint8_t kZstd = 2;

std::unique_ptr<gaidaros::CodecPool> pool_of(uint8_t choice) {
  using gaidaros::Method;
  constexpr Method kMethods[] = {Method::zlib, Method::gzip, Method::zstd, Method::brotli};
  static_assert(kMethods[kZstd] == Method::zstd);
  gaidaros::CompressOptions options;
  options.method = kMethods[choice % 4];
  std::string error;
  return gaidaros::CodecPool::make(options, error);
}

bool is_refused_as_malformed(const test::Inflated& result) {
  return result.is_refused && result.reason == gaidaros::Reason::inflate_error;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMostPlain = 1 << 20;
  fuzz::Choices choices(data, size);
  const uint8_t method = choices.byte();
  std::unique_ptr<gaidaros::CodecPool> pool = pool_of(method);
  if (!pool) return 0;
  const bool is_plain = choices.flag();
  const size_t step = 1 + choices.byte() % 64;
  const size_t room = 1 + choices.byte() * 8u;
  const uint8_t flip = choices.byte();
  const std::string rest = choices.rest();
  std::string wire = is_plain ? test::deflate(*pool, {rest, rest}) : rest;
  if (is_plain && test::inflate(*pool, wire, step, room).plain != rest + rest)
    fuzz::wrong("what was deflated does not come back", rest.size());
  if (flip != 0 && flip <= wire.size()) wire[flip - 1] ^= 0x10;
  const gaidaros::InflateLimits limits{kMostPlain, 0};
  const test::Inflated whole =
      test::inflate(*pool, wire, std::max<size_t>(1, wire.size()), 4096, limits);
  if (whole.plain.size() > kMostPlain) fuzz::wrong("the limit does not hold", wire.size());
  if (whole.reason == gaidaros::Reason::inflate_limit) return 0;
  const test::Inflated cut = test::inflate(*pool, wire, step, room);
  // A decoder may see what is wrong before it gives all that stood in front of it.
  const bool is_malformed = is_refused_as_malformed(whole);
  if (is_malformed || is_refused_as_malformed(cut)) {
    // libzstd takes a whole frame by another way than a part of one, which looks at other things:
    // at the frame's content size before an empty last block, at a block that repeats no byte.
    if (method % 4 != kZstd)
      fuzz::same(is_malformed && cut.reason == whole.reason, "the verdict", wire.size());
    return 0;
  }
  fuzz::same(cut == whole, "what it becomes", wire.size());
  return 0;
}
