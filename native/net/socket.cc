#include "socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "unix_address.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262  // Linux 5.6
#endif

namespace gaidaros {

namespace {

bool set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

int fail(int fd, const char* call, SystemError& error) {
  error = {call, errno};
  if (fd >= 0) close(fd);
  return -1;
}

// Errors that ICMP reports for a sender come by the error queue and not as the outcome of the next
// call, which has nothing to do with them (pitfall 29).
bool report_errors(int fd, bool is_v6) {
  return (!is_v6 || set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1)) && set(fd, IPPROTO_IP, IP_RECVERR, 1);
}

int bind_to(int fd, const sockaddr_storage& storage, socklen_t size, const ListenOptions& options,
            SystemError& error) {
  if (!set_socket_options(fd, Address::from(storage), options.socket, error)) {
    close(fd);
    return -1;
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0)
    return fail(fd, "bind", error);
  return fd;
}

int listen_on(int fd, const ListenOptions& options, SystemError& error) {
  if (fd >= 0 && listen(fd, options.backlog) != 0) return fail(fd, "listen", error);
  return fd;
}

// A bound TCP or UDP socket. No SO_REUSEADDR for UDP: of such sockets the last one takes the port
// away from the others.
int open_internet(const ListenOptions& options, int type, SystemError& error) {
  int family = options.address.family;
  bool is_stream = type == SOCK_STREAM;
  bool is_multipath = is_stream && options.socket.multipath;
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, is_multipath ? IPPROTO_MPTCP : 0);
  if (fd < 0) return fail(fd, is_multipath ? "socket IPPROTO_MPTCP" : "socket", error);
  bool is_set =
      is_stream ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : report_errors(fd, options.address.is_v6());
  if (!is_set) return fail(fd, "setsockopt", error);
  if (options.reuseport && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
    return fail(fd, "setsockopt", error);
  if (options.address.is_v6() && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only))
    return fail(fd, "setsockopt", error);
  sockaddr_storage storage;
  socklen_t size = options.address.to(storage);
  return bind_to(fd, storage, size, options, error);
}

int open_unix(const ListenOptions& options, int type, SystemError& error) {
  sockaddr_storage storage{};
  socklen_t size = unix_address(options.path, storage);
  if (size == 0) {
    error = {"bind", ENAMETOOLONG};
    return -1;
  }
  int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(fd, "socket", error);
  if (type == SOCK_DGRAM && !set(fd, SOL_SOCKET, SO_PASSCRED, 1))
    return fail(fd, "setsockopt SO_PASSCRED", error);
  // The file takes over the socket's mode, so that nobody else can connect at any moment.
  fchmod(fd, S_IRUSR | S_IWUSR);
  return bind_to(fd, storage, size, options, error);
}

// What comes while a turn is under way waits in the kernel or is lost, and its own choice has room
// for less than 300 datagrams. No more than net.core.rmem_max lets, and nothing is made less.
void widen(int fd) {
  constexpr int kBytes = 1 << 20;
  int bytes = 0;
  socklen_t size = sizeof bytes;
  // The kernel tells twice of what it was asked for (socket(7)).
  if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size) == 0 && bytes < 2 * kBytes)
    set(fd, SOL_SOCKET, SO_RCVBUF, kBytes);
}

// No options of a vsock: it has no SO_REUSEPORT, and nothing lingers that SO_REUSEADDR would be
// for.
int open_vsock(const ListenOptions& options, SystemError& error) {
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(fd, "socket", error);
  sockaddr_storage storage;
  socklen_t size = options.address.to(storage);
  return bind_to(fd, storage, size, options, error);
}

int open_stream(const ListenOptions& options, SystemError& error) {
  if (!options.path.empty())
    return open_unix(options, options.messages ? SOCK_SEQPACKET : SOCK_STREAM, error);
  return options.address.is_vsock() ? open_vsock(options, error)
                                    : open_internet(options, SOCK_STREAM, error);
}

// `name` of a socket that somebody else has made is `wanted`: it is ours from here on.
bool take_over(int fd, int name, int wanted, const std::optional<SocketOptions>& options,
               SystemError& error) {
  int found = 0;
  socklen_t size = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, name, &found, &size) != 0 || found != wanted) {
    error = {"getsockopt", errno != 0 ? errno : EINVAL};
    return false;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return !options || set_socket_options(fd, local_address(fd), *options, error);
}

}  // namespace

int open_listener(const ListenOptions& options, SystemError& error) {
  return listen_on(open_stream(options, error), options, error);
}

bool adopt_listener(int fd, const std::optional<SocketOptions>& options, SystemError& error) {
  return take_over(fd, SO_ACCEPTCONN, 1, options, error);
}

int open_datagram_socket(const ListenOptions& options, SystemError& error) {
  if (!options.path.empty()) return open_unix(options, SOCK_DGRAM, error);
  int fd = open_internet(options, SOCK_DGRAM, error);
  if (fd >= 0 && options.socket.receive_buffer == 0) widen(fd);
  return fd;
}

bool adopt_datagram_socket(int fd, const std::optional<SocketOptions>& options,
                           SystemError& error) {
  if (!take_over(fd, SO_TYPE, SOCK_DGRAM, options, error)) return false;
  Address local = local_address(fd);
  local.is_unix() ? set(fd, SOL_SOCKET, SO_PASSCRED, 1) : report_errors(fd, local.is_v6());
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

std::string local_path(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return unix_path(storage, size);
}

std::string peer_path(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return unix_path(storage, size);
}

Credentials peer_credentials(int fd) {
  ucred found{};
  socklen_t size = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &size) != 0) return {};
  return {found.pid, found.uid, found.gid};
}

void inherit_send_buffer(int fd, int listener) {
  int wanted = 0;
  int found = 0;
  socklen_t size = sizeof wanted;
  getsockopt(listener, SOL_SOCKET, SO_SNDBUF, &wanted, &size);
  getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &found, &size);
  if (wanted == found) return;
  // The kernel tells twice what it was asked for (socket(7)).
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, wanted / 2)) set(fd, SOL_SOCKET, SO_SNDBUF, wanted / 2);
}

bool set_nodelay(int fd) { return set(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

void set_quickack(int fd) { set(fd, IPPROTO_TCP, TCP_QUICKACK, 1); }

bool set_cork(int fd, bool on) { return set(fd, IPPROTO_TCP, TCP_CORK, on); }

uint32_t unacknowledged(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? static_cast<uint32_t>(bytes) : 0;
}

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
