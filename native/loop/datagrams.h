// What a loop of datagrams has besides: who is on the way, and what is to be sent.
#pragma once

#include <deque>
#include <vector>

#include "../net/datagram.h"
#include "flights.h"

namespace gaidaros {

struct Datagrams {
  Flights flights;
  std::deque<LateFlight> late;  // answered by calls, oldest first
  std::vector<OutgoingDatagram> out;
  DatagramReceiver receiver;
};

}  // namespace gaidaros
