#include "datagram.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gaidaros {

DatagramReceiver::DatagramReceiver(bool local)
    : first_(new uint8_t[kMostDatagrams * kStride]),
      second_(new uint8_t[size_t{kMostDatagrams} * kSecond]) {
  if (local) local_ = std::make_unique<Local[]>(kMostDatagrams);
  for (uint32_t i = 0; i < kMostDatagrams; i++) {
    parts_[i][0] = {first_.get() + i * kStride, kFirst};
    parts_[i][1] = {second_.get() + size_t{i} * kSecond, kSecond};
    headers_[i].msg_hdr.msg_iov = parts_[i].data();
    headers_[i].msg_hdr.msg_iovlen = 2;
    headers_[i].msg_hdr.msg_name = &senders_[i];
    if (!local) continue;
    senders_[i].family = AF_UNIX;
    headers_[i].msg_hdr.msg_name = &local_[i].name;
    headers_[i].msg_hdr.msg_control = local_[i].control;
  }
}

int DatagramReceiver::receive(int fd, uint32_t most, bool told, Syscalls& counts) {
  most = std::min(most, kMostDatagrams);
  if (told && !controls_) {
    controls_ = std::make_unique<Control[]>(kMostDatagrams);
    for (uint32_t i = 0; i < kMostDatagrams; i++)
      headers_[i].msg_hdr.msg_control = controls_[i].bytes;
  }
  size_t control = local_ ? sizeof local_[0].control : told ? kReceivedControl : 0;
  for (uint32_t i = 0; i < most; i++) {
    headers_[i].msg_hdr.msg_namelen = local_ ? sizeof local_[i].name : sizeof senders_[i];
    headers_[i].msg_hdr.msg_controllen = control;
  }
  counts.recv++;
  int count = recvmmsg(fd, headers_.data(), most, MSG_DONTWAIT, nullptr);
  return count < 0 && errno == EAGAIN ? 0 : count;
}

void DatagramReceiver::copy(uint32_t index, uint8_t* to) const {
  uint32_t size = length(index);
  uint32_t first = std::min(size, kFirst);
  std::memcpy(to, parts_[index][0].iov_base, first);
  if (size > first) std::memcpy(to + first, parts_[index][1].iov_base, size - first);
}

void DatagramReceiver::copy(uint32_t index, uint32_t at, uint32_t size, uint8_t* to) const {
  const auto* first = static_cast<const uint8_t*>(parts_[index][0].iov_base);
  const auto* second = static_cast<const uint8_t*>(parts_[index][1].iov_base);
  uint32_t in_first = at < kFirst ? std::min(size, kFirst - at) : 0;
  if (in_first > 0) std::memcpy(to, first + at, in_first);
  if (size > in_first)
    std::memcpy(to + in_first, second + (at + in_first - kFirst), size - in_first);
}

LocalPeer DatagramReceiver::local_sender(uint32_t index) const {
  const msghdr& header = headers_[index].msg_hdr;
  LocalPeer peer{local_[index].name, header.msg_namelen, {}};
  const cmsghdr* message = CMSG_FIRSTHDR(&header);
  if (message == nullptr || message->cmsg_type != SCM_CREDENTIALS) return peer;
  ucred found;
  std::memcpy(&found, CMSG_DATA(message), sizeof found);
  peer.credentials = {found.pid, found.uid, found.gid};
  return peer;
}

Address address_of(const PeerAddress& peer) {
  sockaddr_storage storage{};
  std::memcpy(&storage, &peer, sizeof peer);
  return Address::from(storage);
}

uint32_t drain_errors(int fd) {
  // It would give a datagram away.
  if (local_address(fd).is_unix()) return 0;
  uint32_t count = 0;
  for (;; count++) {
    uint8_t control[512];
    msghdr header{};
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return count;
  }
}

}  // namespace gaidaros
