// What becomes of the requests that workers have, for the access log: kept while the pool works,
// given to JS before the connections that it names are gone. A pool has one only where there is
// such a log. lib/dispatch/journal.ts reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "../core/clock.h"
#include "../core/id.h"

namespace gaidaros {

enum class NoteKind : uint32_t {
  handed,    // a request of `value` bytes is given to the workers
  piece,     // `value` bytes of its answer, and more will follow
  answered,  // the last `value` bytes
  failed,    // its handler did
  opened,    // a connection, of which a worker is told
  closed     // the same; `value` is the reason
};

// Eight words, as JS reads them.
struct Note {
  uint32_t kind;
  uint32_t slot;
  uint32_t generation;
  uint32_t sequence;
  uint32_t value;
  uint32_t member;  // the worker's place
  uint32_t ago_us;  // how long before it was noted
  uint32_t spare;
};
static_assert(sizeof(Note) == 32);

// A note as a worker sends it: the bytes of an entry whose `ticket` is the value.
struct SentNote {
  uint64_t at_ns;
  uint32_t kind;
  uint32_t spare;
};

class Journal {
 public:
  void add(NoteKind kind, ConnId id, uint32_t sequence, uint32_t value, uint32_t member = 0,
           uint32_t ago_us = 0) {
    notes_.push_back(
        {static_cast<uint32_t>(kind), id.slot, id.generation, sequence, value, member, ago_us, 0});
  }

  void add(const SentNote& sent, ConnId id, uint32_t sequence, uint32_t value, uint32_t member) {
    if (sent.kind > static_cast<uint32_t>(NoteKind::failed)) return;
    uint64_t now = clock_ns();
    uint64_t ago_us = now > sent.at_ns ? (now - sent.at_ns) / 1000 : 0;
    add(static_cast<NoteKind>(sent.kind), id, sequence, value, member,
        ago_us > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(ago_us));
  }

  // To be read and cleared.
  std::vector<Note>& notes() { return notes_; }

 private:
  std::vector<Note> notes_;
};

}  // namespace gaidaros
