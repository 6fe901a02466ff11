// Filters: input on its way from the socket to the framer, output on its way back, and their ends.

#include <optional>
#include <utility>
#include <vector>

#include "loop.h"

namespace gaidaros {

namespace {

constexpr size_t kBlock = 16 * 1024;  // a record of TLS
constexpr int kMostSteps = 32;        // that a filter makes of what it was given at once
// How many connections may keep what their filters work with, and how long after their last byte.
constexpr size_t kMostWarm = 1024;
constexpr uint32_t kCoolMs = 1000;
// Requests after which a connection counts as busy: what is given back leaves holes in the heap,
// 4 KiB a connection, that who asks once need not have.
constexpr uint32_t kWarmFrom = 16;

// The filters from `first` up to, without, `behind`; of these the framer's end comes first.
class Way {
 public:
  Way(Filter* first, const Filter* behind) {
    for (Filter* filter = first; filter != behind; filter = filter->next.get())
      filters_[--first_] = filter;
  }
  Filter** begin() { return filters_ + first_; }
  Filter** end() { return filters_ + kMost; }

 private:
  static constexpr size_t kMost = 4;  // PROXY, TLS, compression, and one to spare
  Filter* filters_[kMost];
  size_t first_ = kMost;
};

// What is nearest to the framer has to go first.
Filter* last_that_waits(Filter* first) {
  Filter* last = nullptr;
  for (Filter* filter = first; filter != nullptr; filter = filter->next.get())
    if (filter->waits) last = filter;
  return last;
}

}  // namespace

bool Loop::insert_filter(ConnId id, std::unique_ptr<Filter> filter) {
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live()) return false;
  // What was answered so far goes out as it is.
  flush();
  if (!connection->live()) return false;
  Filter* inserted = append_filter(*connection, std::move(filter));
  if (connection->input && !connection->input->empty()) {
    std::vector<uint8_t> unread(connection->input->bytes().begin(),
                                connection->input->bytes().end());
    connection->input.reset();
    connection->frame = {};
    connection->partial = false;
    // Counted anew where they are plain.
    connection->bytes_in -= unread.size();
    stats_.bytes_in -= unread.size();
    decode(*connection, unread, inserted);
  }
  // It hears of the peer's end in a turn of its own.
  if (connection->state == ConnState::open && connection->peer_ended && !connection->finished)
    wait_for_turn(*connection);
  return true;
}

// Next to the framer.
Filter* Loop::append_filter(Connection& connection, std::unique_ptr<Filter> filter) {
  std::unique_ptr<Filter>* place = &connection.filter;
  while (*place) place = &(*place)->next;
  *place = std::move(filter);
  return place->get();
}

// Puts `input` through the filters from `filter` on to the framer. What the last of them makes is
// written where an unfiltered connection would have received it. False: no more input is wanted.
bool Loop::decode(Connection& connection, std::span<const uint8_t> input, Filter* filter) {
  if (filter == nullptr) {
    take_plain(connection, input);
    return connection.state == ConnState::open;
  }
  if (filter->waits) {
    filter->unused.insert(filter->unused.end(), input.begin(), input.end());
    return true;
  }
  Filter* behind = filter->next.get();
  uint8_t block[kBlock];
  for (int step_count = 0;; step_count++) {
    std::span<uint8_t> room = behind != nullptr ? std::span(block) : plain_space(connection);
    // Making room sends output, and that may have failed.
    if (connection.state != ConnState::open) return false;
    std::vector<uint8_t> reply;
    Filter::Step step = filter->decode(input, room, reply);
    input = input.subspan(step.used);
    if (!reply.empty()) encode(connection, reply, filter);
    if (connection.state != ConnState::open) return false;
    if (step.status == Filter::Status::kError) {
      filter_failed(connection, filter->reason(), !reply.empty());
      return false;
    }
    if (step.status == Filter::Status::kRefused) {
      end_with(connection, filter->reason());
      return false;
    }
    if (connection.opening) agreed(connection);
    if (step.made > 0) {
      if (behind == nullptr) {
        plain_received(connection, static_cast<uint32_t>(step.made));
      } else if (!decode(connection, room.first(step.made), behind)) {
        return false;
      }
    }
    if (connection.state != ConnState::open) return false;
    switch (step.status) {
      case Filter::Status::kOk:
        return true;
      case Filter::Status::kEnd:
        if (!connection.peer_ended) ended(connection);
        return false;
      case Filter::Status::kDone:
        // What came behind its part is counted where it is plain.
        if (connection.greeting) stats_.bytes_in -= input.size();
        take_out(connection, filter);
        return connection.state == ConnState::open &&
               (input.empty() || decode(connection, input, behind));
      default:
        break;
    }
    // A few bytes may become millions: those of the others get their turn, and what is there is
    // taken before more is made.
    if (behind == nullptr && (must_wait(connection) || step_count == kMostSteps)) {
      wait_with(connection, *filter, input);
      return true;
    }
  }
}

void Loop::wait_with(Connection& connection, Filter& filter, std::span<const uint8_t> unused) {
  filter.waits = true;
  filter.unused.assign(unused.begin(), unused.end());
  wait_for_turn(connection);
}

// Goes on where a filter had to wait. False: it has to wait again, or no more input is wanted.
bool Loop::take_unused(Connection& connection) {
  Filter* waiting = last_that_waits(connection.filter.get());
  if (waiting == nullptr) return true;
  if (connection.state != ConnState::open) return false;
  if (must_wait(connection)) {
    wait_for_turn(connection);
    return false;
  }
  std::vector<uint8_t> unused = std::exchange(waiting->unused, {});
  waiting->waits = false;
  return decode(connection, unused, waiting) && last_that_waits(connection.filter.get()) == nullptr;
}

