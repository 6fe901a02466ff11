// The memory that a server process shares with its workers: a memfd with one channel for each of
// them. Whoever has the descriptor maps it; addresses differ, offsets do not.
#pragma once

#include <cstdint>

#include "channel.h"

namespace gaidaros {

class PoolMemory {
 public:
  PoolMemory() = default;
  ~PoolMemory();
  PoolMemory(const PoolMemory&) = delete;
  PoolMemory& operator=(const PoolMemory&) = delete;

  // Makes it, or maps what somebody else made (the descriptor stays the caller's). 0, or the errno
  // of memfd_create(2), ftruncate(2) or mmap(2). Pages cost nothing before they are used.
  int create(uint32_t channels);
  int map(int fd, uint32_t channels);

  int fd() const { return fd_; }
  Channel& channel(uint32_t index) { return channels_[index]; }

 private:
  int fd_ = -1;  // -1 where it is somebody else's
  Channel* channels_ = nullptr;
  uint32_t count_ = 0;
};

}  // namespace gaidaros
