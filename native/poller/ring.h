// A raw io_uring (no liburing on npm): set-up, submission, completion. Used whole by the completion
// poller and as a batch of sends by the epoll ones. One thread; not movable once set up.
#pragma once

#include <linux/io_uring.h>
#include <linux/time_types.h>

#include <atomic>
#include <cstdint>

#include "../core/stats.h"

namespace gaidaros {

class Ring {
 public:
  Ring() = default;
  ~Ring() { close(); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Sets up a ring with `entries` submissions and `cq_entries` completions. 0, or the errno of
  // io_uring_setup(2) or mmap(2).
  int open(uint32_t entries, uint32_t cq_entries, uint32_t flags);
  void close();
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  uint32_t features() const { return features_; }

  // A zeroed submission; null when the queue is full: submit() first.
  io_uring_sqe* prepare() {
    if (sq_tail_ - std::atomic_ref(*sq_head_).load(std::memory_order_acquire) >= sq_entries_)
      return nullptr;
    io_uring_sqe* sqe = &sqes_[sq_tail_ & sq_mask_];
    *sqe = io_uring_sqe{};
    sq_tail_++;
    return sqe;
  }
  uint32_t unsubmitted() const { return sq_tail_ - sq_submitted_; }

  // Submits what was prepared. `wait`: returns when that many completions are there, or after
  // `timeout_ms` (-1: no limit). `run`: runs deferred task work even if nothing is submitted.
  // 0 or a negative errno; -ETIME and -EINTR are ordinary.
  int submit(Syscalls& counts, uint32_t wait = 0, int timeout_ms = -1, bool run = false);

  // The next completion, null when there is none; pop() releases it.
  const io_uring_cqe* peek() const {
    uint32_t tail = std::atomic_ref(*cq_tail_).load(std::memory_order_acquire);
    return cq_head_ == tail ? nullptr : &cqes_[cq_head_ & cq_mask_];
  }
  void pop() { std::atomic_ref(*cq_khead_).store(++cq_head_, std::memory_order_release); }
  // Completions that did not fit wait in the kernel (IORING_SQ_CQ_OVERFLOW), or task work waits to
  // be run (IORING_SQ_TASKRUN, with IORING_SETUP_TASKRUN_FLAG).
  bool wants_enter() const {
    return std::atomic_ref(*sq_flags_).load(std::memory_order_relaxed) &
           (IORING_SQ_CQ_OVERFLOW | (1U << 2));
  }
  // io_uring_register(2): 0 or a negative errno.
  int register_op(unsigned opcode, const void* arg, unsigned count) const;

 private:
  int fd_ = -1;
  uint32_t features_ = 0;
  uint32_t flags_ = 0;
  void* ring_memory_ = nullptr;
  size_t ring_bytes_ = 0;
  io_uring_sqe* sqes_ = nullptr;
  size_t sqes_bytes_ = 0;
  uint32_t* sq_head_ = nullptr;
  uint32_t* sq_ktail_ = nullptr;
  uint32_t* sq_flags_ = nullptr;
  uint32_t* cq_khead_ = nullptr;
  uint32_t* cq_tail_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  uint32_t sq_mask_ = 0;
  uint32_t sq_entries_ = 0;
  uint32_t cq_mask_ = 0;
  uint32_t sq_tail_ = 0;
  uint32_t sq_submitted_ = 0;
  uint32_t cq_head_ = 0;
};

}  // namespace gaidaros
