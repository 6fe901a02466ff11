#include "unix_address.h"

#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace gaidaros {

namespace {

constexpr socklen_t kHead = offsetof(sockaddr_un, sun_path);

}  // namespace

socklen_t unix_address(const std::string& path, sockaddr_storage& storage) {
  auto& address = reinterpret_cast<sockaddr_un&>(storage);
  if (path.empty() || path.size() >= sizeof address.sun_path) return 0;
  storage = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  bool is_abstract = path[0] == '@';
  if (is_abstract) address.sun_path[0] = '\0';
  // An abstract name has no end but its size.
  return kHead + static_cast<socklen_t>(path.size()) + (is_abstract ? 0 : 1);
}

std::string unix_path(const sockaddr_storage& storage, socklen_t size) {
  const auto& address = reinterpret_cast<const sockaddr_un&>(storage);
  if (storage.ss_family != AF_UNIX || size <= kHead) return {};
  if (address.sun_path[0] != '\0')
    return {address.sun_path, strnlen(address.sun_path, size - kHead)};
  std::string path(address.sun_path, size - kHead);
  path[0] = '@';
  return path;
}

}  // namespace gaidaros
