// A ring of receive buffers that the kernel picks from (IORING_REGISTER_PBUF_RING, Linux 5.19):
// memory for input is needed by those who have some, not by every connection.
#pragma once

#include <cstdint>

#include "ring.h"

namespace gaidaros {

class BufferRing {
 public:
  static constexpr uint16_t kGroup = 0;

  ~BufferRing();
  // `count` (a power of two) buffers of `bytes`. 0 or a negative errno.
  int open(Ring& ring, uint32_t count, uint32_t bytes);
  const uint8_t* buffer(uint16_t id) const { return memory_ + size_t{id} * bytes_; }
  // Gives a buffer back to the kernel.
  void recycle(uint16_t id);

 private:
  io_uring_buf_ring* ring_ = nullptr;
  size_t ring_bytes_ = 0;
  uint8_t* memory_ = nullptr;
  size_t memory_bytes_ = 0;
  uint32_t count_ = 0;
  uint32_t bytes_ = 0;
  uint16_t tail_ = 0;
};

}  // namespace gaidaros
