// Datagrams in batches: recvmmsg(2), and errors that ICMP has reported.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <memory>

#include "../core/stats.h"
#include "address.h"
#include "packet_info.h"
#include "socket.h"

namespace gaidaros {

constexpr uint32_t kMostDatagrams = 256;        // a call
constexpr uint32_t kMostDatagramBytes = 65535;  // 65 507 of them over IPv4 (RFC 768)

// IPv4 or IPv6, no larger than it has to be: there is one for each of hundreds of thousands a
// second. Of a unix socket it only says where the LocalPeer is.
union PeerAddress {
  sa_family_t family;
  sockaddr_in v4;
  sockaddr_in6 v6;
  struct {
    sa_family_t family;
    uint32_t place;
  } local;
};

// Who has sent a datagram by a unix socket, as the kernel knows (unix(7), SCM_CREDENTIALS).
struct LocalPeer {
  sockaddr_un name;
  socklen_t size = 0;  // of the name; 0: it has none, and can be sent nothing
  Credentials credentials;
};

// Receives up to kMostDatagrams messages at once, each of which is a datagram unless the socket was
// asked for more (Told). What it has received stays until the next receive().
class DatagramReceiver {
 public:
  // local: those of unix sockets.
  explicit DatagramReceiver(bool local);

  // How many there are now, at most `most`; 0 when none is there, -1 with errno otherwise. `told`:
  // info() is wanted of them.
  int receive(int fd, uint32_t most, bool told, Syscalls& counts);

  uint32_t length(uint32_t index) const { return headers_[index].msg_len; }
  // It was longer than kMostDatagramBytes.
  bool is_cut(uint32_t index) const {
    return headers_[index].msg_hdr.msg_flags & MSG_TRUNC || length(index) > kMostDatagramBytes;
  }
  // As the kernel has it, and as it wants it again.
  const PeerAddress& sender(uint32_t index) const { return senders_[index]; }
  bool is_local() const { return local_ != nullptr; }
  // Only where is_local().
  LocalPeer local_sender(uint32_t index) const;
  PacketInfo info(uint32_t index) const { return packet_info(headers_[index].msg_hdr); }
  // Copies its bytes; `to` has room for length().
  void copy(uint32_t index, uint8_t* to) const;
  // `size` of them from `at` on.
  void copy(uint32_t index, uint32_t at, uint32_t size, uint8_t* to) const;

 private:
  // Most datagrams fit the first part; the pages of the second are only touched by those that do
  // not.
  static constexpr uint32_t kFirst = 2048;
  static constexpr uint32_t kSecond = kMostDatagramBytes - kFirst + 1;
  // Apart by a line of the cache more than a power of two: all of them begin in lines of their own.
  static constexpr uint32_t kStride = kFirst + 64;

  std::array<mmsghdr, kMostDatagrams> headers_{};
  std::array<std::array<iovec, 2>, kMostDatagrams> parts_{};
  std::array<PeerAddress, kMostDatagrams> senders_{};
  // Room for a name and credentials, and for nothing else: descriptors that a sender passes find
  // none, and the kernel closes them (pitfall 30).
  struct Local {
    sockaddr_un name;
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(ucred))];
  };
  std::unique_ptr<Local[]> local_;
  struct Control {
    alignas(cmsghdr) uint8_t bytes[kReceivedControl];
  };
  std::unique_ptr<Control[]> controls_;  // once it was told of something
  std::unique_ptr<uint8_t[]> first_;
  std::unique_ptr<uint8_t[]> second_;
};

Address address_of(const PeerAddress& peer);

// Takes what the socket's error queue holds (ip(7), IP_RECVERR). Returns how many errors it were;
// none of a unix socket, which has no such queue.
uint32_t drain_errors(int fd);

}  // namespace gaidaros
