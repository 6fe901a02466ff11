// The HTTP/1.1 that the generator speaks: one request, and the responses to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

constexpr std::string_view kHttpRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kHttpBody = "Hello, World!";
// What a response with the usual fields takes at most.
constexpr uint32_t kHttpResponseBytes = 256;

struct Response {
  uint32_t length = 0;        // bytes of head and body; 0: the end has not come
  const char* why = nullptr;  // what is wrong with it
};

// Reads responses, of whichever connection.
class ResponseReader {
 public:
  // Reads the response that `bytes` begin with. It must have status 200, kHttpBody as its body and
  // a Content-Length that says so.
  [[nodiscard]] Response read(std::string_view bytes) {
    // Equal to one that was right, down to the Date: nothing in it can be wrong.
    if (!right_.empty() && bytes.starts_with(right_))
      return {static_cast<uint32_t>(right_.size()), nullptr};
    return parse(bytes);
  }

 private:
  Response parse(std::string_view bytes);

  std::string right_;  // the last one that was read through
};

}  // namespace bench
