#include "account.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace gaidaros {

namespace {

// Both databases want a buffer whose size only trying tells (getpwnam_r(3): ERANGE).
template <typename Entry, typename Look>
std::optional<Account> look_up(Look look) {
  std::vector<char> buffer(1024);
  for (;;) {
    Entry entry{};
    Entry* found = nullptr;
    int code = look(&entry, buffer.data(), buffer.size(), &found);
    if (code == ERANGE && buffer.size() < (1u << 20)) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found == nullptr) return std::nullopt;
    if constexpr (std::is_same_v<Entry, passwd>)
      return Account{found->pw_name, found->pw_uid, found->pw_gid};
    else
      return Account{found->gr_name, 0, found->gr_gid};
  }
}

}  // namespace

std::optional<Account> find_user(const std::string& name) {
  return look_up<passwd>([&](passwd* entry, char* buffer, size_t size, passwd** found) {
    return getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
}

std::optional<Account> find_user(uid_t uid) {
  return look_up<passwd>([&](passwd* entry, char* buffer, size_t size, passwd** found) {
    return getpwuid_r(uid, entry, buffer, size, found);
  });
}

std::optional<Account> find_group(const std::string& name) {
  return look_up<group>([&](group* entry, char* buffer, size_t size, group** found) {
    return getgrnam_r(name.c_str(), entry, buffer, size, found);
  });
}

std::optional<Account> find_group(gid_t gid) {
  return look_up<group>([&](group* entry, char* buffer, size_t size, group** found) {
    return getgrgid_r(gid, entry, buffer, size, found);
  });
}

}  // namespace gaidaros
