// The clock that durations are measured with.
#pragma once

#include <time.h>

#include <cstdint>

namespace gaidaros {

// CLOCK_MONOTONIC, nanoseconds: some 20 ns a call where the kernel answers without a system call.
inline uint64_t clock_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace gaidaros
