// Users and groups by name or number, from the system's databases (getpwnam(3): files, LDAP and
// what else nsswitch.conf names). Called by the bridge, on the main thread, before chroot.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace gaidaros {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// nullopt when there is none.
std::optional<Account> find_user(const std::string& name);
std::optional<Account> find_user(uid_t uid);
// `uid` means nothing.
std::optional<Account> find_group(const std::string& name);
std::optional<Account> find_group(gid_t gid);

}  // namespace gaidaros
