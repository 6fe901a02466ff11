#include "address.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>

#include <cstdlib>
#include <cstring>

namespace gaidaros {

namespace {

// ::ffff:a.b.c.d, as a dual-stack socket names an IPv4 peer (RFC 4291, 2.5.5.2).
bool is_mapped(const uint8_t* bytes) {
  static constexpr uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(bytes, kPrefix, sizeof kPrefix) == 0;
}

uint32_t cid_of(const Address& address) {
  uint32_t cid = 0;
  std::memcpy(&cid, address.bytes, sizeof cid);
  return ntohl(cid);
}

}  // namespace

std::optional<Address> Address::parse(const std::string& text, uint16_t port) {
  Address address;
  address.port = port;
  if (inet_pton(AF_INET, text.c_str(), address.bytes) == 1) {
    address.family = AF_INET;
    return address;
  }
  std::string host = text;
  if (size_t percent = host.find('%'); percent != std::string::npos) {
    std::string zone = host.substr(percent + 1);
    host.resize(percent);
    address.scope = if_nametoindex(zone.c_str());
    if (address.scope == 0)
      address.scope = static_cast<uint32_t>(std::strtoul(zone.c_str(), nullptr, 10));
    if (address.scope == 0) return std::nullopt;
  }
  if (inet_pton(AF_INET6, host.c_str(), address.bytes) != 1) return std::nullopt;
  address.family = AF_INET6;
  return address;
}

Address Address::vsock(uint32_t cid, uint32_t port) {
  Address address;
  address.family = AF_VSOCK;
  address.scope = port;
  uint32_t ordered = htonl(cid);
  std::memcpy(address.bytes, &ordered, sizeof ordered);
  return address;
}

Address Address::from(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    address.family = AF_INET;
    address.port = ntohs(v4.sin_port);
    std::memcpy(address.bytes, &v4.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    address.port = ntohs(v6.sin6_port);
    const auto* bytes = reinterpret_cast<const uint8_t*>(&v6.sin6_addr);
    if (is_mapped(bytes)) {
      address.family = AF_INET;
      std::memcpy(address.bytes, bytes + 12, 4);
    } else {
      address.family = AF_INET6;
      address.scope = v6.sin6_scope_id;
      std::memcpy(address.bytes, bytes, 16);
    }
  } else if (storage.ss_family == AF_VSOCK) {
    const auto& vm = reinterpret_cast<const sockaddr_vm&>(storage);
    address = vsock(vm.svm_cid, vm.svm_port);
  } else if (storage.ss_family == AF_UNIX) {
    address.family = AF_UNIX;
  }
  return address;
}

socklen_t Address::to(sockaddr_storage& storage) const {
  std::memset(&storage, 0, sizeof storage);
  storage.ss_family = family;
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, bytes, 4);
    return sizeof(sockaddr_in);
  }
  if (is_vsock()) {
    auto& vm = reinterpret_cast<sockaddr_vm&>(storage);
    vm.svm_cid = cid_of(*this);
    vm.svm_port = scope == 0 ? VMADDR_PORT_ANY : scope;
    return sizeof(sockaddr_vm);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_port = htons(port);
  v6.sin6_scope_id = scope;
  std::memcpy(&v6.sin6_addr, bytes, 16);
  return sizeof(sockaddr_in6);
}

bool Address::is_any() const {
  static constexpr uint8_t kNone[sizeof bytes] = {};
  return is_internet() && std::memcmp(bytes, kNone, sizeof bytes) == 0;
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (is_vsock()) {
    uint32_t cid = cid_of(*this);
    return cid == VMADDR_CID_ANY ? "any" : std::to_string(cid);
  }
  if (!is_internet()) return buffer;
  inet_ntop(family, bytes, buffer, sizeof buffer);
  std::string text = buffer;
  if (scope != 0) text.append("%").append(std::to_string(scope));
  return text;
}

}  // namespace gaidaros
