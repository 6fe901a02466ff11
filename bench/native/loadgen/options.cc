#include "options.h"

#include <arpa/inet.h>

#include <charconv>
#include <string_view>

#include "secure.h"

namespace bench {

const char* const kUsage =
    "loadgen --target [HOST:]PORT [options]\n"
    "  --connections N   connections (64)\n"
    "  --depth D         requests in flight on each (1)\n"
    "  --size B          bytes of a request, its newline included (32); not over HTTP\n"
    "  --warmup S        seconds before measuring (0.2)\n"
    "  --seconds S       seconds measured (1)\n"
    "  --expect WHAT     the response to a line: echo or upper (echo); http: GET / over HTTP/1.1, "
    "answered with Hello, World!\n"
    "  --gather SHARE    reap when this share of the connections has answered, 0 to 0.5; 0: at "
    "once (0.25)\n"
    "  --block           sleep while nothing is there, instead of the busy loop\n"
    "  --nodelay         TCP_NODELAY on the generator's sockets\n"
    "  --udp             datagrams; those that are not answered in 0.2 s are lost\n"
    "  --tls             TLS, whatever the server's certificate is\n"
    "  --pid PID         measure this server's CPU time and its wait for a core\n"
    "  --probe A,B       measure a cache line's round trip between these cores before and after\n"
    "  --json            JSON on standard output\n";

namespace {

constexpr uint64_t kLargestWindow = 16u << 20;

template <typename Number>
bool read_number(std::string_view text, Number least, Number most, Number& out) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    return false;
  out = value;
  return true;
}

bool read_target(std::string_view text, sockaddr_in& out) {
  size_t colon = text.rfind(':');
  std::string host(colon == std::string_view::npos ? "127.0.0.1" : text.substr(0, colon));
  uint16_t port = 0;
  if (!read_number<uint16_t>(text.substr(colon == std::string_view::npos ? 0 : colon + 1), 1, 65535,
                             port))
    return false;
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  return inet_pton(AF_INET, host.c_str(), &out.sin_addr) == 1;
}

bool read_cores(std::string_view text, int (&out)[2]) {
  size_t comma = text.find(',');
  if (comma == std::string_view::npos) return false;
  return read_number(text.substr(0, comma), 0, 4095, out[0]) &&
         read_number(text.substr(comma + 1), 0, 4095, out[1]);
}

bool read_expect(std::string_view text, Expect& out) {
  if (text == "upper") out = Expect::kUpper;
  if (text == "http") out = Expect::kHttp;
  return text == "upper" || text == "echo" || text == "http";
}

// What the option wants, or nullptr when it took `value`, or "" when there is no such option.
const char* read_valued(std::string_view name, std::string_view value, Options& options) {
  auto wants = [](bool taken, const char* wanted) { return taken ? nullptr : wanted; };
  if (name == "--target") return wants(read_target(value, options.target), "[IPv4:]PORT");
  if (name == "--connections")
    return wants(read_number(value, 1u, 100000u, options.connections), "1 to 100000");
  if (name == "--depth") return wants(read_number(value, 1u, 4096u, options.depth), "1 to 4096");
  if (name == "--size")
    return wants(read_number(value, 2u, 1u << 20, options.size), "2 to 1048576 bytes");
  if (name == "--warmup")
    return wants(read_number(value, 0.0, 600.0, options.warmup_s), "0 to 600 seconds");
  if (name == "--seconds")
    return wants(read_number(value, 0.01, 3600.0, options.seconds), "0.01 to 3600 seconds");
  if (name == "--expect") return wants(read_expect(value, options.expect), "echo, upper or http");
  if (name == "--gather") return wants(read_number(value, 0.0, 0.5, options.gather), "0 to 0.5");
  if (name == "--pid")
    return wants(read_number(value, 1, 1 << 30, options.server_pid), "a process id");
  if (name == "--probe") return wants(read_cores(value, options.probe_cores), "two cores, as 0,1");
  return "";
}

bool read_flag(std::string_view name, Options& options) {
  if (name == "--block") return options.block = true;
  if (name == "--nodelay") return options.nodelay = true;
  if (name == "--json") return options.json = true;
  if (name == "--udp") return options.udp = true;
  if (name == "--tls") return options.tls = true;
  return false;
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, std::string& problem) {
  Options options;
  for (int i = 1; i < argc; i++) {
    std::string name = argv[i];
    if (read_flag(name, options)) continue;
    const char* wanted = read_valued(name, i + 1 < argc ? argv[i + 1] : "", options);
    if (wanted && *wanted == '\0')
      problem = "unknown option " + name;
    else if (wanted)
      problem = name + (i + 1 < argc ? " " + std::string(argv[i + 1]) : "") + ": wanted " + wanted;
    if (wanted) return std::nullopt;
    i++;
  }
  if (options.expect == Expect::kHttp) options.size = kHttpRequest.size();
  if (options.target.sin_port == 0) problem = "--target [HOST:]PORT is wanted";
  if (uint64_t{options.depth} * options.size > kLargestWindow)
    problem = "--depth times --size: wanted at most 16 MiB";
  if (options.tls && !Secure::kBuilt)
    problem = "--tls: wanted a generator built with OpenSSL (Debian: libssl-dev)";
  if (options.tls && options.udp) problem = "--tls and --udp: wanted one of them";
  if (options.udp && options.expect == Expect::kHttp)
    problem = "--expect http and --udp: wanted one of them";
  if (!problem.empty()) return std::nullopt;
  return options;
}

}  // namespace bench