// A filter may have come to terms with the peer.
void Loop::agreed(Connection& connection) {
  for (Filter* filter = connection.filter.get(); filter; filter = filter->next.get())
    if (filter->is_opening()) return;
  connection.opening = false;
  for (Filter* filter = connection.filter.get(); filter; filter = filter->next.get())
    filter->count(stats_);
  // The first byte is still to come.
  connection.last_ms = now_;
  announce(connection);
  arm(connection);
}

// Who is busy keeps what its filters work with (33 KiB for TLS): not all of ten thousand.
void Loop::warm_up(Connection& connection) {
  if (warm_.size() == kMostWarm) return;
  if (warm_.empty()) cool_at_ = now_ + kCoolMs;
  warm_.push_back(connection.id());
  connection.is_warm = true;
  for (Filter* filter = connection.filter.get(); filter; filter = filter->next.get())
    filter->keep_warm(true);
}

void Loop::cool_down() {
  cool_at_ = now_ + kCoolMs;
  std::erase_if(warm_, [this](ConnId id) {
    Connection* connection = table_.find(id);
    if (connection == nullptr) return true;
    if (now_ - connection->last_ms < kCoolMs) return false;
    connection->is_warm = false;
    for (Filter* filter = connection->filter.get(); filter; filter = filter->next.get())
      filter->keep_warm(false);
    return true;
  });
}

// Where the last filter writes what it makes: where it would have been received without one, or in
// the connection's own buffer where its bytes have to wait.
std::span<uint8_t> Loop::plain_space(Connection& connection) {
  if (!must_wait(connection)) {
    std::span<uint8_t> space = slab_space(connection);
    if (!space.empty() || connection.state != ConnState::open) return space;
  }
  joined_ = 0;
  into_input_ = true;
  return connection.need_input().space(kBlock).first(kBlock);
}

// `count` bytes were written into plain_space().
void Loop::plain_received(Connection& connection, uint32_t count) {
  connection.bytes_in += count;
  stats_.bytes_in += count;
  if (!connection.is_warm && connection.next_sequence >= kWarmFrom) warm_up(connection);
  take_received(connection, count);
}

// While records are handed out none can be added, so then the bytes wait, too.
bool Loop::must_wait(const Connection& connection) const {
  return delivering_ || connection.paused != 0 || connection.input_waits ||
         record_count_ >= kMaxRecords;
}

// A filter found something wrong. `said`: it had a last word for the peer, which an immediate close
// could take back.
void Loop::filter_failed(Connection& connection, Reason reason, bool said) {
  if (!said) return close(connection, reason);
  connection.filter_done = true;
  end_with(connection, reason);
  give_up_requests(connection);
}

// The filter's part is done.
void Loop::take_out(Connection& connection, Filter* filter) {
  std::unique_ptr<Filter>* place = &connection.filter;
  while (place->get() != filter) place = &(*place)->next;
  std::unique_ptr<Filter> taken = std::move(*place);
  *place = std::move(taken->next);
  bool was_greeting = connection.greeting;
  taken->leave(connection);
  if (was_greeting && !connection.greeting) introduced(connection);
}

// Bytes that no filter has to see any more.
void Loop::take_plain(Connection& connection, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  connection.bytes_in += bytes.size();
  stats_.bytes_in += bytes.size();
  connection.need_input().append(bytes);
  if (must_wait(connection)) {
    wait_for_turn(connection);
  } else {
    take_input(connection);
  }
}

// The peer's end, told to each of the filters once none has to wait. What one of them held goes
// through those behind it. False: the connection takes no more input, or comes back to it.
bool Loop::finish_filters(Connection& connection) {
  for (Filter* filter = connection.filter.get(); filter != nullptr; filter = filter->next.get()) {
    if (filter->is_told_end) continue;
    if (!take_unused(connection)) return false;
    filter->is_told_end = true;
    std::vector<uint8_t> held;
    if (filter->finish(held) == Filter::Status::kError) {
      end_with(connection, filter->reason());
      return false;
    }
    if (!held.empty() && !decode(connection, held, filter->next.get())) return false;
  }
  return take_unused(connection);
}

// Puts `bytes` through the filters on the socket's side of `behind`, through all of them where that
// is null, and on to the socket.
void Loop::encode(Connection& connection, std::span<const uint8_t> bytes, const Filter* behind) {
  std::optional<std::span<const uint8_t>> coded = code(connection, bytes, behind);
  if (coded && !coded->empty()) queue(connection, *coded);
}

// The same without sending; none: the connection is closed. Valid until the next call.
std::optional<std::span<const uint8_t>> Loop::code(Connection& connection,
                                                   std::span<const uint8_t> bytes,
                                                   const Filter* behind) {
  if (behind == nullptr) {
    connection.bytes_out += bytes.size();
    stats_.bytes_out += bytes.size();
  }
  for (Filter* filter : Way(connection.filter.get(), behind)) {
    coded_.clear();
    if (filter->encode(bytes, true, coded_) == Filter::Status::kError) {
      close(connection, filter->reason());
      return std::nullopt;
    }
    coded_.swap(coding_);
    bytes = coding_;
  }
  return bytes;
}

// We end the stream: each filter says its last, which those on the socket's side of it encode.
void Loop::end_filters(Connection& connection) {
  if (connection.filter_done) return;
  connection.filter_done = true;
  std::vector<uint8_t> last;
  for (Filter* filter : Way(connection.filter.get(), nullptr)) {
    if (!connection.live()) return;
    last.clear();
    filter->end(last);
    if (!last.empty()) encode(connection, last, filter);
  }
}

}  // namespace gaidaros
