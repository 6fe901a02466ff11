// Fuzzer: framers behind filters. A PROXY header and a compressed stream in front of it give a
// framer what it would have been given without them.
// units: native/compress/*.cc native/frame/*.cc native/conn/proxy_header.cc native/net/address.cc
#include "../inflating.h"
#include "../spec.h"
#include "conn/proxy_header.h"
#include "fuzz.h"

namespace {

constexpr const char* kFramers[] = {"line",         "line,strip", "delimiter:ab", "fixed:5",
                                    "length:u16be", "varint",     "eof"};

test::Feed fed_by(const gaidaros::Framer& framer, const std::string& plain, size_t step) {
  test::Feed feed(framer, 200, 3);
  for (size_t at = 0; at < plain.size(); at += step)
    if (!feed.push(plain.substr(at, step))) break;
  return feed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  gaidaros::CompressOptions options;
  options.method = choices.flag() ? gaidaros::Method::gzip : gaidaros::Method::zlib;
  std::string error;
  std::unique_ptr<gaidaros::CodecPool> pool = gaidaros::CodecPool::make(options, error);
  if (!pool) return 0;
  const auto framer = test::framer_of(kFramers[choices.byte() % std::size(kFramers)]);
  const size_t step = 1 + choices.byte() % 32;
  const size_t room = 1 + choices.byte();
  const std::string plain = choices.rest();
  const std::string header = "PROXY TCP4 10.1.2.3 10.1.2.4 12345 443\r\n";
  const std::string wire = header + test::deflate(*pool, {plain});
  gaidaros::ProxyHeader told;
  const gaidaros::ProxyResult result =
      gaidaros::parse_proxy_header(test::bytes_of(wire), gaidaros::ProxyVersions::either, told);
  fuzz::same(result.status == gaidaros::ProxyResult::Status::done && result.used == header.size(),
             "the header", wire.size());
  const test::Inflated inflated = test::inflate(*pool, wire.substr(result.used), step, room);
  fuzz::same(!inflated.is_refused, "the stream", wire.size());
  const test::Feed behind = fed_by(*framer, inflated.plain, room);
  const test::Feed alone = fed_by(*framer, plain, std::max<size_t>(1, plain.size()));
  fuzz::same(behind.frames == alone.frames && behind.status == alone.status, "the frames",
             wire.size());
  return 0;
}
