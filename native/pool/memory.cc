#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace gaidaros {

PoolMemory::~PoolMemory() {
  if (channels_ != nullptr) munmap(channels_, count_ * sizeof(Channel));
  if (fd_ >= 0) ::close(fd_);
}

int PoolMemory::create(uint32_t channels) {
  fd_ = memfd_create("gaidaros", MFD_CLOEXEC);
  if (fd_ < 0) return errno;
  if (ftruncate(fd_, static_cast<off_t>(channels * sizeof(Channel))) != 0) return errno;
  return map(fd_, channels);
}

int PoolMemory::map(int fd, uint32_t channels) {
  void* memory = mmap(nullptr, channels * sizeof(Channel), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (memory == MAP_FAILED) return errno;
  channels_ = static_cast<Channel*>(memory);
  count_ = channels;
  return 0;
}

}  // namespace gaidaros
