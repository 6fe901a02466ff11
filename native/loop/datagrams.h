// What a loop of datagrams has besides: who is on the way, and what is to be sent.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "../compress/datagram_codec.h"
#include "../net/datagram.h"
#include "../net/datagram_sender.h"
#include "flights.h"

namespace gaidaros {

// Messages that the receiver has, from the first on that was not taken whole.
struct Received {
  uint16_t listener = 0;
  uint32_t index = 0;
  uint32_t count = 0;
  uint32_t at = 0;  // in message `index`
  PacketInfo info;  // of it

  bool empty() const { return index == count; }
};

struct Datagrams {
  explicit Datagrams(bool local) : receiver(local), is_plain(!local) {}

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
  // Where sockets tell it: what the flights were sent to, by their places, and what `out` is sent
  // from.
  std::vector<Destination> destinations;
  std::vector<Destination> sources;
  DatagramReceiver receiver;
  DatagramSender sender;
  Received rest;                       // of sockets that tell of messages
  bool is_addressed = false;           // some socket tells destinations
  bool is_plain = true;                // of replies only the sender's address is wanted
  std::optional<DatagramCodec> codec;  // where they are compressed
  std::vector<uint8_t> inflated;       // the datagram in hand
  std::vector<uint8_t> deflated;       // the reply in hand
};

}  // namespace gaidaros
