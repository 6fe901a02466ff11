#include "socket.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace gaidaros {

namespace {

bool set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// A dead peer with queued output would otherwise last 15 minutes (pitfall 28). Accepted sockets
// inherit these from the listener, which saves four system calls a connection.
void set_inherited(int fd) {
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
}

int fail(int fd, const char* call, SystemError& error) {
  error = {call, errno};
  if (fd >= 0) close(fd);
  return -1;
}

}  // namespace

int open_listener(const ListenOptions& options, SystemError& error) {
  int fd = socket(options.address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(fd, "socket", error);
  if (!set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return fail(fd, "setsockopt", error);
  if (options.reuseport && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
    return fail(fd, "setsockopt", error);
  if (options.address.is_v6() && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only))
    return fail(fd, "setsockopt", error);
  set_inherited(fd);
  sockaddr_storage storage;
  socklen_t size = options.address.to(storage);
  if (bind(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0) return fail(fd, "bind", error);
  if (listen(fd, options.backlog) != 0) return fail(fd, "listen", error);
  return fd;
}

bool adopt_listener(int fd, SystemError& error) {
  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening) {
    error = {"getsockopt", errno != 0 ? errno : EINVAL};
    return false;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  set_inherited(fd);
  return true;
}

Address local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return Address::from(storage);
}

Address peer_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return Address::from(storage);
}

bool set_nodelay(int fd) { return set(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

bool set_cork(int fd, bool on) { return set(fd, IPPROTO_TCP, TCP_CORK, on); }

void reset_on_close(int fd) {
  linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int take_error(int fd) {
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
  return code;
}

AcceptAction classify_accept_error(int code) {
  switch (code) {
    case EAGAIN:
      return AcceptAction::stop;
    // The connection in question is gone; others may be waiting behind it.
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENONET:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case EPERM:
      return AcceptAction::next;
    default:  // EMFILE, ENFILE, ENOBUFS, ENOMEM and what nobody has thought of
      return AcceptAction::pause;
  }
}

bool is_reset(int code) {
  return code == ECONNRESET || code == EPIPE || code == ETIMEDOUT || code == ECONNABORTED;
}

}  // namespace gaidaros
