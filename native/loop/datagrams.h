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

  Flights flights;
  std::deque<LateFlight> late;  // answered by calls, oldest first
  std::vector<OutgoingDatagram> out;
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
