// What a loop of datagrams has besides: who is on the way, and what is to be sent.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "../compress/datagram_codec.h"
#include "../net/datagram.h"
#include "flights.h"

namespace gaidaros {

struct Datagrams {
  explicit Datagrams(bool local) : receiver(local) {}

  // It is answered by a call. Those that have been answered leave the list with the oldest that has
  // not, or when they are most of it.
  void expect(ConnId id, uint32_t now) {
    constexpr size_t kFew = 1024;
    if (late.size() > kFew + 2 * size_t{flights.live()})
      std::erase_if(late, [this](const LateFlight& flight) { return !flights.is_live(flight.id); });
    late.push_back({id, now});
  }

  Flights flights;
  std::deque<LateFlight> late;  // answered by calls, oldest first
  std::vector<OutgoingDatagram> out;
  std::vector<uint32_t> graves;  // flights whose end was handed over: free at the end of the turn
  // Where they come by unix sockets: who has sent the flights, by their places, and whom `out` is
  // for.
  std::vector<LocalPeer> senders;
  std::vector<LocalPeer> receivers;
  DatagramReceiver receiver;
  std::optional<DatagramCodec> codec;  // where they are compressed
  std::vector<uint8_t> inflated;       // the datagram in hand
  std::vector<uint8_t> deflated;       // the reply in hand
};

}  // namespace gaidaros
