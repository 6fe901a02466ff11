// Filters stand between the socket and the framer: TLS, compression, PROXY. They form a chain; the
// first one sees the socket's bytes. A filter may grow, shrink or hold bytes in either direction,
// may ask for a write while it reads (a TLS handshake), and may be put into a connection in
// mid-stream. Runs on the loop's thread; must not keep the spans it is given.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reason.h"

namespace gaidaros {

struct Connection;
struct Counters;

class Filter {
 public:
  enum class Status : uint8_t {
    kOk,
    kMore,     // decode: the room is full; it wants to be called again, even with no input left
    kEnd,      // decode: the stream ended inside the filter (close_notify); nothing may follow
    kError,    // the connection is closed with reason()
    kDone,     // decode: its part is done; it leaves the chain, what it did not use is passed on
    kRefused,  // decode: what comes is not understood; what was asked before is answered, then the
               // connection is closed with reason()
  };
  struct Step {
    Status status = Status::kOk;
    size_t used = 0;  // bytes of the input; all of it where the status is kOk
    size_t made = 0;  // bytes in the room
  };

  virtual ~Filter() = default;

  // From the peer: writes what `input` becomes into `room`, which is never empty and where the
  // framer or the next filter reads it, and appends to `reply` what must go back to the peer
  // because of it, also where that is the last word before an error.
  virtual Step decode(std::span<const uint8_t> input, std::span<uint8_t> room,
                      std::vector<uint8_t>& reply) = 0;
  // To the peer: appends what `plain` became to `output`. `flush`: the turn ends here, hold nothing
  // back.
  virtual Status encode(std::span<const uint8_t> plain, bool flush,
                        std::vector<uint8_t>& output) = 0;
  // The peer sent FIN. kError: the stream was cut short (no close_notify, unfinished deflate);
  // requests that were whole before are answered.
  virtual Status finish(std::vector<uint8_t>& plain) {
    (void)plain;
    return Status::kOk;
  }
  // We end the stream: appends what has to be said last.
  virtual void end(std::vector<uint8_t>& output) { (void)output; }

  // It is out of the chain: tells the connection what it has learned.
  virtual void leave(Connection&) {}
  virtual Reason reason() const { return Reason::filter_error; }
  // What went wrong in words, for the log; empty: reason() says it all.
  virtual std::string fault() const { return {}; }
  // It is still agreeing on something with the peer (a TLS handshake): the handler does not hear of
  // the connection yet, and as that costs as much as a hundred requests the loop rations it.
  virtual bool is_opening() const { return false; }
  // More goes through it soon, so it may keep what it works with; or nothing has for a while.
  virtual void keep_warm(bool is_busy) { (void)is_busy; }
  // Its agreement is reached: counts it.
  virtual void count(Counters& counters) const { (void)counters; }
  // Appends what the handler may know of it, as meta.h has it.
  virtual void describe(std::vector<uint8_t>& facts) const { (void)facts; }

  // The next filter towards the framer; null: the framer is next.
  std::unique_ptr<Filter> next;

  // The loop's own. After kMore: the framer has to take what there is before decode() is called
  // again, with the input that was not used.
  bool waits = false;
  std::vector<uint8_t> unused;
  bool is_told_end = false;  // finish() was called
};

}  // namespace gaidaros
