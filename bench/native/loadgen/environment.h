// What the machine did during a turn: CPU time of the server, time that it or the generator waited
// for a core that another process had, time the hypervisor stole, and how far apart the two cores
// are.
#pragma once

#include <cstdint>

namespace bench {

// Monotonic nanoseconds.
uint64_t now_ns();

// Running totals, in nanoseconds; subtract two of them.
struct Usage {
  uint64_t at_ns = 0;
  uint64_t server_cpu_ns = 0;  // all threads, user and system
  uint64_t server_wait_ns =
      0;  // runnable without a core, less what its own threads took from each other
  uint64_t own_wait_ns = 0;
  uint64_t stolen_ns = 0;  // over all cores
};

// `server_pid` 0 leaves the server's figures at 0. Reads /proc; never fails (a missing figure is
// 0).
Usage read_usage(int server_pid);

// Median round trip of a cache line between two cores in ns: two threads pinned there pass a
// counter. About 95 ns between neighbours; far more when a virtual CPU was moved or a core is
// shared. -1: a core could not be had.
double cache_line_round_trip_ns(const int (&cores)[2]);

}  // namespace bench
