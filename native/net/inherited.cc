#include "inherited.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "unix_address.h"

namespace gaidaros {

namespace {

bool option(int fd, int name, int& value) {
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0;
}

}  // namespace

bool describe_socket(int fd, InheritedSocket& socket, SystemError& error) {
  int listening = 0;
  if (!option(fd, SO_DOMAIN, socket.family) || !option(fd, SO_TYPE, socket.type)) {
    error = {"getsockopt", errno};
    return false;
  }
  // Datagram sockets of some families do not know the question: they do not listen either.
  socket.listening = option(fd, SO_ACCEPTCONN, listening) && listening != 0;
  socket.address = local_address(fd);
  return true;
}

int connect_unix_datagram(const std::string& name, SystemError& error) {
  sockaddr_storage address{};
  socklen_t size = unix_address(name, address);
  if (size == 0) {
    error = {"connect", name.empty() ? EINVAL : ENAMETOOLONG};
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    error = {"socket", errno};
    return -1;
  }
  timeval patience{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
  error = {"connect", errno};
  close(fd);
  return -1;
}

}  // namespace gaidaros
