// What a descriptor is that somebody else has opened: systemd, or a process before this one. Called
// by the bridge, on the main thread, before any engine exists.
#pragma once

#include <string>

#include "address.h"
#include "socket.h"

namespace gaidaros {

struct InheritedSocket {
  int family = 0;  // AF_INET, AF_INET6, AF_UNIX, AF_VSOCK ...
  int type = 0;    // SOCK_STREAM ...
  bool listening = false;
  Address address;  // not of AF_UNIX
};

// False with `error` set when `fd` is no socket, or not open.
bool describe_socket(int fd, InheritedSocket& socket, SystemError& error);

// A datagram socket connected to a unix address, or -1 with `error` set. A name that begins with @
// is in the abstract namespace (unix(7)), as NOTIFY_SOCKET may be. Writing to it waits a second at
// most.
int connect_unix_datagram(const std::string& name, SystemError& error);

}  // namespace gaidaros
