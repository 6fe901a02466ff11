#include "byte_queue.h"

#include <algorithm>
#include <cstring>

namespace gaidaros {

void ByteQueue::push(std::span<const uint8_t> bytes) {
  size_ += bytes.size();
  if (!chunks_.empty()) {
    Chunk& last = chunks_.back();
    size_t fits = std::min(bytes.size(), last.capacity - last.end);
    if (fits > 0) std::memcpy(last.bytes.get() + last.end, bytes.data(), fits);
    last.end += fits;
    bytes = bytes.subspan(fits);
  }
  while (!bytes.empty()) {
    size_t take = std::min(bytes.size(), kMaxChunk);
    size_t capacity = std::max(take, kMinChunk);
    chunks_.push_back({std::unique_ptr<uint8_t[]>(new uint8_t[capacity]), capacity, 0, take});
    std::memcpy(chunks_.back().bytes.get(), bytes.data(), take);
    bytes = bytes.subspan(take);
  }
}

std::span<const uint8_t> ByteQueue::front() const {
  if (chunks_.empty()) return {};
  const Chunk& first = chunks_.front();
  return {first.bytes.get() + first.begin, first.end - first.begin};
}

bool ByteQueue::copy(std::span<uint8_t> to) const {
  if (to.size() > size_) return false;
  for (auto chunk = chunks_.begin(); !to.empty(); ++chunk) {
    size_t take = std::min(to.size(), chunk->end - chunk->begin);
    std::memcpy(to.data(), chunk->bytes.get() + chunk->begin, take);
    to = to.subspan(take);
  }
  return true;
}

void ByteQueue::pop(size_t count) {
  size_ -= count;
  while (count > 0) {
    Chunk& first = chunks_.front();
    size_t take = std::min(count, first.end - first.begin);
    first.begin += take;
    count -= take;
    if (first.begin == first.end) chunks_.pop_front();
  }
}

}  // namespace gaidaros
