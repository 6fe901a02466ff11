/* The aim: an echo server by hand on io_uring, one thread: multishot accept, multishot receive into provided
 * buffers, each chunk sent from the buffer it came in, one submit a batch.
 *
 *   raw-uring [PORT]
 */
#define _GNU_SOURCE
#include "../ring.h"
#include "listen.h"

enum { kEntries = 4096, kBuffers = 4096, kBufferBytes = 4096, kMaxDescriptors = 1 << 20, kNone = -1 };
enum operation { kAccept, kReceive, kSend };

/* A connection's chunks wait as a list of buffer ids; the first one is in flight. */
struct connection {
  int first, last;
  unsigned char receiving, ended;
};

static struct ring ring;
static struct buffer_ring buffers;
static struct connection connections[kMaxDescriptors];
static int next_of[kBuffers];
static uint32_t offset_of[kBuffers], length_of[kBuffers];
/* Connections whose receive ended for want of buffers; armed again when some have come back. */
static int starved[kMaxDescriptors], starved_count;

static struct io_uring_sqe *prepare(int opcode, int fd, enum operation operation) {
  struct io_uring_sqe *sqe = ring_sqe(&ring);
  sqe->opcode = (uint8_t)opcode;
  sqe->fd = fd;
  sqe->user_data = (uint64_t)operation << 32 | (uint32_t)fd;
  return sqe;
}

static void arm_accept(int listener) {
  struct io_uring_sqe *sqe = prepare(IORING_OP_ACCEPT, listener, kAccept);
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->accept_flags = SOCK_CLOEXEC;
}

static void arm_receive(int fd) {
  struct io_uring_sqe *sqe = prepare(IORING_OP_RECV, fd, kReceive);
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags = IOSQE_BUFFER_SELECT;
  connections[fd].receiving = 1;
}

static void send_first(int fd) {
  int id = connections[fd].first;
  struct io_uring_sqe *sqe = prepare(IORING_OP_SEND, fd, kSend);
  sqe->addr = (uint64_t)(uintptr_t)(buffer_ring_at(&buffers, (uint32_t)id) + offset_of[id]);
  sqe->len = length_of[id] - offset_of[id];
  sqe->msg_flags = MSG_NOSIGNAL;
}

static void close_when_done(int fd) {
  struct connection *connection = &connections[fd];
  if (connection->ended && !connection->receiving && connection->first == kNone) close(fd);
}

static void accepted(int fd) {
  if (fd >= kMaxDescriptors) {
    close(fd);
    return;
  }
  connections[fd] = (struct connection){.first = kNone, .last = kNone};
  arm_receive(fd);
}

static void queue_chunk(int fd, int id, uint32_t length) {
  struct connection *connection = &connections[fd];
  next_of[id] = kNone;
  offset_of[id] = 0;
  length_of[id] = length;
  if (connection->first != kNone) next_of[connection->last] = id;
  connection->last = id;
  if (connection->first != kNone) return;
  connection->first = id;
  send_first(fd);
}

static void received(int fd, const struct io_uring_cqe *cqe) {
  if (!(cqe->flags & IORING_CQE_F_MORE)) connections[fd].receiving = 0;
  if (cqe->res > 0) queue_chunk(fd, (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), (uint32_t)cqe->res);
  else if (cqe->res == -ENOBUFS) starved[starved_count++] = fd;
  else connections[fd].ended = 1;
  if (cqe->res > 0 && !connections[fd].receiving) arm_receive(fd);
  close_when_done(fd);
}

static void sent(int fd, int result) {
  struct connection *connection = &connections[fd];
  int id = connection->first;
  if (result > 0) offset_of[id] += (uint32_t)result;
  else connection->ended = 1;
  if (result > 0 && offset_of[id] < length_of[id]) return send_first(fd);
  connection->first = next_of[id];
  buffer_ring_give(&buffers, (uint16_t)id);
  if (connection->first != kNone) send_first(fd);
  /* A peer that is gone ends the receive as well, which then closes. */
  close_when_done(fd);
}

static void complete(int listener, const struct io_uring_cqe *cqe) {
  int fd = (int)(uint32_t)cqe->user_data;
  switch ((enum operation)(cqe->user_data >> 32)) {
  case kAccept:
    if (cqe->res >= 0) accepted(cqe->res);
    if (!(cqe->flags & IORING_CQE_F_MORE)) arm_accept(listener);
    break;
  case kReceive: received(fd, cqe); break;
  case kSend: sent(fd, cqe->res); break;
  }
}

int main(int argc, char **argv) {
  int error = ring_open(&ring, kEntries);
  if (error == 0) error = buffer_ring_open(&ring, &buffers, kBuffers, kBufferBytes);
  if (error != 0) {
    fprintf(stderr, "raw-uring: io_uring of Linux 6.1 is wanted, the kernel says: %s\n", strerror(-error));
    return 4;
  }
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0, 0);
  arm_accept(listener);
  for (;;) {
    error = ring_enter(&ring, 1, 0);
    if (error != 0 && error != -EINTR && error != -EBUSY) {
      fprintf(stderr, "raw-uring: io_uring_enter: %s\n", strerror(-error));
      return 1;
    }
    uint32_t ready = ring_ready(&ring);
    for (uint32_t i = 0; i < ready; i++) complete(listener, ring_cqe(&ring, i));
    ring_seen(&ring, ready);
    while (starved_count > 0 && ready > 0) arm_receive(starved[--starved_count]);
  }
}
