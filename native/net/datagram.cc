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

int DatagramReceiver::receive(int fd, uint32_t most, Syscalls& counts) {
  most = std::min(most, kMostDatagrams);
  for (uint32_t i = 0; i < most; i++) {
    headers_[i].msg_hdr.msg_namelen = local_ ? sizeof local_[i].name : sizeof senders_[i];
    headers_[i].msg_hdr.msg_controllen = local_ ? sizeof local_[i].control : 0;
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

namespace {

void address(msghdr& header, const PeerAddress& to, std::span<const LocalPeer> peers) {
  if (to.family == AF_UNIX) {
    header.msg_name = const_cast<sockaddr_un*>(&peers[to.local.place].name);
    header.msg_namelen = peers[to.local.place].size;
    return;
  }
  header.msg_name = const_cast<PeerAddress*>(&to);
  header.msg_namelen = to.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

// A run of datagrams of one socket.
Sent send_run(std::span<const OutgoingDatagram> run, std::span<const LocalPeer> peers,
              Syscalls& counts) {
  std::array<mmsghdr, kMostDatagrams> headers;
  std::array<iovec, kMostDatagrams> parts;
  for (size_t i = 0; i < run.size(); i++) {
    parts[i] = {const_cast<uint8_t*>(run[i].bytes.data()), run[i].bytes.size()};
    headers[i] = {};
    address(headers[i].msg_hdr, run[i].to, peers);
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  Sent sent;
  bool again = false;  // the same one: the error may have been an earlier one's
  for (size_t at = 0; at < run.size();) {
    counts.send++;
    int count = sendmmsg(run.front().fd, headers.data() + at,
                         static_cast<unsigned>(run.size() - at), MSG_DONTWAIT);
    if (count <= 0) {
      bool retry = !again && (errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH ||
                              errno == ENETUNREACH);
      if (!retry) at++;
      again = retry;
      continue;
    }
    for (int i = 0; i < count; i++) sent.bytes += headers[at + static_cast<size_t>(i)].msg_len;
    sent.count += static_cast<uint64_t>(count);
    at += static_cast<size_t>(count);
    again = false;
  }
  return sent;
}

}  // namespace

Sent send_datagrams(std::span<const OutgoingDatagram> datagrams, std::span<const LocalPeer> peers,
                    Syscalls& counts) {
  Sent all;
  for (size_t begin = 0; begin < datagrams.size();) {
    size_t end = begin + 1;
    while (end < datagrams.size() && end - begin < kMostDatagrams &&
           datagrams[end].fd == datagrams[begin].fd)
      end++;
    Sent sent = send_run(datagrams.subspan(begin, end - begin), peers, counts);
    all.bytes += sent.bytes;
    all.count += sent.count;
    begin = end;
  }
  return all;
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
