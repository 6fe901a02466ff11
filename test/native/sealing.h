// The client's side of TLS 1.3 records by hand: content of any kind, sealed with the keys of a real
// handshake or with some of one's own, which no client of OpenSSL would send.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "decoding.h"
#include "tls/traffic.h"

namespace test {

inline constexpr uint16_t kAes128 = 0x1301;
inline constexpr size_t kRecordHeader = 5;

inline std::string header_of(size_t sealed, uint8_t type = 23) {
  return {static_cast<char>(type), 3, 3, static_cast<char>(sealed >> 8), static_cast<char>(sealed)};
}

// A record of `inner`, which is content, its type and padding.
inline std::string seal(gaidaros::Traffic& traffic, const std::string& inner) {
  std::string header = header_of(inner.size() + gaidaros::Traffic::kTag);
  std::vector<uint8_t> place(inner.begin(), inner.end());
  uint8_t tag[gaidaros::Traffic::kTag];
  if (!traffic.seal(bytes_of(header), place, tag))
    throw std::runtime_error("a record cannot be sealed");
  return header + std::string(place.begin(), place.end()) + std::string(tag, tag + sizeof tag);
}

// The content and type of each record in `wire`; an update of keys is followed.
inline std::vector<std::string> open_all(gaidaros::Traffic& traffic, const std::string& wire) {
  std::vector<std::string> contents;
  auto* bytes = reinterpret_cast<const uint8_t*>(wire.data());
  for (size_t at = 0; at < wire.size();) {
    size_t size = static_cast<size_t>(bytes[at + 3] << 8 | bytes[at + 4]);
    std::vector<uint8_t> inner(size - gaidaros::Traffic::kTag);
    if (!traffic.open({bytes + at, kRecordHeader}, {bytes + at + kRecordHeader, size},
                      inner.data()))
      throw std::runtime_error("record " + std::to_string(contents.size()) + " does not open");
    contents.emplace_back(inner.begin(), inner.end());
    if (inner.back() == 22 && !traffic.renew()) throw std::runtime_error("keys cannot be made");
    at += kRecordHeader + size;
  }
  return contents;
}

}  // namespace test
