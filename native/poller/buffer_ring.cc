#include "buffer_ring.h"

#include <sys/mman.h>

#include <cerrno>

namespace gaidaros {

namespace {

// Anonymous memory is untouched, and so costs nothing, until the kernel writes to it.
void* map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

BufferRing::~BufferRing() {
  if (ring_ != nullptr) munmap(ring_, ring_bytes_);
  if (memory_ != nullptr) munmap(memory_, memory_bytes_);
}

int BufferRing::open(Ring& ring, uint32_t count, uint32_t bytes) {
  count_ = count;
  bytes_ = bytes;
  ring_bytes_ = count * sizeof(io_uring_buf);
  memory_bytes_ = size_t{count} * bytes;
  ring_ = static_cast<io_uring_buf_ring*>(map(ring_bytes_));
  memory_ = static_cast<uint8_t*>(map(memory_bytes_));
  if (ring_ == nullptr || memory_ == nullptr) return -ENOMEM;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring_);
  registration.ring_entries = count;
  registration.bgid = kGroup;
  if (int code = ring.register_op(IORING_REGISTER_PBUF_RING, &registration, 1); code < 0)
    return code;
  for (uint32_t id = 0; id < count; id++) recycle(static_cast<uint16_t>(id));
  return 0;
}

void BufferRing::recycle(uint16_t id) {
  // The array begins where the header does (its first entry's last field is the tail); the kernel
  // header says so with a flexible array, whose place C++ compilers disagree about.
  auto* entries = reinterpret_cast<io_uring_buf*>(ring_);
  io_uring_buf& entry = entries[tail_ & (count_ - 1)];
  entry.addr = reinterpret_cast<uint64_t>(buffer(id));
  entry.len = bytes_;
  entry.bid = id;
  tail_++;
  std::atomic_ref(ring_->tail).store(tail_, std::memory_order_release);
}

}  // namespace gaidaros
