#include "datagram.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gaidaros {

DatagramReceiver::DatagramReceiver()
    : first_(new uint8_t[kMostDatagrams * kStride]),
      second_(new uint8_t[size_t{kMostDatagrams} * kSecond]) {
  for (uint32_t i = 0; i < kMostDatagrams; i++) {
    parts_[i][0] = {first_.get() + i * kStride, kFirst};
    parts_[i][1] = {second_.get() + size_t{i} * kSecond, kSecond};
    headers_[i].msg_hdr.msg_iov = parts_[i].data();
    headers_[i].msg_hdr.msg_iovlen = 2;
    headers_[i].msg_hdr.msg_name = &senders_[i];
  }
}

int DatagramReceiver::receive(int fd, uint32_t most, Syscalls& counts) {
  most = std::min(most, kMostDatagrams);
  for (uint32_t i = 0; i < most; i++) headers_[i].msg_hdr.msg_namelen = sizeof senders_[i];
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

namespace {

// A run of datagrams of one socket.
Sent send_run(std::span<const OutgoingDatagram> run, Syscalls& counts) {
  std::array<mmsghdr, kMostDatagrams> headers;
  std::array<iovec, kMostDatagrams> parts;
  for (size_t i = 0; i < run.size(); i++) {
    parts[i] = {const_cast<uint8_t*>(run[i].bytes.data()), run[i].bytes.size()};
    headers[i] = {};
    headers[i].msg_hdr.msg_name = const_cast<PeerAddress*>(&run[i].to);
    headers[i].msg_hdr.msg_namelen =
        run[i].to.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
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

Sent send_datagrams(std::span<const OutgoingDatagram> datagrams, Syscalls& counts) {
  Sent all;
  for (size_t begin = 0; begin < datagrams.size();) {
    size_t end = begin + 1;
    while (end < datagrams.size() && end - begin < kMostDatagrams &&
           datagrams[end].fd == datagrams[begin].fd)
      end++;
    Sent sent = send_run(datagrams.subspan(begin, end - begin), counts);
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
