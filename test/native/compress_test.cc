// Compression without a loop: streams cut everywhere, into rooms of every size, and their limits.
#include "compress/library.h"
#include "harness.h"
#include "inflating.h"

namespace {

using gaidaros::CodecPool;
using gaidaros::CompressOptions;
using gaidaros::Method;
using gaidaros::Reason;
using test::deflate;
using test::inflate;
using test::Inflated;

std::unique_ptr<CodecPool> pool_of(Method method) {
  CompressOptions options;
  options.method = method;
  std::string error;
  std::unique_ptr<CodecPool> pool = CodecPool::make(options, error);
  if (!pool) test::skip(error);
  return pool;
}

std::string text_of(size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; i++) text += std::to_string(i * 7919) + "\n";
  return text;
}

void comes_back(Method method) {
  std::unique_ptr<CodecPool> pool = pool_of(method);
  std::vector<std::string> replies = {"one\n", text_of(200'000), "", "two\n"};
  std::string plain = replies[0] + replies[1] + replies[3];
  std::string wire = deflate(*pool, replies);
  CHECK(wire.size() < plain.size());
  // Contexts of the pool are used anew.
  CHECK_EQ(deflate(*pool, replies) == wire, true);
  for (size_t step : {size_t{1}, size_t{7}, size_t{4096}, wire.size()})
    for (size_t room : {size_t{64}, size_t{16 * 1024}, plain.size(), plain.size() + 1})
      CHECK((inflate(*pool, wire, step, room) == Inflated{plain, false, Reason::end}));
}

TEST_CASE("zlib: a stream comes back, however it is cut") { comes_back(Method::zlib); }
TEST_CASE("gzip: a stream comes back, however it is cut") { comes_back(Method::gzip); }
TEST_CASE("zstd: a stream comes back, however it is cut") { comes_back(Method::zstd); }
TEST_CASE("brotli: a stream comes back, however it is cut") { comes_back(Method::brotli); }

void is_cut_short(Method method) {
  std::unique_ptr<CodecPool> pool = pool_of(method);
  std::string wire = deflate(*pool, {"one\n", "two\n"});
  for (size_t size = 1; size < wire.size(); size++)
    for (size_t step : {size_t{1}, size}) {
      Inflated cut = inflate(*pool, wire.substr(0, size), step, 100);
      CHECK(cut.is_refused);
      CHECK_EQ(cut.reason, Reason::inflate_truncated);
    }
  CHECK_EQ(inflate(*pool, "", 1, 100).is_refused, false);
  for (size_t step : {size_t{1}, wire.size() + 1}) {
    Inflated more = inflate(*pool, wire + "x", step, 100);
    CHECK_EQ(more.plain, "one\ntwo\n");
    CHECK_EQ(more.reason, Reason::inflate_trailing);
  }
}

TEST_CASE("zlib: truncation and what stands behind the end") { is_cut_short(Method::zlib); }
TEST_CASE("gzip: truncation and what stands behind the end") { is_cut_short(Method::gzip); }
TEST_CASE("zstd: truncation and what stands behind the end") { is_cut_short(Method::zstd); }
TEST_CASE("brotli: truncation and what stands behind the end") { is_cut_short(Method::brotli); }

TEST_CASE("gzip and zstd: streams may follow one another, and zeros those of gzip") {
  for (Method method : {Method::gzip, Method::zstd}) {
    std::unique_ptr<CodecPool> pool = pool_of(method);
    std::string wire = deflate(*pool, {"one\n"}) + deflate(*pool, {}) + deflate(*pool, {"two\n"});
    for (size_t step : {size_t{1}, size_t{5}, wire.size()})
      for (size_t room : {size_t{1}, size_t{4}, size_t{100}})
        CHECK((inflate(*pool, wire, step, room) == Inflated{"one\ntwo\n", false, Reason::end}));
    Inflated padded = inflate(*pool, wire + std::string(9, '\0'), 5, 4);
    CHECK_EQ(padded.plain, "one\ntwo\n");
    CHECK_EQ(padded.is_refused, method != Method::gzip);
  }
}

TEST_CASE("brotli: a stream that breaks off gives what was in it, however little room there is") {
  std::unique_ptr<CodecPool> pool = pool_of(Method::brotli);
  std::string wire = deflate(*pool, {text_of(20'000), text_of(20'000)});
  wire.resize(wire.size() / 2);
  Inflated whole = inflate(*pool, wire, wire.size(), 1 << 20);
  CHECK(whole.plain.size() > 0);
  for (size_t room : {size_t{1}, size_t{64}, size_t{16 * 1024}})
    CHECK(inflate(*pool, wire, wire.size(), room) == whole);
}

TEST_CASE("a bomb is stopped by ratio and by burst, whatever the room") {
  for (Method method : {Method::zlib, Method::gzip, Method::zstd, Method::brotli}) {
    std::string error;
    CompressOptions options;
    options.method = method;
    std::unique_ptr<CodecPool> pool = CodecPool::make(options, error);
    if (!pool) continue;
    std::string bomb = deflate(*pool, {std::string(8 << 20, 'x')});
    for (size_t room : {size_t{1000}, size_t{16 * 1024}}) {
      Inflated ratio = inflate(*pool, bomb, bomb.size(), room, {0, 10});
      CHECK_EQ(ratio.reason, Reason::inflate_limit);
      CHECK(ratio.plain.size() <= std::max<size_t>(64 * 1024, 10 * bomb.size()));
      Inflated burst = inflate(*pool, bomb, bomb.size(), room, {100'000, 0});
      CHECK_EQ(burst.reason, Reason::inflate_limit);
      CHECK(burst.plain.size() <= 100'000);
    }
  }
}

TEST_CASE("a library that is not there is said to be missing, and what to install") {
  gaidaros::Library library("libgaidaros-none.so.9", "none1");
  void (*function)() = nullptr;
  CHECK_EQ(library.find("gaidaros_none", function), false);
  CHECK_EQ(library.why(),
           "there is no libgaidaros-none.so.9 here: install the package none1 or its like");
}

}  // namespace
