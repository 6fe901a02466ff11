#include "probe.h"

#include <sys/mman.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "ring.h"

namespace gaidaros {

namespace {

std::string setup_failure(int code) {
  std::string text = std::string("io_uring_setup: ") + std::strerror(code);
  switch (code) {
    case EPERM: {
      int level = 0;
      if (FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re")) {
        if (std::fscanf(file, "%d", &level) != 1) level = 0;
        std::fclose(file);
      }
      return text + (level > 0 ? " (kernel.io_uring_disabled is " + std::to_string(level) + ")"
                               : " (seccomp or another policy forbids it)");
    }
    case ENOSYS:
      return text + " (the kernel has no io_uring: Linux 5.1 or later, CONFIG_IO_URING)";
    case ENOMEM:
      return text + " (raise RLIMIT_MEMLOCK)";
    default:
      return text;
  }
}

// Multishot receive came with 6.0 and cannot be probed by opcode alone.
bool kernel_at_least(int major, int minor) {
  utsname name;
  int found_major = 0;
  int found_minor = 0;
  if (uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &found_major, &found_minor) != 2)
    return false;
  return found_major > major || (found_major == major && found_minor >= minor);
}

}  // namespace

std::string batching_refusal() {
  Ring ring;
  int code = ring.open(4, 8, 0);
  return code == 0 ? "" : setup_failure(code);
}

std::string completion_refusal() {
  Ring ring;
  if (int code = ring.open(4, 8, 0); code != 0) return setup_failure(code);
  if (!kernel_at_least(6, 0))
    return "io_uring here has no multishot receive: Linux 6.0 or later is wanted";
  if (!(ring.features() & IORING_FEAT_EXT_ARG))
    return "io_uring here has no timed wait: Linux 5.11 or later is wanted";
  return "";
}

}  // namespace gaidaros
