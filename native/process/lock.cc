#include "lock.h"

#include <fcntl.h>

#include <cerrno>

namespace gaidaros {

namespace {

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

bool lock_file(int fd, SystemError& error) {
  struct flock lock = whole_file();
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  error = {"fcntl", errno};
  return false;
}

bool is_locked(int fd, bool& locked, SystemError& error) {
  struct flock lock = whole_file();
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) {
    error = {"fcntl", errno};
    return false;
  }
  locked = lock.l_type != F_UNLCK;
  return true;
}

}  // namespace gaidaros
