// One connection of the generator: the requests in flight, kept byte for byte until they are
// answered, so that each byte of each response is compared with what was asked. Over HTTP all
// requests are the same, and what is compared is status, length and body.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "http.h"

namespace bench {

enum class Expect { kEcho, kUpper, kHttp };

// Writes a request: letters from `base` to `base` + 15 drawn from (connection, number), then a
// newline. The mix is a bijection, so no two requests of 17 bytes or more are equal within a run.
inline void write_request(char* out, uint32_t size, uint64_t key, char base) {
  uint32_t letters = size - 1;
  uint64_t add = 0x0101010101010101u * static_cast<unsigned char>(base);
  for (uint32_t at = 0; at < letters; at += 16) {
    uint64_t mix = (key + at / 16 * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    mix ^= mix >> 29;
    mix *= 0x94d049bb133111ebu;
    mix ^= mix >> 32;
    uint64_t words[2] = {(mix & 0x0f0f0f0f0f0f0f0fu) + add, (mix >> 4 & 0x0f0f0f0f0f0f0f0fu) + add};
    std::memcpy(out + at, words, letters - at < 16 ? letters - at : 16);
  }
  out[letters] = '\n';
}

// What a chunk that came in was.
struct Verdict {
  enum Kind { kRight, kWrong, kUnasked } kind = kRight;
  uint64_t request = 0;       // of this connection, from 0
  uint32_t byte = 0;          // within the response
  const char* why = nullptr;  // over HTTP: what is wrong with it
};

class Connection {
 public:
  // With `reader` it speaks HTTP, and `expect` says nothing more.
  Connection(uint32_t index, uint32_t depth, uint32_t size, Expect expect, ResponseReader* reader)
      : key_(uint64_t{index + 1} << 40),
        depth_(depth),
        slots_(depth * 2),
        size_(size),
        reader_(reader),
        asked_(slots_ * size),
        wanted_(expect == Expect::kUpper ? slots_ * size : 0),
        asked_at_ns_(slots_) {
    for (uint32_t i = 0; reader_ != nullptr && i < slots_; i++)
      kHttpRequest.copy(asked_.data() + i * size_, size_);
  }

  int fd = -1;
  bool sending = false;    // one send in flight, or order is lost
  bool dirty = false;      // on the list of those that may send
  bool receiving = false;  // a multishot receive is armed
  bool failed = false;     // an error was counted; takes no further part
  uint64_t answered = 0;

  struct Bytes {
    const char* data;
    uint32_t length;
  };

  // Makes as many new requests as the depth and the end of the ring allow and returns them as one
  // run; what lies beyond the end of the ring is the next run's.
  Bytes ask(uint64_t now_ns) {
    uint32_t first = static_cast<uint32_t>(asked_count_ % slots_);
    uint32_t wish = depth_ - static_cast<uint32_t>(asked_count_ - answered);
    uint32_t count = std::min(wish, slots_ - first);
    for (uint32_t i = 0; i < count; i++) make(first + i, now_ns);
    return {asked_.data() + first * size_, count * size_};
  }

  // Checks received bytes against the requests in flight; `on_answer(asked_at_ns)` for each whole
  // response.
  template <typename OnAnswer>
  Verdict take(const char* bytes, uint32_t length, OnAnswer on_answer) {
    if (reader_ != nullptr) return take_responses(bytes, length, on_answer);
    while (length > 0) {
      uint64_t pending = (asked_count_ - answered) * size_ - partial_;
      if (pending == 0) return {Verdict::kUnasked, answered, 0};
      uint32_t at = static_cast<uint32_t>(answered % slots_) * size_ + partial_;
      auto run = static_cast<uint32_t>(std::min<uint64_t>({length, pending, slots_ * size_ - at}));
      const char* wanted = (wanted_.empty() ? asked_ : wanted_).data() + at;
      if (std::memcmp(bytes, wanted, run) != 0) return differing(bytes, wanted);
      bytes += run;
      length -= run;
      for (partial_ += run; partial_ >= size_; partial_ -= size_)
        on_answer(asked_at_ns_[answered++ % slots_]);
    }
    return {};
  }

  [[nodiscard]] uint64_t in_flight() const { return asked_count_ - answered; }

 private:
  // A response that has come in parts is read again from its first byte.
  template <typename OnAnswer>
  Verdict take_responses(const char* bytes, uint32_t length, OnAnswer on_answer) {
    std::string_view rest(bytes, length);
    if (!begun_.empty()) rest = begun_.append(rest);
    while (!rest.empty()) {
      if (in_flight() == 0) return {Verdict::kUnasked, answered, 0};
      Response response = reader_->read(rest);
      if (response.why != nullptr) return {Verdict::kWrong, answered, 0, response.why};
      if (response.length == 0) break;
      rest.remove_prefix(response.length);
      on_answer(asked_at_ns_[answered++ % slots_]);
    }
    if (!rest.empty() || !begun_.empty()) begun_ = std::string(rest);
    return {};
  }

  void make(uint32_t slot, uint64_t now_ns) {
    asked_at_ns_[slot] = now_ns;
    uint64_t key = key_ + asked_count_++;
    if (reader_ != nullptr) return;
    write_request(asked_.data() + slot * size_, size_, key, 'a');
    if (!wanted_.empty()) write_request(wanted_.data() + slot * size_, size_, key, 'A');
  }

  [[nodiscard]] Verdict differing(const char* bytes, const char* wanted) const {
    uint32_t same = 0;
    while (bytes[same] == wanted[same]) same++;
    uint32_t byte = partial_ + same;
    return {Verdict::kWrong, answered + byte / size_, byte % size_};
  }

  uint64_t key_;
  uint32_t depth_, slots_, size_;
  ResponseReader* reader_;
  uint32_t partial_ = 0;  // bytes of the next response that have come
  uint64_t asked_count_ = 0;
  std::vector<char> asked_, wanted_;
  std::string begun_;  // over HTTP: the part of the next response that has come
  std::vector<uint64_t> asked_at_ns_;
};

}  // namespace bench
