#include "report.h"

#include <cstdio>

namespace bench {

namespace {

struct Figures {
  double seconds, rps, idle_share, server_cpu_us, server_cpu_share, server_wait_share,
      own_wait_share, steal_share;
};

Figures figures_of(const Result& result) {
  auto span = static_cast<double>(result.after.at_ns - result.before.at_ns);
  auto share = [&](uint64_t after, uint64_t before) {
    return after < before ? 0 : static_cast<double>(after - before) / span;
  };
  double requests = static_cast<double>(result.requests);
  double cpu_share = share(result.after.server_cpu_ns, result.before.server_cpu_ns);
  return {
      .seconds = span / 1e9,
      .rps = requests / (span / 1e9),
      .idle_share = static_cast<double>(result.idle_ns) / span,
      .server_cpu_us = requests > 0 ? cpu_share * span / 1e3 / requests : 0,
      .server_cpu_share = cpu_share,
      .server_wait_share = share(result.after.server_wait_ns, result.before.server_wait_ns),
      .own_wait_share = share(result.after.own_wait_ns, result.before.own_wait_ns),
      .steal_share = share(result.after.stolen_ns, result.before.stolen_ns),
  };
}

double us(uint64_t ns) { return static_cast<double>(ns) / 1e3; }

// The texts are ours or strerror's: quotes and backslashes are all that can need it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + '"';
}

}  // namespace

void print_json(const Options& options, const Result& result, const Distance& distance) {
  Figures f = figures_of(result);
  const Errors& errors = result.errors;
  std::printf("{\"connections\":%u,\"depth\":%u,\"size\":%u,\"block\":%s,", options.connections,
              options.depth, options.size, options.block ? "true" : "false");
  std::printf(
      "\"seconds\":%.6f,\"lost\":%llu,\"requests\":%llu,\"requests_per_s\":%.1f,\"idle_share\":%."
      "4f,\"enters\":%"
      "llu,",
      f.seconds, static_cast<unsigned long long>(result.lost),
      static_cast<unsigned long long>(result.requests), f.rps, f.idle_share,
      static_cast<unsigned long long>(result.enters));
  std::printf(
      "\"latency_us\":{\"mean\":%.3f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%"
      ".3f},",
      result.latency.mean() / 1e3, us(result.latency.quantile(0.5)),
      us(result.latency.quantile(0.9)), us(result.latency.quantile(0.99)),
      us(result.latency.quantile(0.999)), us(result.latency.max()));
  std::printf(
      "\"errors\":{\"total\":%llu,\"wrong_bytes\":%llu,\"unasked_bytes\":%llu,\"closed\":%llu,"
      "\"system\":%llu,"
      "\"unanswered\":%llu,\"first\":%s},",
      static_cast<unsigned long long>(errors.total()),
      static_cast<unsigned long long>(errors.wrong_bytes),
      static_cast<unsigned long long>(errors.unasked_bytes),
      static_cast<unsigned long long>(errors.closed),
      static_cast<unsigned long long>(errors.system),
      static_cast<unsigned long long>(errors.unanswered), quoted(errors.first).c_str());
  std::printf("\"server\":{\"cpu_us_per_request\":%.4f,\"cpu_share\":%.4f,\"wait_share\":%.4f},",
              f.server_cpu_us, f.server_cpu_share, f.server_wait_share);
  std::printf(
      "\"environment\":{\"own_wait_share\":%.4f,\"steal_share\":%.4f,\"cache_line_ns\":[%.1f,%.1f]}"
      "}\n",
      f.own_wait_share, f.steal_share, distance.before_ns, distance.after_ns);
}

void print_text(const Options& options, const Result& result, const Distance& distance) {
  Figures f = figures_of(result);
  std::printf("%u connections x %u in flight, %u bytes, %.2f s\n", options.connections,
              options.depth, options.size, f.seconds);
  std::printf("  %.0f requests/s; the generator was idle %.1f %% of the time\n", f.rps,
              f.idle_share * 100);
  if (options.udp)
    std::printf("  %llu lost, %.4f %%\n", static_cast<unsigned long long>(result.lost),
                result.requests == 0 ? 100.0
                                     : 100.0 * static_cast<double>(result.lost) /
                                           static_cast<double>(result.requests + result.lost));
  std::printf("  latency us: p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n",
              us(result.latency.quantile(0.5)), us(result.latency.quantile(0.9)),
              us(result.latency.quantile(0.99)), us(result.latency.quantile(0.999)),
              us(result.latency.max()));
  if (options.server_pid > 0)
    std::printf("  server: %.3f us of CPU a request, %.1f %% of a core, waited %.1f %%\n",
                f.server_cpu_us, f.server_cpu_share * 100, f.server_wait_share * 100);
  std::printf("  generator waited %.1f %%, stolen %.1f %%\n", f.own_wait_share * 100,
              f.steal_share * 100);
  if (distance.before_ns >= 0)
    std::printf("  cache line round trip: %.0f ns, %.0f ns\n", distance.before_ns,
                distance.after_ns);
  if (!result.errors.first.empty())
    std::printf("  ERRORS %llu: %s\n", static_cast<unsigned long long>(result.errors.total()),
                result.errors.first.c_str());
}

}  // namespace bench
