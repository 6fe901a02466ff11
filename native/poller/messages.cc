#include "messages.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace gaidaros {

namespace {

constexpr uint32_t kMostReads = 32;  // a connection and wake (pitfall 2)
constexpr uint32_t kMostSends = 64;  // messages in a call

// Little endian, whatever the machine.
uint32_t length_at(const uint8_t* head) {
  return uint32_t{head[0]} | uint32_t{head[1]} << 8 | uint32_t{head[2]} << 16 |
         uint32_t{head[3]} << 24;
}

void put_length(uint8_t* head, uint32_t length) {
  for (uint32_t i = 0; i < kMessageHead; i++) head[i] = static_cast<uint8_t>(length >> 8 * i);
}

// Bytes of the message at the front with its length; 0: it is not whole.
size_t whole_size(std::span<const uint8_t> bytes) {
  if (bytes.size() < kMessageHead) return 0;
  size_t size = kMessageHead + size_t{length_at(bytes.data())};
  return size <= bytes.size() ? size : 0;
}

// Messages of one call, and the bytes that are done with each of them.
struct Batch {
  std::array<mmsghdr, kMostSends> headers;
  std::array<iovec, kMostSends> parts;
  std::array<size_t, kMostSends> ends;
  unsigned count = 0;
  size_t end = 0;
};

// From `start` on.
void fill(Batch& batch, std::span<const uint8_t> bytes, size_t start) {
  batch.count = 0;
  batch.end = start;
  while (batch.count < kMostSends) {
    std::span<const uint8_t> rest = bytes.subspan(batch.end);
    size_t size = whole_size(rest);
    if (size == 0) return;
    batch.end += size;
    if (size == kMessageHead) continue;
    unsigned i = batch.count++;
    batch.parts[i] = {const_cast<uint8_t*>(rest.data()) + kMessageHead, size - kMessageHead};
    batch.headers[i] = {};
    batch.headers[i].msg_hdr.msg_iov = &batch.parts[i];
    batch.headers[i].msg_hdr.msg_iovlen = 1;
    batch.ends[i] = batch.end;
  }
}

// The queue's first bytes with a whole message in front; empty: it has none.
std::span<const uint8_t> front_messages(const ByteQueue& queue, std::vector<uint8_t>& joined) {
  std::span<const uint8_t> front = queue.front();
  if (whole_size(front) > 0) return front;
  uint8_t head[kMessageHead];
  if (!queue.copy(head)) return {};
  size_t size = kMessageHead + size_t{length_at(head)};
  if (queue.size() < size) return {};
  joined.resize(size);
  queue.copy(joined);
  return joined;
}

}  // namespace

ReadEnd MessagePort::read(Connection& connection) {
  ConnId id = connection.id();
  if (owner_.slot != id.slot || owner_.generation != id.generation) at_ = end_ = 0;
  owner_ = id;
  for (uint32_t reads = 0;; reads++) {
    // What was begun is given whole, also where no more is wanted.
    if (!give(connection)) return ReadEnd::full;
    if (connection.generation != id.generation || connection.fd < 0 || connection.paused != 0 ||
        connection.peer_ended)
      return ReadEnd::over;
    if (reads == kMostReads) return ReadEnd::budget;
    ssize_t got = receive(connection.fd);
    if (got > 0) continue;
    if (got < 0 && errno == EAGAIN) return ReadEnd::empty;
    if (got == 0)
      sink_.ended(connection);
    else
      sink_.failed(connection, errno);
    return ReadEnd::over;
  }
}

ssize_t MessagePort::receive(int fd) {
  ssize_t got;
  do {
    counts_.recv++;
    got = recv(fd, memory_.get() + kMessageHead, kMostMessage, MSG_DONTWAIT | MSG_TRUNC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return got;
  bool is_cut = got > ssize_t{kMostMessage};
  auto length = static_cast<uint32_t>(got);
  put_length(memory_.get(), is_cut ? kCutMessage : length);
  at_ = 0;
  end_ = kMessageHead + (is_cut ? 0 : length);
  return got;
}

bool MessagePort::give(Connection& connection) {
  while (at_ < end_ && connection.live()) {
    std::span<uint8_t> space = sink_.receive_space(connection);
    if (!connection.live()) break;
    if (space.empty()) return false;
    if (at_ == 0) sink_.uncounted(connection, kMessageHead, 0);
    uint32_t count = std::min(static_cast<uint32_t>(space.size()), end_ - at_);
    std::memcpy(space.data(), memory_.get() + at_, count);
    at_ += count;
    sink_.received(connection, count);
  }
  at_ = end_ = 0;
  return true;
}

void MessagePort::flush(ConnectionTable& table) {
  for (const Piece& piece : pieces_) {
    Connection* connection = table.find(piece.id);
    if (connection == nullptr || connection->fd < 0) continue;
    sink_.sent(*connection, send_now(*connection, piece.bytes));
  }
  pieces_.clear();
}

int MessagePort::send_now(Connection& connection, std::span<const uint8_t> bytes) {
  bytes = bytes.first(std::min<size_t>(bytes.size(), INT32_MAX));
  Batch batch;
  size_t done = 0;
  size_t sent = 0;  // of `done`: what the peer is sent
  int code = EAGAIN;
  for (fill(batch, bytes, 0); batch.count > 0; fill(batch, bytes, done)) {
    counts_.send++;
    int count =
        sendmmsg(connection.fd, batch.headers.data(), batch.count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      code = errno;
      batch.end = done;
      break;
    }
    for (int i = 0; i < count; i++) sent += batch.headers[static_cast<size_t>(i)].msg_len;
    done = batch.ends[static_cast<size_t>(count) - 1];
  }
  // Behind the last one that was sent there may be some without bytes.
  done = std::max(done, batch.end);
  if (done == 0) return -code;
  sink_.uncounted(connection, 0, static_cast<uint32_t>(done - sent));
  return static_cast<int>(done);
}

int MessagePort::send_queued(Connection& connection) {
  while (connection.fd >= 0 && connection.backlog && !connection.backlog->output.empty()) {
    std::span<const uint8_t> bytes = front_messages(connection.backlog->output, joined_);
    if (bytes.empty()) return 0;
    int result = send_now(connection, bytes);
    if (result < 0) return result;
    sink_.sent_queued(connection, static_cast<uint32_t>(result));
  }
  return 0;
}

}  // namespace gaidaros
