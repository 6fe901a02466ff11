// Filters stand between the socket and the framer: TLS, compression, PROXY. They form a chain; the
// first one sees the socket's bytes. A filter may grow, shrink or hold bytes in either direction,
// may ask for a write while it reads (a TLS handshake), and may be put into a connection in
// mid-stream. Runs on the loop's thread; must not keep the spans it is given.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "reason.h"

namespace gaidaros {

struct Connection;

class Filter {
 public:
  enum class Status : uint8_t {
    kOk,
    kEnd,      // decode: the stream ended inside the filter (close_notify); nothing may follow
    kError,    // the connection is closed with reason()
    kDone,     // decode: its part is done; it leaves the chain, `plain` is what it did not need
    kRefused,  // decode, finish: what comes is not understood; what was asked before is answered,
               // then the connection is closed with reason()
  };

  virtual ~Filter() = default;

  // From the peer: appends what `input` became to `plain`, and to `reply` what must go back to the
  // peer because of it. Without input: goes on with what it holds.
  virtual Status decode(std::span<const uint8_t> input, std::vector<uint8_t>& plain,
                        std::vector<uint8_t>& reply) = 0;
  // It has made all it may at a time, and has more: decode() is called again, without input, once
  // the framer has taken that; the peer's end is told only after it.
  virtual bool holds() const { return false; }
  // To the peer: appends what `plain` became to `output`. `flush`: the turn ends here, hold nothing
  // back.
  virtual Status encode(std::span<const uint8_t> plain, bool flush,
                        std::vector<uint8_t>& output) = 0;
  // The peer sent FIN. kError: the stream was cut short (no close_notify, unfinished deflate).
  virtual Status finish(std::vector<uint8_t>& plain) {
    (void)plain;
    return Status::kOk;
  }
  // We end the stream: appends what has to be said last.
  virtual void end(std::vector<uint8_t>& output) { (void)output; }

  // It is out of the chain: tells the connection what it has learned.
  virtual void leave(Connection&) {}
  virtual Reason reason() const { return Reason::filter_error; }

  // The next filter towards the framer; null: the framer is next.
  std::unique_ptr<Filter> next;
  bool is_told_end = false;  // finish() was called
};

}  // namespace gaidaros
