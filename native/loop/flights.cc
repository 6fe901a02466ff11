#include "flights.h"

namespace gaidaros {

uint32_t Flights::begin(uint16_t listener, const PeerAddress& sender, uint32_t length) {
  uint32_t slot;
  if (free_.empty()) {
    slot = slots();
    places_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Flight& flight = places_[slot];
  flight.listener = listener;
  flight.live = true;
  flight.watched = flight.mourned = false;
  flight.length = length;
  flight.sent = 0;
  flight.sender = sender;
  live_++;
  used_++;
  return slot;
}

void Flights::end(uint32_t slot) {
  Flight& flight = places_[slot];
  if (!flight.live) return;
  flight.live = false;
  live_--;
  flight.mourned = flight.watched;
  if (!flight.mourned) free(slot);
}

void Flights::told(uint32_t slot) {
  if (!places_[slot].mourned) return;
  places_[slot].mourned = false;
  free(slot);
}

void Flights::free(uint32_t slot) {
  places_[slot].generation++;
  free_.push_back(slot);
  used_--;
}

}  // namespace gaidaros
