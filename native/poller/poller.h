// THE SEAM between the loop and the kernel. It is shaped like completion: the epoll pollers do recv
// and send themselves, io_uring lets the kernel do it, and both report "accepted", "received these
// bytes", "sent", "released". Nothing above knows which one runs; where it must differ it asks for
// a capability. All calls on the loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "../conn/table.h"
#include "../core/stats.h"

namespace gaidaros {

// What a poller reports. Implemented by the loop.
class PollerSink {
 public:
  // A new connection's descriptor (non-blocking, close-on-exec; `peer` unknown where family is 0),
  // or a failure that asks for a pause (EMFILE and its like).
  virtual void accepted(uint16_t listener, int fd, const Address& peer) = 0;
  virtual void accept_failed(uint16_t listener, int code) = 0;
  // Where the next bytes of a connection should go; empty: the turn is full, come back after it.
  virtual std::span<uint8_t> receive_space(Connection& connection) = 0;
  // `count` bytes were written into receive_space().
  virtual void received(Connection& connection, uint32_t count) = 0;
  // The peer sent FIN; nothing more will be received.
  virtual void ended(Connection& connection) = 0;
  // recv failed with `code`, or the socket has an error pending.
  virtual void failed(Connection& connection, int code) = 0;
  // The kernel took `result` bytes of the piece given to send() (negative errno: none of it).
  virtual void sent(Connection& connection, int result) = 0;
  // The kernel took `count` bytes off the front of connection.backlog->output; pop them.
  virtual void sent_queued(Connection& connection, uint32_t count) = 0;
  // So many bytes of what is reported are not the peer's: lengths of messages.
  virtual void uncounted(Connection& connection, uint32_t in, uint32_t out) = 0;
  // The kernel knows the connection no more: its descriptor is closed.
  virtual void released(Connection& connection) = 0;
  // A socket of datagrams may have some, or errors in its queue. Returns how many were taken.
  virtual uint32_t readable(uint16_t listener, bool has_errors) = 0;
  // The turn takes no more records, or no more connections.
  virtual bool full() const = 0;
  // The wait is over: what is reported from here on happened now, not when the last turn began.
  virtual void awake() = 0;

 protected:
  ~PollerSink() = default;
};

struct PollerOptions {
  bool edge = true;           // epoll: EPOLLET
  bool send_batching = true;  // epoll: send through a ring
  uint32_t recv_bytes = 16 * 1024;
  bool messages = false;  // the sockets are SOCK_SEQPACKET
};

class Poller {
 public:
  virtual ~Poller() = default;

  // Everything below may be called from inside the sink's functions, except poll().

  virtual void watch(uint16_t listener, int fd) = 0;
  // The same for a socket of datagrams, which the sink reads from by itself.
  virtual void watch_datagrams(uint16_t listener, int fd) = 0;
  // Stops accepting until watch(). The descriptor stays open. Connections accepted meanwhile by the
  // kernel on our behalf are still reported.
  virtual void unwatch(uint16_t listener) = 0;
  // Some request to accept is still in the kernel's hands: a connection may yet be reported.
  virtual bool accepting() const = 0;

  virtual void open(Connection& connection) = 0;
  virtual void pause(Connection& connection) = 0;
  virtual void resume(Connection& connection) = 0;
  // Sends one piece; the bytes must stay until flush() returns. sent() tells the outcome, at the
  // latest from inside flush(). One piece a connection between two flushes.
  virtual void send(Connection& connection, std::span<const uint8_t> bytes) = 0;
  // The same, but with its outcome known when this returns.
  virtual int send_now(Connection& connection, std::span<const uint8_t> bytes, bool more) = 0;
  // Output waits in connection.backlog->output: send from there until it is empty, now and whenever
  // the socket takes more. sent_queued() tells each step.
  virtual void send_queued(Connection& connection) = 0;
  virtual void flush() = 0;
  // Half-closes the sending side.
  virtual void shutdown(Connection& connection) = 0;
  // Lets go of a connection; released() follows, at once or when the kernel has given it back.
  virtual void close(Connection& connection) = 0;

  // Handles what has happened, sleeping at most `timeout_ms` (0: not at all; -1: no limit) when
  // nothing has. True: it stopped early or has more at hand, call again with timeout 0.
  virtual bool poll(int timeout_ms) = 0;
  // Calls since the last poll() gave the next one something to do that fd() does not tell.
  virtual bool pending() const = 0;
  // Becomes readable when poll() has something to do.
  virtual int fd() const = 0;
  // Lets poll() also return when `fd` (libuv's own descriptor) becomes readable; -1 ends that.
  virtual void watch_foreign(int fd) = 0;
  // Whether that has happened since the last poll() began.
  virtual bool foreign_ready() const = 0;
  // Lets poll() return whenever this eventfd is written to; it is never read.
  virtual void watch_bell(int fd) = 0;
  // Nothing is in the kernel's hands any more.
  virtual bool quiet() const = 0;
  virtual std::string description() const = 0;
};

// A poller that could not be made says why: the failed call and its errno, in words.
std::unique_ptr<Poller> make_epoll_poller(const PollerOptions& options, PollerSink& sink,
                                          Syscalls& counts, ConnectionTable& table,
                                          std::string& error);
std::unique_ptr<Poller> make_completion_poller(const PollerOptions& options, PollerSink& sink,
                                               Syscalls& counts, ConnectionTable& table,
                                               std::string& error);

}  // namespace gaidaros
