#include "codec.h"

#include <algorithm>

namespace gaidaros {

namespace {

constexpr size_t kLeast = 256;       // room for headers, trailers and marks of a short reply
constexpr size_t kMost = 64 * 1024;  // a step; a long reply becomes shorter than itself

}  // namespace

std::unique_ptr<Codec> make_codec(const CompressOptions& options, std::string& error) {
  switch (options.method) {
    case Method::zlib:
    case Method::gzip:
      return make_zlib_codec(options, error);
    case Method::zstd:
      return make_zstd_codec(options, error);
    case Method::brotli:
      return make_brotli_codec(options, error);
    case Method::none:
      break;
  }
  error = "no method of compression";
  return nullptr;
}

std::string codec_refusal(Method method) {
  CompressOptions options;
  options.method = method;
  std::string error;
  make_codec(options, error);
  return error;
}

bool encode_all(Encoder& encoder, std::span<const uint8_t> input, Encoder::Flush flush,
                std::vector<uint8_t>& output) {
  size_t used = output.size();
  for (Progress progress = Progress::room; progress == Progress::room;) {
    size_t step = std::clamp(input.size() + kLeast, kLeast, kMost);
    output.resize(used + step);
    std::span<uint8_t> room(output.data() + used, step);
    progress = encoder.encode(input, room, flush);
    used = output.size() - room.size();
    if (progress == Progress::broken) return false;
  }
  output.resize(used);
  return true;
}

}  // namespace gaidaros
