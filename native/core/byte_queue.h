// Bytes that wait for the kernel: a FIFO of malloc'ed chunks. It exists only while a socket does
// not take everything at once, so it is built for being empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

namespace gaidaros {

class ByteQueue {
 public:
  // Appends a copy of `bytes`.
  void push(std::span<const uint8_t> bytes);
  // The oldest bytes that lie in one piece; empty when the queue is. Valid until the next pop().
  std::span<const uint8_t> front() const;
  // Copies the oldest bytes to all of `to`; false: there are not so many.
  bool copy(std::span<uint8_t> to) const;
  // Drops `count` bytes, at most size().
  void pop(size_t count);
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Chunk {
    std::unique_ptr<uint8_t[]> bytes;
    size_t capacity;
    size_t begin;
    size_t end;
  };
  // A chunk is at least this large, so that many small replies do not become many chunks, and at
  // most kMaxChunk, so that memory goes back while a large reply is being sent.
  static constexpr size_t kMinChunk = 4096;
  static constexpr size_t kMaxChunk = 256 * 1024;
  std::deque<Chunk> chunks_;
  size_t size_ = 0;
};

}  // namespace gaidaros
