// What the kernel tells of a message besides its bytes, and what it is told with one (cmsg(3)): by
// which address of this machine it came (ip(7), IP_PKTINFO; ipv6(7)), and that it is several
// datagrams (udp(7), UDP_GRO, UDP_SEGMENT).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "address.h"

namespace gaidaros {

// Where a datagram was sent to, and what replies to it are sent from.
struct Destination {
  // AF_INET, also of an IPv4 datagram on a socket of IPv6; AF_INET6; 0: the kernel has not said.
  sa_family_t family = 0;
  uint32_t interface = 0;  // AF_INET6: that it came by
  in_addr own{};           // AF_INET: the machine's own address, also where `to` is a group's
  in6_addr to{};           // AF_INET has it in the first four bytes

  Address address(uint16_t port) const;
  bool operator==(const Destination& other) const;
};

// Room for all of it.
constexpr size_t kReceivedControl =
    CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int));
constexpr size_t kSentControl = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t));

struct PacketInfo {
  Destination destination;
  uint32_t segment = 0;  // the message is datagrams of this size, of which the last may be shorter
};
PacketInfo packet_info(const msghdr& header);

// Makes the control of `header`, which has kSentControl zeroed bytes: send from there, and in
// datagrams of `segment` bytes where that is not 0.
void put_control(msghdr& header, const Destination& from, uint16_t segment);

// What a socket of datagrams was asked to tell.
struct Told {
  bool destinations = false;
  bool runs = false;  // UDP_GRO
};
Told told_by(int fd);
bool tell_destinations(int fd, bool is_v6);
bool tell_runs(int fd);  // Linux 5.0
// It takes messages of several datagrams (Linux 4.18).
bool takes_runs(int fd);

}  // namespace gaidaros
