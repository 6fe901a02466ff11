#include "table.h"

namespace gaidaros {

Connection& ConnectionTable::acquire() {
  if (free_.empty()) {
    chunks_.push_back(std::make_unique<Connection[]>(kChunk));
    // Lowest slot on top, so that the table stays dense.
    for (uint32_t i = kChunk; i-- > 0;) {
      chunks_.back()[i].slot = slots_ + i;
      free_.push_back(slots_ + i);
    }
    slots_ += kChunk;
  }
  Connection& connection = at(free_.back());
  free_.pop_back();
  used_++;
  connection.state = ConnState::open;
  return connection;
}

void ConnectionTable::release(Connection& connection) {
  uint32_t slot = connection.slot;
  uint32_t generation = connection.generation + 1;
  connection = Connection{};
  connection.slot = slot;
  connection.generation = generation;
  free_.push_back(slot);
  used_--;
}

}  // namespace gaidaros
