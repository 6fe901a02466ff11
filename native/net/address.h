// Numeric IPv4, IPv6 and vsock addresses with a port, in the 24 bytes that a connection can afford
// to keep. A unix socket's has its family only; its path is asked of the kernel when it is wanted.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

namespace gaidaros {

struct Address {
  uint8_t bytes[16] = {};  // network order; IPv4 and the CID of vsock use the first four
  uint16_t port = 0;       // host order
  uint16_t family = 0;     // AF_INET, AF_INET6, AF_UNIX, AF_VSOCK, or 0: unknown
  uint32_t scope = 0;      // IPv6 scope id of a link-local address; vsock: its port, of 32 bits

  // "127.0.0.1", "::1", "fe80::1%2"; nullopt when it is neither.
  static std::optional<Address> parse(const std::string& text, uint16_t port);
  // vsock(7). Port 0: any free one.
  static Address vsock(uint32_t cid, uint32_t port);
  static Address from(const sockaddr_storage& storage);
  socklen_t to(sockaddr_storage& storage) const;
  // Without the port. An IPv4 peer of a dual-stack socket reads as plain IPv4; of vsock it is the
  // CID, or "any".
  std::string text() const;
  uint32_t port_number() const { return is_vsock() ? scope : port; }
  bool is_unix() const { return family == AF_UNIX; }
  bool is_vsock() const { return family == AF_VSOCK; }
  bool is_internet() const { return family == AF_INET || family == AF_INET6; }
  // 0.0.0.0, ::
  bool is_any() const;
  bool is_v6() const { return family == AF_INET6; }
};

}  // namespace gaidaros
