#include "packet_info.h"

#include <cstring>

namespace gaidaros {

namespace {

constexpr int kUdp = 17;          // SOL_UDP
constexpr int kUdpSegment = 103;  // UDP_SEGMENT
constexpr int kUdpGro = 104;      // UDP_GRO

template <class Value>
Value value_of(const cmsghdr& message) {
  Value value{};
  std::memcpy(&value, CMSG_DATA(&message), sizeof value);
  return value;
}

template <class Value>
cmsghdr* put(cmsghdr* message, int level, int type, const Value& value, size_t& size) {
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(message), &value, sizeof value);
  size += CMSG_SPACE(sizeof value);
  return reinterpret_cast<cmsghdr*>(reinterpret_cast<uint8_t*>(message) + CMSG_SPACE(sizeof value));
}

void take_v4(Destination& to, const in_pktinfo& info) {
  to.family = AF_INET;
  std::memcpy(&to.to, &info.ipi_addr, sizeof info.ipi_addr);
  to.own = info.ipi_spec_dst;
}

// Of an IPv4 datagram the other message says more.
void take_v6(Destination& to, const in6_pktinfo& info) {
  if (IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr)) return;
  to.family = AF_INET6;
  to.to = info.ipi6_addr;
  to.interface = info.ipi6_ifindex;
}

int ask(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : 0;
}

bool set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

}  // namespace

Address Destination::address(uint16_t port) const {
  Address address;
  address.family = family;
  address.port = port;
  std::memcpy(address.bytes, &to, family == AF_INET ? sizeof(in_addr) : sizeof to);
  if (family == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(&to) || IN6_IS_ADDR_MC_LINKLOCAL(&to)))
    address.scope = interface;
  return address;
}

bool Destination::operator==(const Destination& other) const {
  return family == other.family && interface == other.interface && own.s_addr == other.own.s_addr &&
         std::memcmp(&to, &other.to, sizeof to) == 0;
}

PacketInfo packet_info(const msghdr& header) {
  PacketInfo info;
  auto& mutable_header = const_cast<msghdr&>(header);
  for (cmsghdr* message = CMSG_FIRSTHDR(&mutable_header); message != nullptr;
       message = CMSG_NXTHDR(&mutable_header, message)) {
    int level = message->cmsg_level;
    int type = message->cmsg_type;
    if (level == IPPROTO_IP && type == IP_PKTINFO)
      take_v4(info.destination, value_of<in_pktinfo>(*message));
    else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO)
      take_v6(info.destination, value_of<in6_pktinfo>(*message));
    else if (level == kUdp && type == kUdpGro)
      info.segment = static_cast<uint32_t>(value_of<int>(*message));
  }
  return info;
}

// The interface is left to the routes, which know best where the peer is; but addresses of a link
// are nothing without it, and where a group was asked it chooses the address.
void put_control(msghdr& header, const Destination& from, uint16_t segment) {
  auto* message = static_cast<cmsghdr*>(header.msg_control);
  size_t size = 0;
  if (from.family == AF_INET) {
    in_pktinfo info{};
    info.ipi_spec_dst = from.own;
    message = put(message, IPPROTO_IP, IP_PKTINFO, info, size);
  } else if (from.family == AF_INET6) {
    in6_pktinfo info{};
    bool is_group = IN6_IS_ADDR_MULTICAST(&from.to);
    if (is_group || IN6_IS_ADDR_LINKLOCAL(&from.to)) info.ipi6_ifindex = from.interface;
    if (!is_group) info.ipi6_addr = from.to;
    message = put(message, IPPROTO_IPV6, IPV6_PKTINFO, info, size);
  }
  if (segment != 0) put(message, kUdp, kUdpSegment, segment, size);
  header.msg_controllen = size;
  if (size == 0) header.msg_control = nullptr;
}

Told told_by(int fd) {
  return {ask(fd, IPPROTO_IP, IP_PKTINFO) != 0 || ask(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) != 0,
          ask(fd, kUdp, kUdpGro) != 0};
}

bool tell_destinations(int fd, bool is_v6) {
  return set(fd, IPPROTO_IP, IP_PKTINFO, 1) &&
         (!is_v6 || set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
}

bool tell_runs(int fd) { return set(fd, kUdp, kUdpGro, 1); }

bool takes_runs(int fd) { return set(fd, kUdp, kUdpSegment, 0); }

}  // namespace gaidaros
