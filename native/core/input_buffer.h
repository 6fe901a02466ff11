// Received bytes of one connection that are not a whole frame yet, or that may not be handed out
// yet. Exists only while there are such bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace gaidaros {

class InputBuffer {
 public:
  uint32_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::span<const uint8_t> bytes() const { return {data_.get() + begin_, size()}; }
  // Room for at least `count` bytes behind the ones that are there. `expected` (0: unknown) is the
  // size the whole is known to reach, so that a long frame is not moved log(n) times.
  std::span<uint8_t> space(uint32_t count, uint32_t expected = 0);
  // `count` bytes were written into space().
  void commit(uint32_t count) { end_ += count; }
  void append(std::span<const uint8_t> bytes);
  // Drops bytes from the front.
  void consume(uint32_t count);

 private:
  std::unique_ptr<uint8_t[]> data_;
  uint32_t capacity_ = 0;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
};

}  // namespace gaidaros
