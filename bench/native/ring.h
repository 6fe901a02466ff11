/* A bare io_uring: set-up, submission, completion and one ring of provided buffers, on the raw
 * syscalls. Used by the load generator (C++) and by the C reference server, each on one thread.
 * Needs Linux 6.1 (SINGLE_ISSUER, DEFER_TASKRUN); an older or forbidden kernel is told by
 * ring_open's errno. */
#ifndef GAIDAROS_BENCH_RING_H
#define GAIDAROS_BENCH_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
  int fd;
  uint32_t *sq_head, *sq_tail, *sq_flags, sq_mask, sq_entries, sq_local_tail, sq_submitted;
  uint32_t *cq_head, *cq_tail, cq_mask;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
};

/* Buffers the kernel picks from for a receive; `size` bytes each, a power of two of them. */
struct buffer_ring {
  struct io_uring_buf_ring *ring;
  unsigned char *bytes;
  uint32_t size, mask;
  uint16_t tail;
};

static inline int ring_map(struct ring *ring, const struct io_uring_params *params) {
  size_t sq_bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
  size_t cq_bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  size_t bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
  int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
  char *rings = (char *)mmap(NULL, bytes, protection, flags, ring->fd, IORING_OFF_SQ_RING);
  void *sqes = mmap(NULL, params->sq_entries * sizeof(struct io_uring_sqe), protection, flags,
                    ring->fd, IORING_OFF_SQES);
  if (rings == MAP_FAILED || sqes == MAP_FAILED) return -errno;
  ring->sqes = (struct io_uring_sqe *)sqes;
  ring->sq_head = (uint32_t *)(rings + params->sq_off.head);
  ring->sq_tail = (uint32_t *)(rings + params->sq_off.tail);
  ring->sq_flags = (uint32_t *)(rings + params->sq_off.flags);
  ring->sq_entries = params->sq_entries;
  ring->sq_mask = params->sq_entries - 1;
  ring->cq_head = (uint32_t *)(rings + params->cq_off.head);
  ring->cq_tail = (uint32_t *)(rings + params->cq_off.tail);
  ring->cqes = (struct io_uring_cqe *)(rings + params->cq_off.cqes);
  ring->cq_mask = params->cq_entries - 1;
  /* The index array stays the identity: entry i of the queue is sqe i. */
  uint32_t *array = (uint32_t *)(rings + params->sq_off.array);
  for (uint32_t i = 0; i < params->sq_entries; i++) array[i] = i;
  return 0;
}

/* Opens a ring of `entries` submissions and four times as many completions (both powers of two).
 * Returns 0 or -errno: -EPERM (forbidden), -ENOSYS (compiled out), -EINVAL (kernel older than 6.1).
 */
static inline int ring_open(struct ring *ring, uint32_t entries) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  memset(ring, 0, sizeof *ring);
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG;
  params.cq_entries = entries * 4;
  ring->fd = (int)syscall(SYS_io_uring_setup, entries, &params);
  if (ring->fd < 0) return -errno;
  return ring_map(ring, &params);
}

/* Hands what was queued to the kernel and runs its deferred work; waits for `want` completions, at
 * most `timeout_ns` when that is not 0. Returns 0 or -errno (-ETIME when the wait ran out). */
static inline int ring_enter(struct ring *ring, uint32_t want, uint64_t timeout_ns) {
  struct __kernel_timespec timeout = {(int64_t)(timeout_ns / 1000000000u),
                                      (long long)(timeout_ns % 1000000000u)};
  struct io_uring_getevents_arg argument;
  memset(&argument, 0, sizeof argument);
  if (timeout_ns > 0) argument.ts = (uint64_t)(uintptr_t)&timeout;
  __atomic_store_n(ring->sq_tail, ring->sq_local_tail, __ATOMIC_RELEASE);
  uint32_t queued = ring->sq_local_tail - ring->sq_submitted;
  int done =
      (int)syscall(SYS_io_uring_enter, ring->fd, queued, want,
                   IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
  int error = done < 0 ? -errno : 0;
  ring->sq_submitted = __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
  return error;
}

/* A cleared submission entry; a full queue is submitted first, so this never fails while the kernel
 * takes them. */
static inline struct io_uring_sqe *ring_sqe(struct ring *ring) {
  while (ring->sq_local_tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) == ring->sq_entries)
    ring_enter(ring, 0, 0);
  struct io_uring_sqe *sqe = &ring->sqes[ring->sq_local_tail++ & ring->sq_mask];
  memset(sqe, 0, sizeof *sqe);
  return sqe;
}

static inline uint32_t ring_queued(const struct ring *ring) {
  return ring->sq_local_tail - ring->sq_submitted;
}

static inline uint32_t ring_ready(const struct ring *ring) {
  return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) - *ring->cq_head;
}

/* The kernel has work that only ring_enter runs (deferred task work, or completions that found no
 * place). */
static inline int ring_has_deferred(const struct ring *ring) {
  return (__atomic_load_n(ring->sq_flags, __ATOMIC_ACQUIRE) &
          (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* Completion `index` of those that are ready; valid until ring_seen. */
static inline struct io_uring_cqe *ring_cqe(const struct ring *ring, uint32_t index) {
  return &ring->cqes[(*ring->cq_head + index) & ring->cq_mask];
}

static inline void ring_seen(struct ring *ring, uint32_t count) {
  __atomic_store_n(ring->cq_head, *ring->cq_head + count, __ATOMIC_RELEASE);
}

static inline unsigned char *buffer_ring_at(const struct buffer_ring *buffers, uint32_t id) {
  return buffers->bytes + (size_t)id * buffers->size;
}

/* Gives a buffer back to the kernel. */
static inline void buffer_ring_give(struct buffer_ring *buffers, uint16_t id) {
  /* Not ring->bufs: its place is 0 in C, but 8 in C++, where the header's empty struct has a size.
   */
  struct io_uring_buf *entry =
      (struct io_uring_buf *)buffers->ring + (buffers->tail & buffers->mask);
  entry->addr = (uint64_t)(uintptr_t)buffer_ring_at(buffers, id);
  entry->len = buffers->size;
  entry->bid = id;
  __atomic_store_n(&buffers->ring->tail, ++buffers->tail, __ATOMIC_RELEASE);
}

/* Makes `count` (a power of two) buffers of `size` bytes and registers them as group 0. Returns 0
 * or -errno. */
static inline int buffer_ring_open(struct ring *ring, struct buffer_ring *buffers, uint32_t count,
                                   uint32_t size) {
  struct io_uring_buf_reg registration;
  int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  void *entries = mmap(NULL, count * sizeof(struct io_uring_buf), protection, flags, -1, 0);
  void *bytes = mmap(NULL, (size_t)count * size, protection, flags, -1, 0);
  if (entries == MAP_FAILED || bytes == MAP_FAILED) return -errno;
  memset(&registration, 0, sizeof registration);
  registration.ring_addr = (uint64_t)(uintptr_t)entries;
  registration.ring_entries = count;
  if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &registration, 1) < 0)
    return -errno;
  buffers->ring = (struct io_uring_buf_ring *)entries;
  buffers->bytes = (unsigned char *)bytes;
  buffers->size = size;
  buffers->mask = count - 1;
  buffers->tail = 0;
  for (uint32_t id = 0; id < count; id++) buffer_ring_give(buffers, (uint16_t)id);
  return 0;
}

#endif
