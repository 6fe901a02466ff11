/* The loop of the C servers on epoll: one thread, at most 2.1 syscalls a request (recv and send,
 * and one epoll_wait for many). A program includes it where EDGE is 1 or 0, and says how bytes are
 * answered.
 *
 * A short read is taken as "empty" unless the peer has shut down, which spares the recv that would
 * say EAGAIN. */
#ifndef GAIDAROS_BENCH_EPOLL_H
#define GAIDAROS_BENCH_EPOLL_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "listen.h"

enum { kEvents = 512, kRecvBytes = 65536, kMaxDescriptors = 1 << 20 };

/* The program's own. Answers a chunk: 1 when all of it went out, 0 when some waits, -1 when the
 * connection is to go. */
static int answer(int fd, const char *bytes, size_t length);
/* The program's own. Frees what it keeps of a connection that goes. */
static void forget(int fd);

/* Bytes that the kernel did not take; nothing more is read from that connection until they are out.
 */
struct pending {
  char *bytes;
  size_t offset, length;
  int is_last; /* the connection goes when they are out */
};

static char chunk[kRecvBytes];
static struct pending *pending_by_fd[kMaxDescriptors];
static int poller;

static void watch(int operation, int fd, uint32_t events) {
  struct epoll_event event = {.events = events | EPOLLRDHUP | (EDGE ? EPOLLET : 0), .data.fd = fd};
  if (epoll_ctl(poller, operation, fd, &event) < 0) fail("epoll_ctl");
}

static void drop(int fd) {
  if (pending_by_fd[fd]) free(pending_by_fd[fd]->bytes);
  free(pending_by_fd[fd]);
  pending_by_fd[fd] = NULL;
  forget(fd);
  close(fd);
}

static void accept_all(int listener) {
  for (int i = 0; i < 64; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= kMaxDescriptors)
      close(fd);
    else
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

static void keep(int fd, const char *bytes, size_t length) {
  struct pending *rest = malloc(sizeof *rest);
  *rest = (struct pending){.bytes = malloc(length), .length = length};
  memcpy(rest->bytes, bytes, length);
  pending_by_fd[fd] = rest;
  watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

/* Returns what `answer` does. */
static int send_all(int fd, const char *bytes, size_t length) {
  ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
  if (sent == (ssize_t)length) return 1;
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent < 0) sent = 0;
  keep(fd, bytes + sent, length - (size_t)sent);
  return 0;
}

static int flush_pending(int fd) {
  struct pending *rest = pending_by_fd[fd];
  ssize_t sent = send(fd, rest->bytes + rest->offset, rest->length - rest->offset, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN ? 0 : -1;
  rest->offset += (size_t)sent;
  if (rest->offset < rest->length) return 0;
  if (rest->is_last) return -1;
  free(rest->bytes);
  free(rest);
  pending_by_fd[fd] = NULL;
  watch(EPOLL_CTL_MOD, fd, EPOLLIN);
  return 1;
}

static void serve(int fd, uint32_t events) {
  if (pending_by_fd[fd]) {
    int state = flush_pending(fd);
    if (state < 0) drop(fd);
    if (state <= 0) return;
  }
  for (;;) {
    ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0 || answer(fd, chunk, (size_t)got) < 0) return drop(fd);
    if (pending_by_fd[fd] || !EDGE) return;
    if ((size_t)got < sizeof chunk && !(events & (EPOLLRDHUP | EPOLLHUP))) return;
  }
}

/* Serves on 127.0.0.1:port (0: any free one) until it is killed. */
static void serve_all(int port) {
  struct epoll_event events[kEvents];
  int listener = listen_on(port, SOCK_NONBLOCK);
  poller = epoll_create1(EPOLL_CLOEXEC);
  /* The listener stays level: what is left after 64 accepts is reported again. */
  struct epoll_event accepting = {.events = EPOLLIN, .data.fd = listener};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &accepting) < 0) fail("epoll");
  for (;;) {
    int count = epoll_wait(poller, events, kEvents, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener)
        accept_all(listener);
      else
        serve(events[i].data.fd, events[i].events);
    }
  }
}

#endif
