// Sends datagrams in batches: sendmmsg(2), from the address that each is to come from, and as few
// messages where the kernel takes several datagrams as one (udp(7), UDP_SEGMENT).
#pragma once

#include <cstdint>
#include <span>

#include "../core/stats.h"
#include "datagram.h"

namespace gaidaros {

struct OutgoingDatagram {
  int fd;
  PeerAddress to;  // `place`: among the peers given with it
  std::span<const uint8_t> bytes;
};

// What goes with datagrams, where it matters.
struct Company {
  std::span<const LocalPeer> peers;      // whom `place` names
  std::span<const Destination> sources;  // one of each datagram, or none at all
};

struct Sent {
  uint64_t bytes = 0;
  uint64_t count = 0;  // datagrams
};

class DatagramSender {
 public:
  // What the kernel refuses of messages of several datagrams, once it has: those whose datagrams
  // are longer than `most`; 0: all.
  struct Refusal {
    int code = 0;
    uint32_t most = 0;
  };

  // Datagrams of one size that follow each other to one peer leave as one message.
  void join(bool on) { most_joined_ = on ? kMostDatagramBytes : 0; }

  // Sends all of `datagrams`, runs of one socket by one call. One that the kernel does not take,
  // for want of room or of a route, is left out: returns the bytes and the number that were sent.
  Sent send(std::span<const OutgoingDatagram> datagrams, const Company& company, Syscalls& counts);

  // Told once; code 0: there is none.
  Refusal take_refusal();

 private:
  struct Batch;

  Sent send_run(std::span<const OutgoingDatagram> run, const Company& company, Syscalls& counts);
  void make(Batch& batch, std::span<const OutgoingDatagram> run, const Company& company) const;
  size_t joined(std::span<const OutgoingDatagram> run, std::span<const Destination> sources,
                size_t from) const;
  Sent send_parts(std::span<const OutgoingDatagram> run, const Company& company, int code,
                  Syscalls& counts);
  void give_up(int code, uint32_t size);

  uint32_t most_joined_ = 0;  // bytes of a datagram that may be one of several; 0: none is
  Refusal refusal_;
};

}  // namespace gaidaros
