// A network in CIDR notation (RFC 4632, RFC 4291 section 2.3): "10.0.0.0/8", "fd00::/8", or one
// address.
#pragma once

#include <optional>
#include <string>

#include "address.h"

namespace gaidaros {

class Network {
 public:
  // nullopt when it is none.
  static std::optional<Network> parse(const std::string& text);
  bool contains(const Address& address) const;

 private:
  Address base_;
  uint32_t bits_ = 0;
};

}  // namespace gaidaros
