#include "send_batch.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace gaidaros {

int send_bytes(int fd, std::span<const uint8_t> bytes, bool more, Syscalls& counts) {
  int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
  for (;;) {
    counts.send++;
    ssize_t sent = send(fd, bytes.data(), bytes.size(), flags);
    if (sent >= 0) return static_cast<int>(sent);
    if (errno != EINTR) return -errno;
  }
}

int SendBatch::open() {
  int code =
      ring_.open(kEntries, 2 * kEntries, IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER);
  // SUBMIT_ALL is of 5.18, SINGLE_ISSUER of 6.0; both only make it cheaper.
  if (code == EINVAL) code = ring_.open(kEntries, 2 * kEntries, 0);
  return code;
}

void SendBatch::submit(Syscalls& counts, size_t first, size_t count) {
  for (size_t i = first; i < first + count; i++) {
    io_uring_sqe* sqe = ring_.prepare();
    const Piece& piece = pieces_[i];
    sqe->opcode = IORING_OP_SEND;
    sqe->fd = piece.fd;
    sqe->addr = reinterpret_cast<uint64_t>(piece.bytes.data());
    sqe->len = static_cast<uint32_t>(piece.bytes.size());
    sqe->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    sqe->user_data = i;
    results_[i] = -EAGAIN;  // not taken: the bytes are queued and tried again
  }
  size_t seen = 0;
  while (seen < count) {
    // Everything completes inside the call; waiting is for what a kernel might do otherwise, and
    // the second round for a submission that was cut short.
    int code = ring_.submit(counts, static_cast<uint32_t>(count - seen));
    while (const io_uring_cqe* cqe = ring_.peek()) {
      results_[cqe->user_data] = cqe->res == -EINTR ? -EAGAIN : cqe->res;
      ring_.pop();
      seen++;
    }
    if (code < 0 && code != -EINTR && code != -EAGAIN && code != -EBUSY) break;
  }
}

}  // namespace gaidaros
