#include "http.h"

#include <strings.h>

#include <charconv>
#include <cstring>

namespace bench {

namespace {

constexpr std::string_view kStatus = "HTTP/1.1 200";
constexpr std::string_view kLength = "content-length:";
constexpr std::string_view kCoding = "transfer-encoding:";
// A head that does not end is an error, not something to wait for.
constexpr size_t kLongestHead = 16384;

struct Head {
  const char* why = nullptr;
  bool has_length = false;
};

bool has_name(std::string_view line, std::string_view name) {
  return line.size() >= name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0;
}

void read_status(std::string_view line, Head& head) {
  bool is_right =
      line.starts_with(kStatus) && (line.size() == kStatus.size() || line[kStatus.size()] == ' ');
  if (!is_right) head.why = "the status line is not that of 200";
}

void read_length(std::string_view value, Head& head) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  size_t length = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  bool is_number = error == std::errc() && end == value.data() + value.size();
  if (!is_number || length != kHttpBody.size())
    head.why = "the Content-Length is not that of the body";
  if (head.has_length) head.why = "there are two Content-Lengths";
  head.has_length = true;
}

void read_field(std::string_view line, Head& head) {
  char first = static_cast<char>(line.front() | 0x20);
  if (first == 'c' && has_name(line, kLength)) read_length(line.substr(kLength.size()), head);
  if (first == 't' && has_name(line, kCoding)) head.why = "there is a Transfer-Encoding";
}

}  // namespace

Response ResponseReader::parse(std::string_view bytes) {
  Head head;
  size_t at = 0;
  for (;;) {
    const auto* feed =
        static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
    if (feed == nullptr && bytes.size() > kLongestHead) return {0, "the head does not end"};
    if (feed == nullptr) return {};
    auto end = static_cast<size_t>(feed - bytes.data());
    if (end == at || bytes[end - 1] != '\r') return {0, "a line of the head does not end in CRLF"};
    std::string_view line = bytes.substr(at, end - 1 - at);
    bool is_status = at == 0;
    at = end + 1;
    if (is_status)
      read_status(line, head);
    else if (line.empty())
      break;
    else
      read_field(line, head);
    if (head.why != nullptr) return {0, head.why};
  }
  if (!head.has_length) return {0, "there is no Content-Length"};
  if (bytes.size() - at < kHttpBody.size()) return {};
  if (!bytes.substr(at).starts_with(kHttpBody)) return {0, "the body is wrong"};
  right_ = bytes.substr(0, at + kHttpBody.size());
  return {static_cast<uint32_t>(right_.size()), nullptr};
}

}  // namespace bench
