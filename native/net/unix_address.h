// Names of unix sockets. One that begins with @ is in the abstract namespace (unix(7)).
#pragma once

#include <sys/socket.h>

#include <string>

namespace gaidaros {

// The size of the address that `path` became in `storage`; 0 where it is empty or too long.
socklen_t unix_address(const std::string& path, sockaddr_storage& storage);
// Empty for a socket without a name.
std::string unix_path(const sockaddr_storage& storage, socklen_t size);

}  // namespace gaidaros
