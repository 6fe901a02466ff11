#include "ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gaidaros {

int Ring::open(uint32_t entries, uint32_t cq_entries, uint32_t flags) {
  io_uring_params params{};
  params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = cq_entries;
  fd_ = static_cast<int>(syscall(__NR_io_uring_setup, entries, &params));
  if (fd_ < 0) return errno;
  features_ = params.features;
  flags_ = params.flags;
  // Since 5.4 both rings lie in one mapping; older kernels lack everything else that is wanted
  // here.
  if (!(features_ & IORING_FEAT_SINGLE_MMAP)) {
    close();
    return ENOSYS;
  }
  ring_bytes_ = std::max<size_t>(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                                 params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  sqes_bytes_ = params.sq_entries * sizeof(io_uring_sqe);
  auto map = [this](size_t bytes, off_t offset) {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, offset);
  };
  ring_memory_ = map(ring_bytes_, IORING_OFF_SQ_RING);
  void* sqes = map(sqes_bytes_, IORING_OFF_SQES);
  sqes_ = sqes == MAP_FAILED ? nullptr : static_cast<io_uring_sqe*>(sqes);
  if (ring_memory_ == MAP_FAILED || sqes_ == nullptr) {
    int code = errno;
    if (ring_memory_ == MAP_FAILED) ring_memory_ = nullptr;
    close();
    return code;
  }
  auto at = [this](uint32_t offset) {
    return reinterpret_cast<uint32_t*>(static_cast<char*>(ring_memory_) + offset);
  };
  sq_head_ = at(params.sq_off.head);
  sq_ktail_ = at(params.sq_off.tail);
  sq_flags_ = at(params.sq_off.flags);
  sq_mask_ = *at(params.sq_off.ring_mask);
  sq_entries_ = *at(params.sq_off.ring_entries);
  cq_khead_ = at(params.cq_off.head);
  cq_tail_ = at(params.cq_off.tail);
  cq_mask_ = *at(params.cq_off.ring_mask);
  cqes_ = reinterpret_cast<io_uring_cqe*>(static_cast<char*>(ring_memory_) + params.cq_off.cqes);
  // Entry i of the index array always names submission i, so it is written once.
  uint32_t* array = at(params.sq_off.array);
  for (uint32_t i = 0; i < sq_entries_; i++) array[i] = i;
  sq_tail_ = sq_submitted_ = *sq_ktail_;
  cq_head_ = *cq_khead_;
  return 0;
}

void Ring::close() {
  if (sqes_ != nullptr) munmap(sqes_, sqes_bytes_);
  if (ring_memory_ != nullptr) munmap(ring_memory_, ring_bytes_);
  if (fd_ >= 0) ::close(fd_);
  sqes_ = nullptr;
  ring_memory_ = nullptr;
  fd_ = -1;
}

int Ring::submit(Syscalls& counts, uint32_t wait, int timeout_ms, bool run) {
  uint32_t pending = unsubmitted();
  std::atomic_ref(*sq_ktail_).store(sq_tail_, std::memory_order_release);
  unsigned flags = wait > 0 || run ? IORING_ENTER_GETEVENTS : 0;
  __kernel_timespec limit{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000LL};
  io_uring_getevents_arg extended{};
  void* arg = nullptr;
  size_t arg_size = 0;
  if (wait > 0 && timeout_ms >= 0) {
    extended.ts = reinterpret_cast<uint64_t>(&limit);
    flags |= IORING_ENTER_EXT_ARG;
    arg = &extended;
    arg_size = sizeof extended;
  }
  counts.io_uring_enter++;
  long result = syscall(__NR_io_uring_enter, fd_, pending, wait, flags, arg, arg_size);
  if (result >= 0) {
    sq_submitted_ += static_cast<uint32_t>(result);
    return 0;
  }
  // With a wait that failed or timed out the submissions may still have been consumed.
  int code = errno;
  sq_submitted_ = std::atomic_ref(*sq_head_).load(std::memory_order_acquire);
  return -code;
}

int Ring::register_op(unsigned opcode, const void* arg, unsigned count) const {
  return syscall(__NR_io_uring_register, fd_, opcode, arg, count) < 0 ? -errno : 0;
}

}  // namespace gaidaros
