// What workers say, and what becomes of the requests of one that is gone.
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "pool.h"

namespace gaidaros {

namespace {

WorkerSays said(const Entry& entry) { return static_cast<WorkerSays>(entry.kind & 0xff); }
uint32_t flags_of(const Entry& entry) { return entry.kind >> kSaysFlags & kSaysMask; }

// Empty, for the next worker; its bytes need not be.
void reset(Channel& channel) {
  for (Lane* lane : {&channel.requests, &channel.replies}) {
    lane->tail.store(0);
    lane->wants_room.store(0);
    lane->head.store(0);
    lane->freed.store(0);
    lane->sleeping.store(0);
  }
  channel.cost_ns.store(0);
  channel.handler_errors.store(0);
  channel.turn_began_ns.store(0);
  channel.requests_taken.store(0);
  channel.busy_ns.store(0);
}

// An expensive turn of a worker must not keep the loop from its sockets.
constexpr long kMostGivenNs = 500'000;

}  // namespace

// What a worker is given of which the server's own log has to hear.
void Pool::note_record(const Record& record, uint32_t size) {
  ConnId id{record.slot, record.generation};
  switch (static_cast<RecordKind>(record.kind & 0xff)) {
    case RecordKind::request:
      return journal_->add(NoteKind::handed, id, record.sequence, size);
    case RecordKind::opened:
      return journal_->add(NoteKind::opened, id, 0, 0);
    case RecordKind::closed:
      return journal_->add(NoteKind::closed, id, 0, record.extra);
    default:
      return;
  }
}

// Of a connection that has gone its end tells what became of the request.
void Pool::note_answers(Loop& loop, Member& member, uint32_t first, uint32_t run) {
  for (uint32_t i = first; i < first + run; i++) {
    const Entry& entry = member.in.entry(i);
    ConnId id{entry.slot, entry.generation};
    if (!loop.is_open(id)) return;
    NoteKind kind = flags_of(entry) & kReplyMore ? NoteKind::piece : NoteKind::answered;
    journal_->add(kind, id, entry.sequence, entry.length, place_of(member));
  }
}

void Pool::collect(Loop& loop) {
  for (Member& member : members_)
    if (member.live) collect_from(loop, member, false);
  pump(loop);
}

// There are answers that collect() has not given yet.
bool Pool::answered() const {
  return std::any_of(members_.begin(), members_.end(), [](const Member& member) {
    return member.live && member.in.available() > member.collected;
  });
}

// `last`: the lane is given up, so that the loop has to copy.
void Pool::collect_from(Loop& loop, Member& member, bool last) {
  uint32_t available = member.in.available();
  while (member.collected < available) {
    const Entry& entry = member.in.entry(member.collected);
    std::span<const uint8_t> bytes = member.in.bytes(entry);
    ConnId id{entry.slot, entry.generation};
    uint32_t entries = 1;
    if (said(entry) == WorkerSays::reply) {
      uint32_t flags = flags_of(entry);
      uint32_t count = entry.count();
      if (!(flags & kReplyMore)) landed(member, entry);
      if (flags == 0 && !last) {
        if (loop.takes_run(id, entry.sequence))
          entries = join_replies(member, member.collected, available, count, bytes);
        if (journal_) note_answers(loop, member, member.collected, entries);
        loop.answer(id, entry.sequence, count, bytes);
      } else {
        if (journal_) note_answers(loop, member, member.collected, 1);
        int64_t queued = loop.reply(id, entry.sequence, bytes, flags, count);
        if (flags & kReplyMore && !last) acknowledge(loop, member, entry, queued);
      }
    } else {
      obey(loop, member, entry, bytes);
    }
    member.collected += entries;
  }
}

// Replies that lie side by side, of requests that follow each other on one connection: adds those
// behind entry `first` to `count` and `bytes`. Returns how many entries they are with it.
uint32_t Pool::join_replies(Member& member, uint32_t first, uint32_t available, uint32_t& count,
                            std::span<const uint8_t>& bytes) {
  const Entry& head = member.in.entry(first);
  if (bytes.empty()) return 1;
  uint32_t i = first + 1;
  for (; i < available; i++) {
    const Entry& next = member.in.entry(i);
    if (said(next) != WorkerSays::reply || flags_of(next) != 0 || next.slot != head.slot ||
        next.generation != head.generation || next.sequence != head.sequence + count)
      break;
    std::span<const uint8_t> more = member.in.bytes(next);
    if (more.data() != bytes.data() + bytes.size()) break;
    bytes = {bytes.data(), bytes.size() + more.size()};
    count += next.count();
    landed(member, next);
  }
  return i - first;
}

void Pool::obey(Loop& loop, Member& member, const Entry& entry, std::span<const uint8_t> bytes) {
  ConnId id{entry.slot, entry.generation};
  switch (said(entry)) {
    case WorkerSays::write:
      return acknowledge(loop, member, entry, loop.write(id, bytes));
    case WorkerSays::end:
      return loop.end(id);
    case WorkerSays::close:
      return loop.close(id, static_cast<Reason>(std::min<uint32_t>(
                                entry.ticket, static_cast<uint32_t>(Reason::kCount) - 1)));
    case WorkerSays::pause:
      return loop.pause(id);
    case WorkerSays::resume:
      return loop.resume(id);
    case WorkerSays::framed:
      return loop.framed(id, entry.sequence, entry.ticket != 0);
    case WorkerSays::ended:
      return loop.heard_end(id);
    case WorkerSays::watch:
      return watch(loop, member, id);
    case WorkerSays::fail:
      landed(member, entry);
      return loop.close(id, Reason::handler_error);
    case WorkerSays::note:
      if (SentNote note; journal_ && bytes.size() >= sizeof note) {
        std::memcpy(&note, bytes.data(), sizeof note);
        journal_->add(note, id, entry.sequence, entry.ticket, place_of(member));
      }
      return;
    default:
      return;
  }
}

// The handler looks at its connection, which may have gone while the worker had its request.
void Pool::watch(Loop& loop, Member& member, ConnId id) {
  if (!options_.sticky) settle(id, member);
  if (loop.watch(id) || home_of(id) == nullptr) return;
  give(member,
       {static_cast<uint32_t>(RecordKind::closed), id.slot, id.generation, 0, 0, 0, 0,
        static_cast<uint32_t>(Reason::end)},
       {});
  leave_home(id);
}

// A piece has been taken: the worker, which sees no socket, learns how much waits there.
void Pool::acknowledge(Loop& loop, Member& member, const Entry& entry, int64_t queued) {
  loop.expect_drained({entry.slot, entry.generation});
  // Gone is more than can ever wait.
  auto waiting =
      queued < 0 ? UINT32_MAX : static_cast<uint32_t>(std::min<int64_t>(queued, UINT32_MAX - 1));
  give(member, {kEntryAck, entry.slot, entry.generation, waiting, 0, 0, 0, entry.length}, {});
}

// Requests are answered; others may be told the same ticket later.
void Pool::landed(Member& member, const Entry& entry) {
  if (entry.ticket >= member.flights.size()) return;
  Flight& flight = member.flights[entry.ticket];
  uint32_t first = entry.sequence - flight.sequence;
  if (flight.open == 0 || flight.id.slot != entry.slot ||
      flight.id.generation != entry.generation || entry.count() > kMostInRun ||
      first > kMostInRun - entry.count())
    return;
  uint64_t theirs = flight.open & UINT64_MAX >> (kMostInRun - entry.count()) << first;
  member.in_flight -= static_cast<uint32_t>(std::popcount(theirs));
  flight.open &= ~theirs;
  if (theirs == 0 || flight.open != 0) return;
  flight.copy.clear();
  member.free_flights.push_back(entry.ticket);
}

// The loop has sent or copied what collect() gave it.
void Pool::flushed() {
  bool rung = false;
  for (Member& member : members_) {
    rung = publish(member) || rung;
    if (member.collected == 0) continue;
    bool waits = member.in.take(std::exchange(member.collected, 0));
    if (!waits || !member.live) continue;
    uint64_t one = 1;
    [[maybe_unused]] ssize_t told = write(member.bell, &one, sizeof one);
  }
  if (rung && one_processor_) give_way();
}

// Where loop and workers share the only processor, looking at the sockets once more would only keep
// a worker from what it was rung for.
void Pool::give_way() {
  if (sleep()) {
    pollfd bell{bell_, POLLIN, 0};
    timespec most{0, kMostGivenNs};
    uint64_t count;
    if (ppoll(&bell, 1, &most, nullptr) > 0) [[maybe_unused]]
      ssize_t heard = read(bell_, &count, sizeof count);
  }
  awake();
}

void Pool::detach(Loop& loop, uint32_t index) {
  Member& member = members_[index];
  if (!member.live) return;
  // What it said before it died holds.
  collect_from(loop, member, true);
  member.live = false;
  requeue_untaken(member);
  lose(loop, member);
  member.pending.clear();
  member.flights.clear();
  member.free_flights.clear();
  member.in_flight = 0;
  member.collected = 0;
  reset(*member.channel);
  pump(loop);
  for (Member& other : members_) publish(other);
}

// Requests that it never saw run elsewhere, whatever they are; in their order, before those that
// wait.
void Pool::requeue_untaken(Member& member) {
  std::deque<Item> again;
  Lane& lane = member.channel->requests;
  uint32_t head = lane.head.load(std::memory_order_acquire);
  uint32_t tail = lane.tail.load(std::memory_order_relaxed);
  auto is_request = [](uint32_t kind) { return (kind & 0xff) == 0; };
  bool continues = false;
  for (; head != tail && tail - head <= kLaneEntries; head++) {
    const Entry& entry = lane.entries[head & (kLaneEntries - 1)];
    std::span<const uint8_t> bytes(lane.bytes + entry.offset, entry.length);
    bool is_first = !continues;
    continues = entry.kind & kEntryPart;
    if (!is_request(entry.kind)) continue;
    if (is_first) again.push_back({entry, {}});
    if (again.empty()) continue;
    again.back().bytes.insert(again.back().bytes.end(), bytes.begin(), bytes.end());
    again.back().entry.kind &= ~kEntryPart;
  }
  // The last may have gone in part; the rest of it is the first that is pending.
  for (Item& item : member.pending) {
    if (!is_request(item.entry.kind)) continue;
    if (item.sent > 0 && !again.empty()) again.pop_back();
    if (item.sent > 0) item.sent = 0;
    again.push_back(std::move(item));
  }
  for (Item& item : again) landed(member, item.entry);
  queue_.insert(queue_.begin(), std::make_move_iterator(again.begin()),
                std::make_move_iterator(again.end()));
}

// Of one of its replies some pieces are there: another worker's would be put behind them.
bool Pool::has_begun(Loop& loop, const Flight& flight) {
  for (uint32_t i = 0; i < flight.count; i++)
    if (flight.open >> i & 1 && loop.has_begun(flight.id, flight.sequence + i)) return true;
  return false;
}

// Those that it had taken: once more elsewhere where that does no harm, else their connection ends.
void Pool::lose(Loop& loop, Member& member) {
  for (const Flight& flight : member.flights) {
    if (flight.open == 0) continue;
    if (options_.idempotent && !has_begun(loop, flight))
      repeat(flight);
    else
      loop.close(flight.id, Reason::worker_lost);
  }
  if (!options_.chunks) return;
  auto index = static_cast<uint32_t>(&member - members_.data());
  for (uint32_t slot = 0; slot < homes_.size(); slot++)
    if (homes_[slot].member == index && homes_[slot].epoch == member.epoch)
      loop.close({slot, homes_[slot].generation}, Reason::worker_lost);
}

// Its requests without an answer, each by itself, go first.
void Pool::repeat(const Flight& flight) {
  const uint8_t* table = flight.copy.data();
  const uint8_t* bytes = table + (flight.count > 1 ? flight.count * sizeof(RunItem) : 0);
  for (uint32_t i = flight.count; i-- > 0;) {
    if (!(flight.open >> i & 1)) continue;
    RunItem item{0, static_cast<uint32_t>(flight.copy.size())};
    if (flight.count > 1) std::memcpy(&item, table + i * sizeof item, sizeof item);
    const uint8_t* start = bytes + item.offset;
    queue_.push_front({{0, flight.id.slot, flight.id.generation, flight.sequence + i, 0, 0, 0, 0},
                       {start, start + item.length}});
  }
}

}  // namespace gaidaros
