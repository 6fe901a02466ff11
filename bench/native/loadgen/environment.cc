#include "environment.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

namespace bench {

uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

namespace {

struct Schedule {
  unsigned long long ran_ns = 0, waited_ns = 0;
};

// /proc/PID/schedstat of the main thread (Linux, Documentation/scheduler/sched-stats.rst).
Schedule read_schedule(const std::string& who) {
  Schedule schedule;
  FILE* file = std::fopen(("/proc/" + who + "/schedstat").c_str(), "re");
  if (!file) return schedule;
  if (std::fscanf(file, "%llu %llu", &schedule.ran_ns, &schedule.waited_ns) != 2) schedule = {};
  std::fclose(file);
  return schedule;
}

uint64_t read_process_cpu_ns(int pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<uint64_t>(used.tv_sec) * 1000000000u + static_cast<uint64_t>(used.tv_nsec);
}

uint64_t read_stolen_ns() {
  unsigned long long ticks = 0;
  FILE* file = std::fopen("/proc/stat", "re");
  if (!file) return 0;
  if (std::fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) != 1) ticks = 0;
  std::fclose(file);
  return ticks * (1000000000u / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
}

bool pin_to(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  return pthread_setaffinity_np(pthread_self(), sizeof cores, &cores) == 0;
}

constexpr int kBatches = 21, kTripsPerBatch = 100;
constexpr uint32_t kTrips = kBatches * kTripsPerBatch;

}  // namespace

Usage read_usage(int server_pid) {
  Usage usage;
  usage.stolen_ns = read_stolen_ns();
  usage.own_wait_ns = read_schedule("self").waited_ns;
  if (server_pid > 0) {
    Schedule main_thread = read_schedule(std::to_string(server_pid));
    usage.server_cpu_ns = read_process_cpu_ns(server_pid);
    uint64_t other_threads_ns =
        usage.server_cpu_ns - std::min<uint64_t>(usage.server_cpu_ns, main_thread.ran_ns);
    usage.server_wait_ns =
        main_thread.waited_ns - std::min<uint64_t>(main_thread.waited_ns, other_threads_ns);
  }
  usage.at_ns = now_ns();
  return usage;
}

double cache_line_round_trip_ns(const int (&cores)[2]) {
  struct alignas(64) Line {
    std::atomic<uint32_t> value{0};
  };
  Line ball;
  std::atomic<int> pinned{0};
  std::array<double, kBatches> batch_ns{};
  auto meet = [&](int core) {
    // -100: the other side must not wait for a thread that will never come.
    if (pin_to(core))
      pinned++;
    else
      pinned = -100;
    // Yields: the other thread may still stand in line for this core.
    while (pinned >= 0 && pinned < 2) sched_yield();
    return pinned == 2;
  };
  std::thread partner([&] {
    if (!meet(cores[1])) return;
    for (uint32_t trip = 0; trip < kTrips; trip++) {
      while (ball.value.load(std::memory_order_acquire) != trip * 2 + 1) {
      }
      ball.value.store(trip * 2 + 2, std::memory_order_release);
    }
  });
  bool met = false;
  // Not on the calling thread: its own pinning stays what it was.
  std::thread server([&] {
    met = meet(cores[0]);
    for (uint32_t trip = 0; met && trip < kTrips;) {
      uint64_t start = now_ns();
      for (int i = 0; i < kTripsPerBatch; i++, trip++) {
        ball.value.store(trip * 2 + 1, std::memory_order_release);
        while (ball.value.load(std::memory_order_acquire) != trip * 2 + 2) {
        }
      }
      batch_ns[trip / kTripsPerBatch - 1] = static_cast<double>(now_ns() - start) / kTripsPerBatch;
    }
  });
  partner.join();
  server.join();
  if (!met) return -1;
  std::nth_element(batch_ns.begin(), batch_ns.begin() + kBatches / 2, batch_ns.end());
  return batch_ns[kBatches / 2];
}

}  // namespace bench
