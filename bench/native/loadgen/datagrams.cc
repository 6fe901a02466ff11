#include "datagrams.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bench {

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kPatienceNs = kSecond / 5;
// A request begins with its place and its number; the rest is filled by the number.
constexpr uint32_t kHead = 12;

void fill(uint8_t* bytes, uint32_t size, uint32_t place, uint64_t number) {
  std::memcpy(bytes, &place, 4);
  std::memcpy(bytes + 4, &number, 8);
  std::memset(bytes + kHead, static_cast<int>(number & 0x7f), size - kHead);
}

}  // namespace

std::string DatagramClient::open() {
  if (options_.size < kHead) return "--udp: wanted a --size of at least 12 bytes";
  uint32_t depth = options_.depth;
  in_.resize(size_t{depth} * (options_.size + 1));
  out_.resize(size_t{depth} * options_.size);
  wanted_.resize(options_.size);
  headers_.resize(depth);
  parts_.resize(depth);
  for (uint32_t i = 0; i < options_.connections; i++) {
    Peer peer;
    peer.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto* address = reinterpret_cast<const sockaddr*>(&options_.target);
    if (peer.fd < 0 || connect(peer.fd, address, sizeof options_.target) != 0)
      return std::string("socket: ") + std::strerror(errno);
    peer.asked.resize(depth);
    for (uint32_t place = 0; place < depth; place++) peer.ready.push_back(place);
    peers_.push_back(std::move(peer));
  }
  return "";
}

void DatagramClient::run(Result& result) {
  result_ = &result;
  uint64_t until = now_ns() + static_cast<uint64_t>(options_.warmup_s * kSecond);
  while (now_ns() < until) turn(false);
  result.before = read_usage(options_.server_pid);
  until = result.before.at_ns + static_cast<uint64_t>(options_.seconds * kSecond);
  for (uint64_t now = result.before.at_ns; now < until;) {
    bool worked = turn(true);
    uint64_t after = now_ns();
    if (!worked) result.idle_ns += after - now;
    now = after;
  }
  result.after = read_usage(options_.server_pid);
  if (result.requests == 0) {
    result.errors.unanswered = 1;
    result.errors.first = "no request was answered";
  }
}

// False: nobody had anything.
bool DatagramClient::turn(bool measuring) {
  bool worked = false;
  for (Peer& peer : peers_) {
    uint64_t now = now_ns();
    worked = receive(peer, now, measuring) || worked;
    give_up(peer, now, measuring);
    send(peer, now);
  }
  return worked;
}

bool DatagramClient::receive(Peer& peer, uint64_t now_ns, bool measuring) {
  uint32_t size = options_.size;
  for (uint32_t i = 0; i < options_.depth; i++) {
    parts_[i] = {in_.data() + size_t{i} * (size + 1), size + 1};
    headers_[i] = {};
    headers_[i].msg_hdr.msg_iov = &parts_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
  int count = recvmmsg(peer.fd, headers_.data(), options_.depth, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; i++) {
    const auto* bytes = static_cast<const uint8_t*>(parts_[static_cast<size_t>(i)].iov_base);
    uint32_t place = 0;
    uint64_t number = 0;
    std::memcpy(&place, bytes, 4);
    std::memcpy(&number, bytes + 4, 8);
    Asked* asked = place < options_.depth ? &peer.asked[place] : nullptr;
    fill(wanted_.data(), size, place, number);
    bool is_right = headers_[static_cast<size_t>(i)].msg_len == size && asked != nullptr &&
                    std::memcmp(bytes, wanted_.data(), size) == 0;
    if (!is_right) {
      result_->errors.wrong_bytes++;
      result_->errors.first = "an answer that nobody asked for";
      continue;
    }
    if (!asked->open || asked->number != number) continue;  // it was given up before
    asked->open = false;
    peer.ready.push_back(place);
    if (!measuring) continue;
    result_->requests++;
    result_->latency.record(now_ns - asked->sent_at_ns);
  }
  return count > 0;
}

void DatagramClient::give_up(Peer& peer, uint64_t now_ns, bool measuring) {
  if (peer.ready.size() == options_.depth) return;
  for (uint32_t place = 0; place < options_.depth; place++) {
    Asked& asked = peer.asked[place];
    if (!asked.open || now_ns - asked.sent_at_ns < kPatienceNs) continue;
    asked.open = false;
    peer.ready.push_back(place);
    if (measuring) result_->lost++;
  }
}

void DatagramClient::send(Peer& peer, uint64_t now_ns) {
  if (peer.ready.empty()) return;
  uint32_t size = options_.size;
  auto count = static_cast<uint32_t>(peer.ready.size());
  for (uint32_t i = 0; i < count; i++) {
    uint8_t* bytes = out_.data() + size_t{i} * size;
    Asked& asked = peer.asked[peer.ready[i]];
    asked = {++numbers_, now_ns, true};
    fill(bytes, size, peer.ready[i], asked.number);
    parts_[i] = {bytes, size};
    headers_[i] = {};
    headers_[i].msg_hdr.msg_iov = &parts_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
  peer.ready.clear();
  // What the kernel does not take is given up like what is lost on the way.
  result_->enters++;
  sendmmsg(peer.fd, headers_.data(), count, MSG_DONTWAIT);
}

}  // namespace bench
