// Messages of SOCK_SEQPACKET for the pollers. Above a poller each message is its length and its
// bytes (framer length:u32le,strip), so that the loop may cut, gather and queue them as it does
// with any stream; here the lengths are put in front of what is received and taken off what is
// sent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "poller.h"

namespace gaidaros {

constexpr uint32_t kMessageHead = 4;
// A longer message is cut by the kernel; its length then reads kCutMessage, which no limit allows.
constexpr uint32_t kMostMessage = 16u << 20;
constexpr uint32_t kCutMessage = UINT32_MAX;

// What became of reading from a connection.
enum class ReadEnd : uint8_t {
  empty,   // the socket has nothing more
  budget,  // there may be more; others get their turn
  full,    // the turn has no room: the rest of a message stays, call again
  over,    // paused, ended, failed or closed
};

// Receives the messages of a poller's connections, one connection at a time.
class MessagePort {
 public:
  MessagePort(PollerSink& sink, Syscalls& counts) : sink_(sink), counts_(counts) {}

  // Reads until one of these. Where it was `full` before, what stayed goes first; that of another
  // connection is dropped, which is gone by then.
  ReadEnd read(Connection& connection);

  // Poller::send(), flush() and send_now(): of a piece whole messages are sent, several in a call
  // (sendmmsg(2)), and what is not whole yet counts as not taken. One without bytes is passed over:
  // it would look like the end of input.
  void send(const Connection& connection, std::span<const uint8_t> bytes) {
    pieces_.push_back({connection.id(), bytes});
  }
  void flush(ConnectionTable& table);
  int send_now(Connection& connection, std::span<const uint8_t> bytes);
  // From the front of connection.backlog->output until it has no whole message more. 0, or the
  // negative errno that stopped it.
  int send_queued(Connection& connection);

 private:
  struct Piece {
    ConnId id;
    std::span<const uint8_t> bytes;
  };

  // Gives what was received to the loop; false: the turn is full.
  bool give(Connection& connection);
  // What recv() said; above 0 a message is there to give.
  ssize_t receive(int fd);

  PollerSink& sink_;
  Syscalls& counts_;
  // Of what is never received no page is ever touched.
  std::unique_ptr<uint8_t[]> memory_{new uint8_t[kMessageHead + kMostMessage]};
  uint32_t at_ = 0;  // of the message: what was given
  uint32_t end_ = 0;
  ConnId owner_{};
  std::vector<Piece> pieces_;    // of this turn
  std::vector<uint8_t> joined_;  // a message that does not lie in one piece
};

// What a poller of streams has instead.
struct NoMessages {
  NoMessages(PollerSink&, Syscalls&) {}
};

template <class Made>
std::unique_ptr<Poller> make_started(const PollerOptions& options, PollerSink& sink,
                                     Syscalls& counts, ConnectionTable& table, std::string& error) {
  auto poller = std::make_unique<Made>(options, sink, counts, table);
  if (!poller->start(error)) return nullptr;
  return poller;
}

// The poller for streams, or the one for messages.
template <template <bool kMessages> class Either>
std::unique_ptr<Poller> make_either(const PollerOptions& options, PollerSink& sink,
                                    Syscalls& counts, ConnectionTable& table, std::string& error) {
  return options.messages ? make_started<Either<true>>(options, sink, counts, table, error)
                          : make_started<Either<false>>(options, sink, counts, table, error);
}

}  // namespace gaidaros
