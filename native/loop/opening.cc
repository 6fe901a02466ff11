// How connections come to TLS: at their beginning or when the handler asks for it, and no more
// handshakes in a turn than leave time for what is open.

#include <utility>

#include "../core/clock.h"
#include "loop.h"

namespace gaidaros {

namespace {

// A handshake takes some 0.3 ms, most of it at once: a storm of them adds so much to what an open
// connection waits for in each turn, and not the whole storm.
constexpr uint64_t kOpeningBudget = 2'000'000;  // nanoseconds a turn

}  // namespace

// False: memory is short.
bool Loop::add_tls(Connection& connection) {
  std::unique_ptr<Filter> filter = make_tls_filter(options_.tls.context);
  if (!filter) return false;
  append_filter(connection, std::move(filter));
  begin_opening(connection);
  return true;
}

void Loop::begin_opening(Connection& connection) {
  connection.opening = true;
  connection.opening_since = now_;
}

bool Loop::must_ration(const Connection& connection) const {
  if (!connection.opening || connection.greeting) return false;
  return connection.rationed || opening_ns_ >= kOpeningBudget;
}

// Keeps a part of a handshake for a later turn. It is all that comes until then, but for what the
// kernel had in hand already.
void Loop::ration(Connection& connection, std::span<const uint8_t> bytes) {
  if (connection.rationed) {
    for (Rationed& each : rationed_)
      if (each.id.slot == connection.slot && each.id.generation == connection.generation)
        each.bytes.insert(each.bytes.end(), bytes.begin(), bytes.end());
    return;
  }
  connection.rationed = true;
  connection.paused |= kPauseRation;
  poller_->pause(connection);
  rationed_.push_back({connection.id(), {bytes.begin(), bytes.end()}});
}

// A new turn has time for handshakes: first come, first served.
void Loop::take_rationed() {
  opening_ns_ = 0;
  while (!rationed_.empty() && opening_ns_ < kOpeningBudget && !full()) {
    Rationed next = std::move(rationed_.front());
    rationed_.pop_front();
    Connection* connection = table_.find(next.id);
    if (connection == nullptr || connection->state != ConnState::open) continue;
    connection->rationed = false;
    connection->paused &= static_cast<uint8_t>(~kPauseRation);
    decode_opening(*connection, next.bytes);
    // The end may have come meanwhile, behind all that the client had to say.
    bool has_ended = connection->peer_ended && !connection->finished && !connection->input_waits;
    if (connection->state == ConnState::open && has_ended) finish_stream(*connection);
    if (connection->state == ConnState::open && connection->paused == 0)
      poller_->resume(*connection);
  }
}

void Loop::decode_opening(Connection& connection, std::span<const uint8_t> bytes) {
  uint64_t began = clock_ns();
  decode(connection, bytes, connection.filter.get());
  opening_ns_ += clock_ns() - began;
}

bool Loop::start_tls(ConnId id, std::optional<uint32_t> sequence) {
  Connection* connection = table_.find(id);
  if (connection == nullptr || connection->state != ConnState::open || connection->filter ||
      connection->upgrading || !options_.tls.context)
    return false;
  connection->upgrading = true;
  connection->upgrade_sequence = sequence ? *sequence + 1 : connection->next_sequence;
  connection->paused |= kPauseUpgrade;
  poller_->pause(*connection);
  // Without its number only one that is alone can be the one that asks.
  if (has_more(*connection) || (!sequence && connection->in_flight() > 1)) {
    close(*connection, Reason::tls_error);
  } else if (delivering_) {
    mark_dirty(*connection);
  } else {
    upgrade(*connection);
  }
  return connection->live();
}

// Something was received behind the request that asked for TLS: in plain, and by whom is not known.
bool Loop::has_more(const Connection& connection) {
  return connection.next_sequence != connection.upgrade_sequence || connection.partial ||
         (connection.input && !connection.input->empty());
}

// The answer to the request that asked for it is the last that leaves in plain.
void Loop::upgrade(Connection& connection) {
  if (has_more(connection)) return close(connection, Reason::tls_error);
  if (connection.in_flight() > 0 || connection.pending_size > 0) return;
  connection.upgrading = false;
  if (!add_tls(connection)) return close(connection, Reason::io_error);
  unpause(connection, kPauseUpgrade);
  arm(connection);
}

}  // namespace gaidaros
