// The records that cross between the loop and whoever handles requests, once a turn and direction.
// lib/engine/layout.ts is the other half; the addon exports LAYOUT and the loader compares them.
// Offsets, never pointers: the same bytes can go to threads, processes and a bus.
#pragma once

#include <cstdint>

namespace gaidaros {

constexpr uint32_t kLayoutVersion = 1;

enum class RecordKind : uint8_t { request, chunk, opened, closed, drained, ended };
constexpr uint32_t kRecordBig = 0x100;  // bytes are bigs[offset], not in the slab

struct Record {
  uint32_t kind;  // RecordKind, flags above
  uint32_t slot;
  uint32_t generation;
  uint32_t sequence;
  uint32_t offset;
  uint32_t length;
  uint32_t extra;
  uint32_t spare;
};
static_assert(sizeof(Record) == 32);

enum class Answer : uint8_t { none, same, slab, out, later, failed };
constexpr uint32_t kReplyEnd = 0x100;  // close after this reply

struct Reply {
  uint32_t kind;  // Answer, flags above
  uint32_t offset;
  uint32_t length;
  uint32_t spare;
};
static_assert(sizeof(Reply) == 16);

// Flags of a reply that comes by call and not in the table.
constexpr uint32_t kReplyMore = 1;
constexpr uint32_t kReplyLast = 2;   // close after it
constexpr uint32_t kReplyFrame = 4;  // put delimiter or prefix back
constexpr uint32_t kReplyEmpty = 8;  // it has no bytes, but it is a reply: a datagram without any

constexpr uint32_t kMaxRecords = 2048;  // a turn: 64 connections with 16 requests, twice
constexpr uint32_t kSlabBytes =
    256 * 1024;  // measured: 64 KiB is up to 4 % slower, 1 MiB no faster
constexpr uint32_t kOutBytes = 256 * 1024;

}  // namespace gaidaros
