// Numeric IPv4 and IPv6 addresses with a port, in the 24 bytes that a connection can afford to
// keep. A unix socket's has its family only; its path is asked of the kernel when it is wanted.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

namespace gaidaros {

struct Address {
  uint8_t bytes[16] = {};  // network order; IPv4 uses the first four
  uint16_t port = 0;       // host order
  uint16_t family = 0;     // AF_INET, AF_INET6, AF_UNIX, or 0: unknown
  uint32_t scope = 0;      // IPv6 scope id of a link-local address

  // "127.0.0.1", "::1", "fe80::1%2"; nullopt when it is neither.
  static std::optional<Address> parse(const std::string& text, uint16_t port);
  static Address from(const sockaddr_storage& storage);
  socklen_t to(sockaddr_storage& storage) const;
  // Without the port. An IPv4 peer of a dual-stack socket reads as plain IPv4.
  std::string text() const;
  bool is_unix() const { return family == AF_UNIX; }
  // 0.0.0.0, ::
  bool is_any() const;
  bool is_v6() const { return family == AF_INET6; }
};

}  // namespace gaidaros
