// The loop's connections by slot. Chunks keep addresses stable; a slot's generation goes up when it
// is given back, so that find() never answers with a later owner.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connection.h"

namespace gaidaros {

class ConnectionTable {
 public:
  static constexpr uint32_t kChunk = 256;

  Connection& acquire();
  // The connection's resources are freed; its memory stays for the next owner.
  void release(Connection& connection);

  Connection* find(ConnId id) {
    if (id.slot >= slots_) return nullptr;
    Connection& connection = at(id.slot);
    return connection.generation == id.generation && connection.state != ConnState::free
               ? &connection
               : nullptr;
  }
  Connection& at(uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  uint32_t slots() const { return slots_; }
  uint32_t used() const { return used_; }

 private:
  std::vector<std::unique_ptr<Connection[]>> chunks_;
  std::vector<uint32_t> free_;
  uint32_t slots_ = 0;
  uint32_t used_ = 0;
};

}  // namespace gaidaros
