// What -z says: how streams and datagrams are compressed, and how far what comes may inflate.
#pragma once

#include <cstdint>
#include <string_view>

namespace gaidaros {

#define GAIDAROS_METHODS(X) \
  X(none)                   \
  X(zlib)                   \
  X(gzip)                   \
  X(zstd)                   \
  X(brotli)

enum class Method : uint8_t {
#define X(name) name,
  GAIDAROS_METHODS(X)
#undef X
};

// `none` where there is no method of that name.
constexpr Method method_of(std::string_view name) {
#define X(known) \
  if (name == #known) return Method::known;
  GAIDAROS_METHODS(X)
#undef X
  return Method::none;
}

// How far input may inflate; 0 is no limit. May change while connections are open.
struct InflateLimits {
  uint32_t max = 10 << 20;  // bytes that come of what was received at once, or of one datagram
  uint32_t ratio = 100;     // bytes of a stream by those received, after the first 64 KiB
};
constexpr uint64_t kRatioFrom = 64 * 1024;

struct CompressOptions {
  static constexpr int kUsual = -1;

  Method method = Method::none;
  int level = kUsual;
  // The binary logarithm of the window in bytes, of what is sent and at most of what comes; 0: the
  // method's usual one. deflate has no larger one than 15 either way.
  uint32_t window = 0;
  uint32_t inflate_window = 0;
  uint32_t memory = 0;  // zlib, gzip: memLevel; 0: the usual one
};

}  // namespace gaidaros
