// Every place of one byte. Frames that are found one after another wait for each other's position;
// a mask of 64 places at once does not, which makes short lines several times cheaper than a memchr
// each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gaidaros {

#ifdef __SSE2__
inline constexpr size_t kMaskBytes = 64;

// Bit i is set where data[i] is the byte, for 64 bytes.
inline uint64_t byte_mask(const uint8_t* data, uint8_t byte) {
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(byte));
  uint64_t mask = 0;
  for (size_t at = 0; at < kMaskBytes; at += sizeof(__m128i)) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + at));
    const int hits = _mm_movemask_epi8(_mm_cmpeq_epi8(here, wanted));
    mask |= static_cast<uint64_t>(static_cast<uint32_t>(hits)) << at;
  }
  return mask;
}
#endif

// Calls `hit(at)` for each `byte` in data[from .. size), in order, until it returns false.
template <class Hit>
void each_byte(const uint8_t* data, size_t from, size_t size, uint8_t byte, Hit hit) {
#ifdef __SSE2__
  for (; from < size && size - from >= kMaskBytes; from += kMaskBytes) {
    for (uint64_t mask = byte_mask(data + from, byte); mask != 0; mask &= mask - 1) {
      if (!hit(from + static_cast<size_t>(std::countr_zero(mask)))) return;
    }
  }
#endif
  while (from < size) {
    const void* found = std::memchr(data + from, byte, size - from);
    if (found == nullptr) return;
    const auto at = static_cast<size_t>(static_cast<const uint8_t*>(found) - data);
    if (!hit(at)) return;
    from = at + 1;
  }
}

}  // namespace gaidaros
