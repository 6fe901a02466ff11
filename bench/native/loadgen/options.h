// The command line of the load generator.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

#include "connection.h"

namespace bench {

struct Options {
  sockaddr_in target{};
  uint32_t connections = 64;
  uint32_t depth = 1;
  uint32_t size = 32;
  double warmup_s = 0.2;
  double seconds = 1;
  double gather = 0.25;  // share of the connections wished for in one reap
  Expect expect = Expect::kEcho;
  bool block = false;
  bool nodelay = false;
  bool json = false;
  bool udp = false;
  bool tls = false;
  int server_pid = 0;             // 0: its CPU time is not measured
  int probe_cores[2] = {-1, -1};  // -1: no cache-line probe

  // What a response takes, about.
  [[nodiscard]] uint32_t answer_bytes() const {
    return expect == Expect::kHttp ? kHttpResponseBytes : size;
  }
};

// Reads the arguments. On misuse returns nothing and sets `problem` to what, where and what was
// wanted.
[[nodiscard]] std::optional<Options> parse_options(int argc, char** argv, std::string& problem);

extern const char* const kUsage;

}  // namespace bench
