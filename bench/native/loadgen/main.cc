// loadgen: asks a line server at a fixed concurrency and checks every byte of every response; or an
// HTTP server, and checks status and body.
// Exit code 0; 1 errors were seen or no connection was to be had; 2 misuse; 4 the kernel refuses
// io_uring.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "client.h"
#include "datagrams.h"
#include "report.h"

namespace {

// Connecting ten thousand times, a stall, the last responses and the close, on a slow machine.
constexpr unsigned kPatienceS = 45;

}  // namespace

int main(int argc, char** argv) {
  std::string problem;
  auto options = bench::parse_options(argc, argv, problem);
  if (!options) {
    std::fprintf(stderr, "loadgen: %s\n%s", problem.c_str(), bench::kUsage);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  // Whatever happens to its parent or to the server: a busy loop on a core must end.
  alarm(static_cast<unsigned>(options->warmup_s + options->seconds) + kPatienceS);
  bool probing = options->probe_cores[0] >= 0;
  bench::Distance distance;
  if (probing) distance.before_ns = bench::cache_line_round_trip_ns(options->probe_cores);
  bool ring_refused = false;
  bench::Client client(*options);
  bench::DatagramClient datagrams(*options);
  problem = options->udp ? datagrams.open() : client.open(ring_refused);
  if (!problem.empty()) {
    std::fprintf(stderr, "loadgen: %s\n", problem.c_str());
    return ring_refused ? 4 : 1;
  }
  auto result = std::make_unique<bench::Result>();
  options->udp ? datagrams.run(*result) : client.run(*result);
  if (probing) distance.after_ns = bench::cache_line_round_trip_ns(options->probe_cores);
  (options->json ? bench::print_json : bench::print_text)(*options, *result, distance);
  return result->errors.first.empty() ? 0 : 1;
}
