// The generator's loop: connections over one io_uring, a multishot receive armed on each, all sends
// of a round in one submit. One thread, which spins (or sleeps with --block) while nothing is
// there.
#pragma once

#include <string>
#include <vector>

#include "../ring.h"
#include "connection.h"
#include "environment.h"
#include "histogram.h"
#include "options.h"
#include "secure.h"

namespace bench {

// Counted by kind; each of them fails the run.
struct Errors {
  uint64_t wrong_bytes = 0;    // a response that differs from what was wanted
  uint64_t unasked_bytes = 0;  // more than was asked for
  uint64_t closed = 0;         // by the server, in mid-run
  uint64_t system = 0;         // send or receive failed otherwise
  uint64_t unanswered = 0;  // requests still open when the run was over and the wait for them too
  std::string first;        // the first one, in words

  [[nodiscard]] uint64_t total() const {
    return wrong_bytes + unasked_bytes + closed + system + unanswered;
  }
};

struct Result {
  Histogram latency;
  Errors errors;
  uint64_t requests = 0;
  uint64_t lost = 0;     // datagrams that were not answered
  uint64_t idle_ns = 0;  // waiting: nothing to reap, or gathering; what it could have done more
  uint64_t enters = 0;   // io_uring_enter calls
  Usage before, after;
};

class Client {
 public:
  explicit Client(const Options& options) : options_(options) {}

  // Opens ring and connections. Returns "" or what went wrong; `ring_refused` tells a kernel
  // without io_uring.
  [[nodiscard]] std::string open(bool& ring_refused);

  // Warms up, measures, waits for the last responses, half-closes and waits for the server's close.
  void run(Result& result);

 private:
  std::string connect_all();
  void arm_receive(uint32_t index);
  void mark_dirty(uint32_t index);
  void flush_sends();
  void wait_for_work(uint64_t deadline_ns);
  void turn(uint64_t deadline_ns);
  void enter();
  void pace(uint64_t answers);
  void received(uint32_t index, const io_uring_cqe& cqe, uint64_t reaped_at_ns);
  void taken(uint32_t index, const char* bytes, uint32_t length, uint64_t reaped_at_ns);
  void opened(uint32_t index, const char* records, uint32_t length, uint64_t reaped_at_ns);
  void condemn(uint32_t index, const Verdict& verdict);
  void sent(uint32_t index, int result);
  void note(const std::string& what);
  void fail(uint32_t index, uint64_t& counter, const std::string& what);
  void run_until(uint64_t end_ns, bool all_answered);
  void drain();
  void close_all();

  const Options& options_;
  ring ring_{};
  buffer_ring buffers_{};
  ResponseReader reader_;
  std::vector<Connection> connections_;
  std::vector<Secure> secured_;  // with --tls, one for each
  std::vector<uint32_t> dirty_, starved_;
  Result* result_ = nullptr;
  uint64_t answered_once_ = 0, in_flight_ = 0, receiving_ = 0, last_answer_ns_ = 0;
  uint64_t failed_ = 0, next_reap_ns_ = 0;
  double gather_ns_ = 0;
  bool asking_ = true;    // false: no new requests
  bool closing_ = false;  // end of input is what we wait for, not an error
};

}  // namespace bench
