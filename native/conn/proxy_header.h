// The PROXY protocol's header, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt of 2020/03/05):
// what a proxy says of the connection that it passes on, before that connection's first byte.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "../net/address.h"

namespace gaidaros {

enum class ProxyVersions : uint8_t { v1, v2, either };

struct ProxyHeader {
  uint8_t version = 0;
  // The proxy speaks for itself (LOCAL, a health check), or does not know who it speaks for
  // (UNKNOWN, UNSPEC, a unix socket): the addresses of the socket hold.
  bool local = false;
  Address source;
  Address destination;
  // As they came: type, two bytes of length, value. NOOP and CRC32C are left out.
  std::vector<uint8_t> tlvs;
};

// Calls take(type, value) for each.
template <typename Take>
void each_tlv(std::span<const uint8_t> tlvs, Take take) {
  while (tlvs.size() >= 3) {
    size_t size = static_cast<size_t>(tlvs[1] << 8 | tlvs[2]);
    if (size > tlvs.size() - 3) return;
    take(tlvs[0], tlvs.subspan(3, size));
    tlvs = tlvs.subspan(3 + size);
  }
}

// Addresses and TLVs of version 2 together; a proxy of today sends some hundred bytes.
constexpr uint32_t kMaxProxyHeader = 16 + 4096;

struct ProxyResult {
  enum class Status : uint8_t { more, done, refused } status;
  uint32_t used = 0;          // bytes of the header, when done
  const char* why = nullptr;  // when refused: what was wanted
};

// Looks at the first bytes of a connection. A refusal comes with the first byte that cannot belong
// to a header.
ProxyResult parse_proxy_header(std::span<const uint8_t> input, ProxyVersions versions,
                               ProxyHeader& header);

}  // namespace gaidaros
