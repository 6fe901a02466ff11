#include "network.h"

#include <charconv>

namespace gaidaros {

std::optional<Network> Network::parse(const std::string& text) {
  size_t slash = text.find('/');
  std::optional<Address> base = Address::parse(text.substr(0, slash), 0);
  if (!base) return std::nullopt;
  Network network;
  network.base_ = *base;
  uint32_t most = base->is_v6() ? 128 : 32;
  network.bits_ = most;
  if (slash == std::string::npos) return network;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data() + slash + 1, end, network.bits_);
  if (error != std::errc() || rest != end || network.bits_ > most) return std::nullopt;
  return network;
}

bool Network::contains(const Address& address) const {
  if (address.family != base_.family) return false;
  for (uint32_t i = 0; i * 8 < bits_; i++) {
    uint32_t rest = bits_ - i * 8;
    auto mask = static_cast<uint8_t>(rest >= 8 ? 0xff : 0xff << (8 - rest));
    if ((address.bytes[i] ^ base_.bytes[i]) & mask) return false;
  }
  return true;
}

}  // namespace gaidaros
