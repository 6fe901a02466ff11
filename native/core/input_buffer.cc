#include "input_buffer.h"

#include <algorithm>
#include <cstring>

namespace gaidaros {

namespace {
constexpr uint32_t kMinCapacity = 512;
}

std::span<uint8_t> InputBuffer::space(uint32_t count, uint32_t expected) {
  if (capacity_ - end_ < count) {
    uint32_t held = size();
    uint32_t need = held + count;
    if (need <= capacity_ && begin_ >= held) {
      std::memcpy(data_.get(), data_.get() + begin_, held);
    } else {
      // Twice what is there: each byte is moved a constant number of times however it trickles in.
      uint32_t capacity = std::max({kMinCapacity, need, std::min(expected, 2 * need), 2 * held});
      std::unique_ptr<uint8_t[]> grown(new uint8_t[capacity]);
      if (held > 0) std::memcpy(grown.get(), data_.get() + begin_, held);
      data_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = held;
  }
  return {data_.get() + end_, capacity_ - end_};
}

void InputBuffer::append(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  std::memcpy(space(static_cast<uint32_t>(bytes.size())).data(), bytes.data(), bytes.size());
  commit(static_cast<uint32_t>(bytes.size()));
}

void InputBuffer::consume(uint32_t count) {
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
}

}  // namespace gaidaros
