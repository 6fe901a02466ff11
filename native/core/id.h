// Names of connections. A slot is a place in the loop's table, a generation counts how often the
// place was given out: together they name one connection for ever, so that a late event or a late
// answer can be told from one for the slot's next owner (pitfall 11).
#pragma once

#include <cstdint>

namespace gaidaros {

struct ConnId {
  uint32_t slot;
  uint32_t generation;
};

}  // namespace gaidaros
