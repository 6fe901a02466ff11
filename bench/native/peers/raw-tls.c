/* What TLS costs at the least: an echo server by hand on epoll (edge) and OpenSSL, one thread, sockets given to OpenSSL.
 *
 *   raw-tls PORT CERTIFICATE KEY
 *
 * It answers what fits into the socket's buffer and closes what does not: enough for short requests. */
#define _GNU_SOURCE
#include "listen.h"
#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { kEvents = 512, kRecvBytes = 16384 };

static char chunk[kRecvBytes];
static SSL_CTX *context;
static int poller;

static void watch(int fd, void *data) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = data};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) fail("SSL_new");
    SSL_set_accept_state(ssl);
    watch(fd, ssl);
  }
}

static void drop(SSL *ssl) {
  int fd = SSL_get_fd(ssl);
  SSL_free(ssl);
  close(fd);
}

static void serve(SSL *ssl) {
  for (;;) {
    int got = SSL_read(ssl, chunk, sizeof chunk);
    if (got <= 0 && SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ) return;
    if (got <= 0 || SSL_write(ssl, chunk, got) != got) return drop(ssl);
  }
}

int main(int argc, char **argv) {
  struct epoll_event events[kEvents];
  if (argc < 4) return fprintf(stderr, "raw-tls: wanted PORT CERTIFICATE KEY\n"), 2;
  context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, argv[2]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1)
    return fprintf(stderr, "raw-tls: %s or %s cannot be used\n", argv[2], argv[3]), 1;
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  int listener = listen_on(atoi(argv[1]), SOCK_NONBLOCK);
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(listener, NULL);
  for (;;) {
    int count = epoll_wait(poller, events, kEvents, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL) accept_all(listener);
      else serve(events[i].data.ptr);
    }
  }
}
