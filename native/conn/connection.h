// One stream connection as the loop keeps it. Small, because ten thousand of them may be idle: what
// only a busy connection needs hangs on pointers that are null otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "../core/byte_queue.h"
#include "../core/id.h"
#include "../core/input_buffer.h"
#include "../core/timer_wheel.h"
#include "../frame/framer.h"
#include "../net/address.h"
#include "filter.h"
#include "proxy_header.h"
#include "reason.h"

namespace gaidaros {

enum class ConnState : uint8_t {
  free,
  open,
  ending,     // the server closes after what is answered is sent; further requests are ignored
  lingering,  // FIN sent, input is discarded until the peer's FIN (pitfall 24)
  closed,     // gone for everybody; waits for the poller and for its closed record
};

// Why reading is paused. Reading goes on when none is left.
enum PauseFlag : uint8_t {
  kPauseOutput = 1,    // output is above the high-water mark
  kPausePipeline = 2,  // max_pipelined requests are in flight
  kPauseUser = 4,      // connection.pause()
  kPauseEnding = 8,    // the server is ending the connection
  kPauseUpgrade = 16,  // what comes next has to be TLS, which has not begun yet
  kPauseRation = 32,   // its handshake waits for a later turn
};

// A reply that came before its turn, or the pieces of one.
struct HeldReply {
  uint32_t sequence;
  uint32_t count = 1;  // requests from there on that it answers
  bool done = false;   // no more pieces
  bool end = false;    // close after it
  std::vector<uint8_t> bytes;
};

// Present only while a connection has something unusual under way.
struct Backlog {
  ByteQueue output;             // what the kernel did not take
  std::vector<HeldReply> held;  // sorted by sequence
  size_t held_bytes = 0;
  uint32_t output_since = 0;  // last progress of the output, for write_timeout
  // What the kernel had of it when that was last looked at.
  uint32_t unacknowledged = kUnknown;
  static constexpr uint32_t kUnknown = UINT32_MAX;

  void moved(uint32_t now) {
    output_since = now;
    unacknowledged = kUnknown;
  }
  bool idle() const { return output.empty() && held.empty(); }
};

// What a proxy has said of a connection that it passed on.
struct Proxied {
  Address proxy;  // its own address
  ProxyHeader header;
};

struct Connection {
  int fd = -1;
  uint32_t slot = 0;
  uint32_t generation = 0;
  ConnState state = ConnState::free;
  Reason reason = Reason::end;
  uint8_t paused = 0;            // PauseFlag
  bool watched : 1 = false;      // a JS object stands for it
  bool was_high : 1 = false;     // somebody may wait for a drained record
  bool peer_ended : 1 = false;   // FIN received (and every byte before it)
  bool input_waits : 1 = false;  // `input` may hold whole frames; the loop comes back to it
  bool in_dirty : 1 = false;     // on the loop's list of connections with output of this turn
  bool partial : 1 = false;      // framer chunk: JS holds an unfinished frame
  bool sending : 1 = false;      // the poller has a send under way that outlives the turn
  bool corked : 1 = false;       // TCP_CORK is set
  bool streaming : 1 = false;    // pieces of the reply at the head have left, more will come
  bool ended_told : 1 = false;   // framer chunk: the ended record was delivered
  bool reset : 1 = false;        // close with RST
  bool in_waiting : 1 = false;   // on the loop's list of connections to come back to
  bool mourned : 1 = false;      // its closed record was not delivered yet
  bool finished : 1 = false;     // end of input was taken care of
  bool filter_done : 1 = false;  // its filters have said their last
  bool sampled : 1 = false;      // the time of request `sampled_sequence` is being taken

  bool greeting : 1 = false;   // a PROXY header has to come first
  bool opening : 1 = false;    // a filter is still agreeing with the peer
  bool announced : 1 = false;  // its opened record was given, if one is wanted
  bool upgrading : 1 = false;  // TLS begins once `upgrade_sequence` is the next to answer
  bool is_warm : 1 = false;    // on the loop's list of those whose filters are warm
  bool expecting : 1 = false;  // HTTP: its client waits for 100 Continue
  bool rationed : 1 = false;   // its part of a handshake waits for a later turn

  // Poller's own.
  uint8_t poll_flags = 0;
  uint16_t poll_ops = 0;  // operations in the kernel that name this connection

  FrameState frame;
  uint32_t next_sequence = 0;   // of the next request
  uint32_t reply_sequence = 0;  // of the next reply to leave
  uint32_t sampled_sequence = 0;
  uint32_t upgrade_sequence = 0;
  uint32_t since_ms = 0;  // when it was accepted
  uint32_t opening_since = 0;
  uint32_t last_ms = 0;       // last byte in or out
  uint32_t frame_since = 0;   // first byte of the unfinished frame
  uint32_t flight_since = 0;  // when the oldest request in flight was handed over
  uint32_t linger_since = 0;
  uint32_t linger_bytes = 0;
  uint32_t expected = 0;  // whole length of the unfinished frame, where it is known
  uint32_t pending_size = 0;
  const uint8_t* pending =
      nullptr;  // output of this turn: one piece in the slab, in out or in the arena
  TimerNode timer;
  uint16_t listener = 0;
  Address peer;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::unique_ptr<InputBuffer> input;
  std::unique_ptr<Backlog> backlog;
  std::unique_ptr<Filter> filter;
  std::unique_ptr<Proxied> proxied;

  ConnId id() const { return {slot, generation}; }
  uint32_t in_flight() const { return next_sequence - reply_sequence; }
  bool live() const {
    return state == ConnState::open || state == ConnState::ending || state == ConnState::lingering;
  }
  // Bytes that wait for the kernel.
  size_t unsent() const { return pending_size + (backlog ? backlog->output.size() : 0); }
  // Those, and the ones that wait for their turn.
  size_t queued() const { return unsent() + (backlog ? backlog->held_bytes : 0); }
  // Bytes of an earlier turn are on their way: others go behind them.
  bool is_behind() const { return sending || (backlog && !backlog->output.empty()); }
  bool has_output() const { return pending_size > 0 || is_behind(); }
  Backlog& need_backlog() {
    if (!backlog) backlog = std::make_unique<Backlog>();
    return *backlog;
  }
  InputBuffer& need_input() {
    if (!input) input = std::make_unique<InputBuffer>();
    return *input;
  }
};

}  // namespace gaidaros
