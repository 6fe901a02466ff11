// Filters: input on its way from the socket to the framer, output on its way back, and their ends.

#include <algorithm>
#include <utility>
#include <vector>

#include "loop.h"

namespace gaidaros {

namespace {

constexpr int kMaxRounds = 8;  // of what filters hold, before others get their turn

// The filters from `first` up to, without, `behind`; of these the framer's end comes first.
std::vector<Filter*> way_out(Filter* first, const Filter* behind) {
  std::vector<Filter*> way;
  for (Filter* filter = first; filter != behind; filter = filter->next.get()) way.push_back(filter);
  std::reverse(way.begin(), way.end());
  return way;
}

// What is nearest to the framer has to go first.
Filter* last_that_holds(Filter* first) {
  Filter* last = nullptr;
  for (Filter* filter = first; filter != nullptr; filter = filter->next.get())
    if (filter->holds()) last = filter;
  return last;
}

}  // namespace

bool Loop::insert_filter(ConnId id, std::unique_ptr<Filter> filter) {
  Connection* connection = table_.find(id);
  if (connection == nullptr || !connection->live()) return false;
  // What was answered so far goes out as it is.
  flush();
  if (!connection->live()) return false;
  std::unique_ptr<Filter>* place = &connection->filter;
  while (*place) place = &(*place)->next;
  *place = std::move(filter);
  Filter* inserted = place->get();
  if (connection->input && !connection->input->empty()) {
    std::vector<uint8_t> unread(connection->input->bytes().begin(),
                                connection->input->bytes().end());
    connection->input.reset();
    connection->frame = {};
    connection->partial = false;
    decode(*connection, unread, inserted);
  }
  // It hears of the peer's end in a turn of its own.
  if (connection->state == ConnState::open && connection->peer_ended && !connection->finished)
    wait_for_turn(*connection);
  return true;
}

// Puts `bytes` through the filters from `first` on to the framer.
void Loop::decode(Connection& connection, std::span<const uint8_t> bytes, Filter* first) {
  plain_.assign(bytes.begin(), bytes.end());
  Filter::Status status = pass(connection, first);
  if (status == Filter::Status::kError || connection.state != ConnState::open) return;
  take_plain(connection);
  take_held(connection);
  if (status == Filter::Status::kEnd && !connection.peer_ended) ended(connection);
}

// Puts `plain_` through the filters from `first` on, and leaves there what comes out for the
// framer. `goes_on`: the first one holds something, and gets nothing. kError: the connection takes
// no more input.
Filter::Status Loop::pass(Connection& connection, Filter* first, bool goes_on) {
  Filter::Status outcome = Filter::Status::kOk;
  std::vector<uint8_t> next;
  std::vector<uint8_t> reply;
  for (Filter* filter = first; filter != nullptr && (goes_on || !plain_.empty());) {
    goes_on = false;
    next.clear();
    Filter::Status status = filter->decode(plain_, next, reply);
    if (status == Filter::Status::kError) close(connection, filter->reason());
    if (status == Filter::Status::kRefused) {
      end_with(connection, filter->reason());
      return Filter::Status::kError;
    }
    if (status == Filter::Status::kEnd) outcome = status;
    plain_.swap(next);
    if (!reply.empty()) encode(connection, std::exchange(reply, {}), filter);
    if (!connection.live()) return Filter::Status::kError;
    Filter* behind = filter->next.get();
    if (status == Filter::Status::kDone) take_out(connection, filter);
    if (!connection.live()) return Filter::Status::kError;
    filter = behind;
  }
  return outcome;
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

// While records are handed out none can be added, so then the bytes wait, too.
void Loop::take_plain(Connection& connection) {
  if (plain_.empty()) return;
  connection.need_input().append(plain_);
  if (delivering_ || connection.paused != 0 || connection.input_waits) {
    wait_for_turn(connection);
  } else {
    take_input(connection);
  }
}

// Goes on with what filters hold for as long as the framer takes what comes of it. False: some is
// left, and the connection comes back to it, or it takes no more input.
bool Loop::take_held(Connection& connection) {
  for (int round = 0; connection.state == ConnState::open; round++) {
    Filter* holder = last_that_holds(connection.filter.get());
    if (holder == nullptr) return true;
    if (delivering_ || connection.paused != 0 || connection.input_waits || round == kMaxRounds) {
      wait_for_turn(connection);
      return false;
    }
    plain_.clear();
    if (pass(connection, holder, true) == Filter::Status::kError) return false;
    take_plain(connection);
  }
  return false;
}

// The peer's end, told to the filters, each once it holds nothing any more. What one of them makes
// of it goes through those behind it. False: the connection comes back to it, or takes no more
// input.
bool Loop::finish_filters(Connection& connection) {
  for (Filter* filter = connection.filter.get(); filter != nullptr; filter = filter->next.get()) {
    if (filter->is_told_end) continue;
    if (!take_held(connection)) return false;
    filter->is_told_end = true;
    plain_.clear();
    Filter::Status status = filter->finish(plain_);
    if (status == Filter::Status::kError) close(connection, filter->reason());
    if (status == Filter::Status::kRefused) end_with(connection, filter->reason());
    if (connection.state != ConnState::open) return false;
    if (pass(connection, filter->next.get()) == Filter::Status::kError) return false;
    take_plain(connection);
    if (connection.state != ConnState::open) return false;
  }
  return take_held(connection);
}

// Puts `bytes` through the filters on the socket's side of `behind`, through all of them where that
// is null, and on to the socket.
void Loop::encode(Connection& connection, std::span<const uint8_t> bytes, const Filter* behind) {
  std::vector<uint8_t> plain(bytes.begin(), bytes.end());
  std::vector<uint8_t> coded;
  for (Filter* filter : way_out(connection.filter.get(), behind)) {
    coded.clear();
    if (filter->encode(plain, true, coded) == Filter::Status::kError)
      return close(connection, filter->reason());
    plain.swap(coded);
  }
  if (!plain.empty()) queue(connection, plain);
}

// We end the stream: each filter says its last, which those on the socket's side of it encode.
void Loop::end_filters(Connection& connection) {
  if (connection.filter_done) return;
  connection.filter_done = true;
  std::vector<uint8_t> last;
  for (Filter* filter : way_out(connection.filter.get(), nullptr)) {
    if (!connection.live()) return;
    last.clear();
    filter->end(last);
    if (!last.empty()) encode(connection, last, filter);
  }
}

}  // namespace gaidaros
