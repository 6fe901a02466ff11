// Runs every registered case, or those whose name contains argv[1], and prints TAP 14.
#include <cstdio>
#include <exception>
#include <string>

#include "harness.h"

namespace {

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '#') c = ' ';
  }
  return text;
}

// True unless the case failed.
bool run_case(size_t number, const test::Case& c) {
  const std::string name = one_line(c.name);
  try {
    c.run();
  } catch (const test::Skipped& reason) {
    std::printf("ok %zu - %s # SKIP %s\n", number, name.c_str(), one_line(reason.what()).c_str());
    return true;
  } catch (const std::exception& error) {
    std::printf("not ok %zu - %s\n# %s\n", number, name.c_str(), one_line(error.what()).c_str());
    return false;
  }
  std::printf("ok %zu - %s\n", number, name.c_str());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  // A crash must not swallow the cases before it.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string wanted = argc > 1 ? argv[1] : "";
  size_t number = 0;
  size_t failed = 0;
  std::printf("TAP version 14\n");
  for (const test::Case& c : test::cases()) {
    if (c.name.find(wanted) == std::string::npos) continue;
    if (!run_case(++number, c)) failed++;
  }
  std::printf("1..%zu\n", number);
  return failed == 0 && number > 0 ? 0 : 1;
}
