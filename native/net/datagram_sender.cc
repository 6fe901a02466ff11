#include "datagram_sender.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gaidaros {

namespace {

constexpr size_t kMostInMessage = 64;        // UDP_MAX_SEGMENTS; more from Linux 6.9 on
constexpr size_t kMostMessageBytes = 65507;  // over IPv4
// Fits every path of IPv6 (RFC 8200, 5): a refusal is not about the size.
constexpr uint32_t kAnyPath = 1232;

void address(msghdr& header, const PeerAddress& to, std::span<const LocalPeer> peers) {
  if (to.family == AF_UNIX) {
    header.msg_name = const_cast<sockaddr_un*>(&peers[to.local.place].name);
    header.msg_namelen = peers[to.local.place].size;
    return;
  }
  header.msg_name = const_cast<PeerAddress*>(&to);
  header.msg_namelen = to.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

bool is_same(const PeerAddress& one, const PeerAddress& other) {
  if (one.family != other.family) return false;
  if (one.family == AF_INET)
    return one.v4.sin_port == other.v4.sin_port &&
           one.v4.sin_addr.s_addr == other.v4.sin_addr.s_addr;
  return one.family == AF_INET6 && std::memcmp(&one.v6, &other.v6, sizeof one.v6) == 0;
}

// An error of before that the socket had pending: the next call tells this one's own.
bool is_earlier(int code) {
  return code == EINTR || code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH;
}

Company part_of(const Company& company, size_t from, size_t size) {
  if (company.sources.empty()) return company;
  return {company.peers, company.sources.subspan(from, size)};
}

// What a message of several datagrams may fail with where each of them would not: a device that
// leaves checksums to us, or a path that is too narrow.
bool is_about_joining(int code) {
  return code == EIO || code == EINVAL || code == EMSGSIZE || code == EOPNOTSUPP;
}

}  // namespace

struct DatagramSender::Batch {
  struct Control {
    alignas(cmsghdr) uint8_t bytes[kSentControl];
  };
  std::array<mmsghdr, kMostDatagrams> headers;
  std::array<iovec, kMostDatagrams> parts;       // one of each datagram
  std::array<Control, kMostDatagrams> controls;  // of the messages that have one
  size_t count = 0;                              // messages
  bool is_joined = false;                        // some are several datagrams

  size_t datagrams(size_t message) const { return headers[message].msg_hdr.msg_iovlen; }
  size_t datagrams(size_t message, size_t messages) const {
    if (!is_joined) return messages;
    size_t all = 0;
    for (size_t i = 0; i < messages; i++) all += datagrams(message + i);
    return all;
  }
};

Sent DatagramSender::send(std::span<const OutgoingDatagram> datagrams, const Company& company,
                          Syscalls& counts) {
  Sent all;
  for (size_t begin = 0; begin < datagrams.size();) {
    size_t end = begin + 1;
    while (end < datagrams.size() && end - begin < kMostDatagrams &&
           datagrams[end].fd == datagrams[begin].fd)
      end++;
    Sent sent = send_run(datagrams.subspan(begin, end - begin),
                         part_of(company, begin, end - begin), counts);
    all.bytes += sent.bytes;
    all.count += sent.count;
    begin = end;
  }
  return all;
}

// A run of datagrams of one socket.
Sent DatagramSender::send_run(std::span<const OutgoingDatagram> run, const Company& company,
                              Syscalls& counts) {
  Batch batch;
  make(batch, run, company);
  Sent sent;
  bool again = false;   // the same one: the error may have been an earlier one's
  size_t datagram = 0;  // the first of message `at`
  for (size_t at = 0; at < batch.count;) {
    counts.send++;
    int count = sendmmsg(run.front().fd, batch.headers.data() + at,
                         static_cast<unsigned>(batch.count - at), MSG_DONTWAIT);
    if (count <= 0) {
      int code = errno;
      again = !again && is_earlier(code);
      if (again) continue;
      size_t size = batch.datagrams(at++);
      if (size > 1 && is_about_joining(code)) {
        Sent parts =
            send_parts(run.subspan(datagram, size), part_of(company, datagram, size), code, counts);
        sent.bytes += parts.bytes;
        sent.count += parts.count;
      }
      datagram += size;
      continue;
    }
    auto messages = static_cast<size_t>(count);
    for (size_t i = 0; i < messages; i++) sent.bytes += batch.headers[at + i].msg_len;
    size_t datagrams = batch.datagrams(at, messages);
    sent.count += datagrams;
    datagram += datagrams;
    at += messages;
    again = false;
  }
  return sent;
}

void DatagramSender::make(Batch& batch, std::span<const OutgoingDatagram> run,
                          const Company& company) const {
  bool is_plain = most_joined_ == 0 && company.sources.empty();
  size_t size = 1;
  for (size_t i = 0; i < run.size(); i += size) {
    mmsghdr& header = batch.headers[batch.count];
    header = {};
    address(header.msg_hdr, run[i].to, company.peers);
    header.msg_hdr.msg_iov = &batch.parts[i];
    if (!is_plain) {
      size = joined(run, company.sources, i);
      header.msg_hdr.msg_control = batch.controls[batch.count].bytes;
      std::memset(header.msg_hdr.msg_control, 0, kSentControl);
      put_control(header.msg_hdr, company.sources.empty() ? Destination{} : company.sources[i],
                  size > 1 ? static_cast<uint16_t>(run[i].bytes.size()) : 0);
      batch.is_joined = batch.is_joined || size > 1;
    }
    header.msg_hdr.msg_iovlen = size;
    for (size_t k = i; k < i + size; k++)
      batch.parts[k] = {const_cast<uint8_t*>(run[k].bytes.data()), run[k].bytes.size()};
    batch.count++;
  }
}

// How many datagrams from `from` on are one message: all of its size, but that the last may be
// shorter.
size_t DatagramSender::joined(std::span<const OutgoingDatagram> run,
                              std::span<const Destination> sources, size_t from) const {
  const OutgoingDatagram& first = run[from];
  size_t size = first.bytes.size();
  size_t count = 1;
  if (size == 0 || size > most_joined_) return count;
  size_t room = std::min(kMostInMessage, kMostMessageBytes / size);
  for (; from + count < run.size() && count < room; count++) {
    const OutgoingDatagram& next = run[from + count];
    if (next.bytes.empty() || next.bytes.size() > size || !is_same(next.to, first.to)) break;
    if (!sources.empty() && !(sources[from + count] == sources[from])) break;
    if (next.bytes.size() < size) return count + 1;
  }
  return count;
}

// Those of a message that failed, each by itself. Where the kernel takes these, joining was at
// fault.
Sent DatagramSender::send_parts(std::span<const OutgoingDatagram> run, const Company& company,
                                int code, Syscalls& counts) {
  uint32_t most = std::exchange(most_joined_, 0);
  Sent sent = send_run(run, company, counts);
  most_joined_ = most;
  if (sent.count > 0) give_up(code, static_cast<uint32_t>(run.front().bytes.size()));
  return sent;
}

void DatagramSender::give_up(int code, uint32_t size) {
  bool is_size = code != EIO && size > kAnyPath;
  uint32_t most = is_size ? size - 1 : 0;
  if (most >= most_joined_) return;
  bool is_known = is_size && most_joined_ < kMostDatagramBytes;
  most_joined_ = most;
  if (!is_known) refusal_ = {code, most};
}

DatagramSender::Refusal DatagramSender::take_refusal() { return std::exchange(refusal_, {}); }

}  // namespace gaidaros
