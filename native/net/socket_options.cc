#include "socket_options.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "packet_info.h"
#include "socket.h"

namespace gaidaros {

namespace {

// The options of one socket, until the kernel refuses one.
class Setter {
 public:
  Setter(int fd, SystemError& error) : fd_(fd), error_(error) {}

  bool set(int level, int name, int value, const char* call) {
    return setsockopt(fd_, level, name, &value, sizeof value) == 0 || refused(call, errno);
  }

  bool bind_to(const std::string& interface) {
    auto size = static_cast<socklen_t>(interface.size());
    return setsockopt(fd_, SOL_SOCKET, SO_BINDTODEVICE, interface.data(), size) == 0 ||
           refused("setsockopt SO_BINDTODEVICE", errno);
  }

  // On the interface, or on the one that the kernel's routes say.
  bool join(const Address& group, const std::string& interface) {
    auto index = static_cast<int>(interface.empty() ? 0 : if_nametoindex(interface.c_str()));
    if (group.is_v6()) {
      ipv6_mreq request{};
      std::memcpy(&request.ipv6mr_multiaddr, group.bytes, sizeof request.ipv6mr_multiaddr);
      request.ipv6mr_interface = static_cast<unsigned>(group.scope != 0 ? group.scope : index);
      return setsockopt(fd_, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0 ||
             refused("setsockopt IPV6_JOIN_GROUP", errno);
    }
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.bytes, sizeof request.imr_multiaddr);
    request.imr_ifindex = index;
    return setsockopt(fd_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 ||
           refused("setsockopt IP_ADD_MEMBERSHIP", errno);
  }

  // Who may does so beyond net.core.wmem_max and rmem_max; for others the kernel cuts the size
  // without a word, which is a refusal here.
  bool set_buffer(int forced, int name, uint32_t bytes, const char* call) {
    auto value = static_cast<int>(bytes);
    if (setsockopt(fd_, SOL_SOCKET, forced, &value, sizeof value) == 0) return true;
    if (!set(SOL_SOCKET, name, value, call)) return false;
    int got = 0;
    socklen_t size = sizeof got;
    getsockopt(fd_, SOL_SOCKET, name, &got, &size);
    return got / 2 >= value || refused(call, ENOBUFS);
  }

  // False: the kernel refuses what `wish` insists on.
  bool wish(Wish wish, bool is_had, const char* call) {
    return is_had || wish != Wish::on || refused(call, errno);
  }

 private:
  bool refused(const char* call, int code) {
    error_ = {call, code};
    return false;
  }

  int fd_;
  SystemError& error_;
};

// Seconds, as the kernel counts here; what is not 0 is one at least.
int seconds(uint32_t ms) { return ms == 0 ? 0 : static_cast<int>(std::max(1u, (ms + 500) / 1000)); }

bool set_any(Setter& to, const SocketOptions& options) {
  return (options.send_buffer == 0 ||
          to.set_buffer(SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer, "setsockopt SO_SNDBUF")) &&
         (options.receive_buffer == 0 ||
          to.set_buffer(SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer, "setsockopt SO_RCVBUF"));
}

bool set_internet(Setter& to, bool is_v6, const SocketOptions& options) {
  auto set = [&to](uint32_t value, int level, int name, const char* call) {
    return value == 0 || to.set(level, name, static_cast<int>(value), call);
  };
  // The two low bits of the byte are ECN's (RFC 3168).
  uint32_t service = options.dscp << 2;
  if (!options.interface.empty() && !to.bind_to(options.interface)) return false;
  if (options.incoming_cpu >= 0 &&
      !to.set(SOL_SOCKET, SO_INCOMING_CPU, options.incoming_cpu, "setsockopt SO_INCOMING_CPU"))
    return false;
  return set(options.mark, SOL_SOCKET, SO_MARK, "setsockopt SO_MARK") &&
         set(options.busy_poll, SOL_SOCKET, SO_BUSY_POLL, "setsockopt SO_BUSY_POLL") &&
         (!is_v6 || set(service, IPPROTO_IPV6, IPV6_TCLASS, "setsockopt IPV6_TCLASS")) &&
         set(service, IPPROTO_IP, IP_TOS, "setsockopt IP_TOS");
}

// A dead peer with queued output would otherwise last 15 minutes (pitfall 28). Accepted sockets
// inherit all of this from the listener, which saves system calls a connection.
bool set_tcp(Setter& to, const SocketOptions& options) {
  if (options.keepalive_idle > 0 &&
      !(to.set(SOL_SOCKET, SO_KEEPALIVE, 1, "setsockopt SO_KEEPALIVE") &&
        to.set(IPPROTO_TCP, TCP_KEEPIDLE, seconds(options.keepalive_idle),
               "setsockopt TCP_KEEPIDLE") &&
        to.set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, seconds(options.keepalive_interval)),
               "setsockopt TCP_KEEPINTVL") &&
        to.set(IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(options.keepalive_count),
               "setsockopt TCP_KEEPCNT")))
    return false;
  // Linux 6.18 does not have it for Multipath TCP; a default is not worth refusing to serve.
  return (options.multipath ||
          to.set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options.user_timeout),
                 "setsockopt TCP_USER_TIMEOUT")) &&
         (options.fast_open == 0 ||
          to.set(IPPROTO_TCP, TCP_FASTOPEN, static_cast<int>(options.fast_open),
                 "setsockopt TCP_FASTOPEN")) &&
         (options.defer_accept == 0 ||
          to.set(IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds(options.defer_accept),
                 "setsockopt TCP_DEFER_ACCEPT"));
}

bool set_packet_info(Setter& to, int fd, const Address& address, const SocketOptions& options) {
  bool is_told =
      options.pktinfo == Wish::on || (options.pktinfo == Wish::automatic && address.is_any());
  if (is_told &&
      !to.wish(Wish::on, tell_destinations(fd, address.is_v6()), "setsockopt IP_PKTINFO"))
    return false;
  if (options.gro != Wish::off && !to.wish(options.gro, tell_runs(fd), "setsockopt UDP_GRO"))
    return false;
  return options.gso == Wish::off || to.wish(options.gso, takes_runs(fd), "setsockopt UDP_SEGMENT");
}

bool set_datagrams(Setter& to, int family, const SocketOptions& options) {
  if (options.broadcast && !to.set(SOL_SOCKET, SO_BROADCAST, 1, "setsockopt SO_BROADCAST"))
    return false;
  for (const Address& group : options.multicast)
    if (group.family == family && !to.join(group, options.interface)) return false;
  return true;
}

}  // namespace

bool set_socket_options(int fd, const Address& address, const SocketOptions& options,
                        SystemError& error) {
  Setter to(fd, error);
  int family = address.family;
  bool is_internet = address.is_internet();
  int type = SOCK_STREAM;
  socklen_t size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  return set_any(to, options) && (!is_internet || set_internet(to, family == AF_INET6, options)) &&
         (!is_internet || type != SOCK_STREAM || set_tcp(to, options)) &&
         (!is_internet || type != SOCK_DGRAM ||
          (set_datagrams(to, family, options) && set_packet_info(to, fd, address, options)));
}

}  // namespace gaidaros
