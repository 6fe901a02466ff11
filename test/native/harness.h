// The test harness of the C++ core: cases register themselves, main.cc runs them and prints TAP. Of
// our own, so that nothing but a compiler is needed. A failed check throws, which ends its case
// only.
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test {

struct Case {
  std::string name;
  std::function<void()> run;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Register {
  Register(std::string name, std::function<void()> run) {
    cases().push_back({std::move(name), std::move(run)});
  }
};

struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Ends the case as skipped, with the reason that TAP shows.
[[noreturn]] inline void skip(const std::string& reason) { throw Skipped(reason); }

template <class T>
std::string show(const T& value) {
  std::ostringstream text;
  if constexpr (std::is_enum_v<T>) {
    text << static_cast<long long>(value);
  } else if constexpr (std::is_integral_v<T> && sizeof(T) == 1 && !std::is_same_v<T, bool>) {
    text << static_cast<int>(value);
  } else if constexpr (requires { text << value; }) {
    text << value;
  } else {
    text << sizeof(T) << " bytes";
  }
  return text.str();
}

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

template <class A, class B>
void check_eq(const A& got, const B& want, const char* text, const char* file, int line) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !std::is_same_v<A, bool> &&
                !std::is_same_v<B, bool>) {
    if (std::cmp_equal(got, want)) return;
  } else if (got == want) {
    return;
  }
  fail(file, line, std::string(text) + ": got " + show(got) + ", wanted " + show(want));
}

}  // namespace test

#define TEST_JOIN_(a, b) a##b
#define TEST_JOIN(a, b) TEST_JOIN_(a, b)
// TEST_CASE("what must hold") { CHECK(...); CHECK_EQ(got, wanted); }
#define TEST_CASE(title) TEST_CASE_(title, TEST_JOIN(test_case_, __LINE__))
#define TEST_CASE_(title, id)                                     \
  static void id();                                               \
  static const ::test::Register TEST_JOIN(id, _entry){title, id}; \
  static void id()
#define CHECK(condition)                                                         \
  do {                                                                           \
    if (!(condition)) ::test::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (false)
#define CHECK_EQ(got, want) ::test::check_eq((got), (want), #got " == " #want, __FILE__, __LINE__)
