// Datagrams in batches: recvmmsg(2) and sendmmsg(2), and errors that ICMP has reported. The only
// place that knows of message headers.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "../core/stats.h"
#include "address.h"
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

// Receives up to kMostDatagrams at once. What it has received stays until the next receive().
class DatagramReceiver {
 public:
  // local: those of unix sockets.
  explicit DatagramReceiver(bool local);

  // How many there are now, at most `most`; 0 when none is there, -1 with errno otherwise.
  int receive(int fd, uint32_t most, Syscalls& counts);

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
  // Copies its bytes; `to` has room for length().
  void copy(uint32_t index, uint8_t* to) const;

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
  std::unique_ptr<uint8_t[]> first_;
  std::unique_ptr<uint8_t[]> second_;
};

struct OutgoingDatagram {
  int fd;
  PeerAddress to;  // `place`: among the peers given with it
  std::span<const uint8_t> bytes;
};

// Sends all of `datagrams`, runs of one socket by one call. One that the kernel does not take, for
// want of room or of a route, is left out: returns the bytes and the number that were sent.
struct Sent {
  uint64_t bytes = 0;
  uint64_t count = 0;
};
Sent send_datagrams(std::span<const OutgoingDatagram> datagrams, std::span<const LocalPeer> peers,
                    Syscalls& counts);

Address address_of(const PeerAddress& peer);

// Takes what the socket's error queue holds (ip(7), IP_RECVERR). Returns how many errors it were;
// none of a unix socket, which has no such queue.
uint32_t drain_errors(int fd);

}  // namespace gaidaros
