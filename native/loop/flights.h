// Datagrams on their way through the host: from their arrival to the reply that answers them. Each
// is named like a connection, by a place and a generation, and to the host it is one, of one
// request. Small and flat: there are hundreds of thousands of them a second.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "../core/id.h"
#include "../net/datagram.h"

namespace gaidaros {

struct Flight {
  uint32_t generation = 0;
  uint16_t listener = 0;
  bool live = false;
  bool watched = false;  // a JS object stands for it: it is told of its end
  bool mourned = false;  // that was not delivered yet
  uint32_t length = 0;   // of the datagram
  uint32_t sent = 0;     // bytes of its replies so far
  PeerAddress sender;
};

class Flights {
 public:
  // The reference is good until the next begin().
  uint32_t begin(uint16_t listener, const PeerAddress& sender, uint32_t length);
  Flight* find(ConnId id) {
    if (id.slot >= places_.size()) return nullptr;
    Flight& flight = places_[id.slot];
    bool known = flight.live || flight.mourned;
    return known && flight.generation == id.generation ? &flight : nullptr;
  }
  bool is_live(ConnId id) {
    const Flight* flight = find(id);
    return flight != nullptr && flight->live;
  }
  Flight& at(uint32_t slot) { return places_[slot]; }
  uint32_t slot_of(const Flight& flight) const {
    return static_cast<uint32_t>(&flight - places_.data());
  }
  uint32_t slots() const { return static_cast<uint32_t>(places_.size()); }
  // Its place may be given away, unless its end is still to be told.
  void end(uint32_t slot);
  void told(uint32_t slot);
  uint32_t live() const { return live_; }
  uint32_t used() const { return used_; }

 private:
  void free(uint32_t slot);

  std::vector<Flight> places_;
  std::vector<uint32_t> free_;
  uint32_t live_ = 0;
  uint32_t used_ = 0;
};

// A datagram that is answered later, and since when that is waited for.
struct LateFlight {
  ConnId id;
  uint32_t since;
};

}  // namespace gaidaros
