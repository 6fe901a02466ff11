// Choosing a worker and handing over. What comes back is in answers.cc.
#include "pool.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "../core/clock.h"

namespace gaidaros {

namespace {

// A worker is woken for itself only when those before it in line have so much to do already.
constexpr uint64_t kEnoughNs = 200'000;
// Nobody gets more than this ahead: it waits here, for whoever is free first.
constexpr uint64_t kAheadNs = 1'000'000;
constexpr uint32_t kLeastAhead = 4;
// Of a request that nobody has measured yet.
constexpr uint32_t kUnknownCostNs = 50'000;
// A turn that runs so long is taken for one that may never end.
constexpr uint64_t kStuckNs = 2'000'000;

uint32_t cost_of(const Channel& channel) {
  uint32_t cost = channel.cost_ns.load(std::memory_order_relaxed);
  return cost == 0 ? kUnknownCostNs : cost;
}

}  // namespace

std::unique_ptr<Pool> Pool::make(const PoolOptions& options, std::string& error) {
  std::unique_ptr<Pool> pool(new Pool(options));
  if (int code = pool->memory_.create(options.workers); code != 0) {
    error = std::string("memory for the workers: ") + std::strerror(code);
    return nullptr;
  }
  pool->bell_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  pool->members_.resize(options.workers);
  for (uint32_t i = 0; i < options.workers; i++) {
    pool->members_[i].channel = &pool->memory_.channel(i);
    pool->members_[i].bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  }
  if (pool->bell_ < 0 || pool->members_.back().bell < 0) {
    error = std::string("eventfd: ") + std::strerror(errno);
    return nullptr;
  }
  return pool;
}

Pool::~Pool() {
  for (Member& member : members_)
    if (member.bell >= 0) ::close(member.bell);
  if (bell_ >= 0) ::close(bell_);
}

void Pool::attach(Loop& loop, uint32_t index) {
  Member& member = members_[index];
  Channel& channel = *member.channel;
  // Unlike the worker's own part, which it may have begun to write.
  member.out = LaneProducer(&channel.requests);
  member.in = LaneConsumer(&channel.replies);
  member.live = true;
  member.retiring = member.spent = member.stuck = false;
  member.epoch++;
  pump(loop);
  publish(member);
}

// A worker that is free enough to be given a request without making others wait behind it.
bool Pool::is_free(const Member& member) const {
  if (!member.live || member.retiring || member.stuck || !member.pending.empty()) return false;
  if (options_.one_shot) return !member.spent;
  uint32_t untaken = member.out.untaken();
  return untaken < kLeastAhead ||
         (untaken < kLaneEntries / 2 && uint64_t{untaken} * cost_of(*member.channel) < kAheadNs);
}

uint64_t Pool::load(const Member& member) {
  return uint64_t{member.out.untaken() + member.pending.size()} * cost_of(*member.channel);
}

// The first in line that has little to do: cheap requests gather at few workers, whose turns are
// long and whose wake-ups rare, dear ones spread.
Pool::Member* Pool::least_loaded(bool even_full) {
  Member* best = nullptr;
  uint64_t least = UINT64_MAX;
  for (Member& member : members_) {
    if (!is_free(member) && !(even_full && member.live && !member.retiring)) continue;
    uint64_t its = load(member) + (member.stuck ? kStuckNs : 0);
    if (its < kEnoughNs && !member.stuck) return &member;
    if (its < least) {
      least = its;
      best = &member;
    }
  }
  return best;
}

Pool::Member* Pool::home_of(ConnId id) {
  if (id.slot >= homes_.size()) return nullptr;
  const Home& home = homes_[id.slot];
  if (home.generation != id.generation || home.member == kNobody) return nullptr;
  Member& member = members_[home.member];
  return member.live && member.epoch == home.epoch ? &member : nullptr;
}

Pool::Member* Pool::choose(ConnId id) {
  if (!options_.sticky) return least_loaded(false);
  if (Member* home = home_of(id)) return home;
  Member* chosen = least_loaded(true);
  if (chosen != nullptr) settle(id, *chosen);
  return chosen;
}

// From here on the connection's own records go to this worker.
void Pool::settle(ConnId id, const Member& member) {
  if (id.slot >= homes_.size()) homes_.resize(id.slot + 64);
  homes_[id.slot] = {id.generation, static_cast<uint32_t>(&member - members_.data()), member.epoch};
}

// Its `closed` record is the last that names a connection.
void Pool::leave_home(ConnId id) {
  if (home_of(id) != nullptr) homes_[id.slot].member = kNobody;
}

// What is no request concerns only the worker that knows the connection.
bool Pool::takes(const Record& record) {
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  if (kind == RecordKind::request) return true;
  if (kind == RecordKind::closed || kind == RecordKind::drained)
    return home_of({record.slot, record.generation}) != nullptr;
  return options_.sticky;
}

void Pool::look_at_clocks() {
  uint64_t now = clock_ns();
  for (Member& member : members_) {
    uint64_t began =
        member.live ? member.channel->turn_began_ns.load(std::memory_order_relaxed) : 0;
    member.stuck = began != 0 && now > began + kStuckNs;
  }
}

uint32_t Pool::dispatch(Loop& loop, const Record* records, Reply* replies, uint32_t count) {
  look_at_clocks();
  uint32_t left = 0;
  ConnId told{UINT32_MAX, 0};
  for (uint32_t i = 0; i < count; i++) {
    const Record& record = records[i];
    ConnId id{record.slot, record.generation};
    auto kind = static_cast<RecordKind>(record.kind & 0xff);
    if (!takes(record)) {
      replies[i].kind = kLeft;
      left++;
      continue;
    }
    bool later = kind == RecordKind::request || kind == RecordKind::ended;
    replies[i] = {static_cast<uint32_t>(later ? Answer::later : Answer::none), 0, 0, 0};
    if (options_.sticky && (id.slot != told.slot || id.generation != told.generation))
      if (Member* home = home_of(id)) {
        tell(loop, *home, id);
        told = id;
      }
    std::span<const uint8_t> bytes = loop.bytes_of(record);
    if (journal_) note_record(record, static_cast<uint32_t>(bytes.size()));
    request(loop, record, bytes);
    if (kind == RecordKind::closed) leave_home(id);
  }
  for (Member& member : members_) publish(member);
  return left;
}

void Pool::request(Loop& loop, const Record& record, std::span<const uint8_t> bytes) {
  Entry entry{record.kind & 0xff, record.slot, record.generation, record.sequence, 0, 0, 0,
              record.extra};
  ConnId id{record.slot, record.generation};
  // What is no request is for the worker that knows the connection, however it came by it.
  bool is_request = entry.kind == static_cast<uint32_t>(RecordKind::request);
  if (Member* home = options_.sticky || !is_request ? home_of(id) : nullptr)
    return assign(loop, *home, entry, bytes);
  // Those that wait go first, or a connection's records change places.
  Member* member = queue_.empty() ? choose(id) : nullptr;
  if (member != nullptr) return assign(loop, *member, entry, bytes);
  queue_.push_back({entry, {bytes.begin(), bytes.end()}});
}

void Pool::assign(Loop& loop, Member& member, Entry entry, std::span<const uint8_t> bytes) {
  ConnId id{entry.slot, entry.generation};
  if (entry.kind == static_cast<uint32_t>(RecordKind::request)) {
    if (options_.one_shot || (options_.sticky && entry.sequence == 0)) tell(loop, member, id);
    entry.ticket = take_off(member, id, entry.sequence, bytes);
    member.spent = true;
  } else if (options_.sticky && entry.kind == static_cast<uint32_t>(RecordKind::opened)) {
    tell(loop, member, id);
  }
  give(member, entry, bytes);
}

// What the handler may ask of its connection object; the local address is asked of the kernel once.
void Pool::tell(Loop& loop, Member& member, ConnId id) {
  const Connection* connection = loop.find(id);
  if (connection == nullptr) return;
  ConnectionMeta meta;
  meta.remote = connection->peer;
  if (connection->fd >= 0) meta.local = local_address(connection->fd);
  meta.bytes_in = connection->bytes_in;
  meta.bytes_out = connection->bytes_out;
  meta.requests = connection->next_sequence;
  std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&meta), sizeof meta);
  give(member, {kEntryMeta, id.slot, id.generation, 0, 0, 0, 0, 0}, bytes);
}

uint32_t Pool::take_off(Member& member, ConnId id, uint32_t sequence,
                        std::span<const uint8_t> bytes) {
  if (member.free_flights.empty()) {
    member.free_flights.push_back(static_cast<uint32_t>(member.flights.size()));
    member.flights.emplace_back();
  }
  uint32_t ticket = member.free_flights.back();
  member.free_flights.pop_back();
  Flight& flight = member.flights[ticket];
  flight.id = id;
  flight.sequence = sequence;
  flight.used = true;
  if (options_.idempotent) flight.copy.assign(bytes.begin(), bytes.end());
  member.in_flight++;
  return ticket;
}

void Pool::give(Member& member, Entry entry, std::span<const uint8_t> bytes) {
  uint32_t sent = member.pending.empty() ? put(member, entry, bytes, 0) : 0;
  if (sent == UINT32_MAX) return;
  member.pending.push_back({entry, {bytes.begin(), bytes.end()}, sent});
}

// Puts an entry, in parts where it is long, from byte `from` on. UINT32_MAX when all of it has
// gone, else how far it came.
uint32_t Pool::put(Member& member, const Entry& entry, std::span<const uint8_t> bytes,
                   uint32_t from) {
  for (;;) {
    auto rest = static_cast<uint32_t>(bytes.size()) - from;
    uint32_t size = std::min(rest, kPartBytes);
    uint8_t* place = member.out.place(size);
    if (place == nullptr) return from;
    if (size > 0) std::memcpy(place, bytes.data() + from, size);
    Entry part = entry;
    part.length = size;
    if (size < rest) part.kind |= kEntryPart;
    member.out.push(part);
    if (size == rest) return UINT32_MAX;
    from += size;
  }
}

void Pool::push_pending(Member& member) {
  while (!member.pending.empty()) {
    Item& item = member.pending.front();
    item.sent = put(member, item.entry, item.bytes, item.sent);
    if (item.sent != UINT32_MAX) return;
    member.pending.pop_front();
  }
}

void Pool::publish(Member& member) {
  if (!member.live || !member.out.unpublished()) return;
  if (!member.out.publish()) return;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t rung = write(member.bell, &one, sizeof one);
}

// Hands on what waited for room, or for a worker.
void Pool::pump(Loop& loop) {
  for (Member& member : members_)
    if (member.live) push_pending(member);
  while (!queue_.empty()) {
    Item& item = queue_.front();
    ConnId id{item.entry.slot, item.entry.generation};
    bool is_gone = loop.find(id) == nullptr;
    Member* member = is_gone ? nullptr : choose(id);
    if (!is_gone && member == nullptr) return;
    if (member != nullptr) assign(loop, *member, item.entry, item.bytes);
    queue_.pop_front();
  }
}

bool Pool::sleep() {
  for (Member& member : members_)
    if (member.live && !member.in.sleep()) return false;
  return true;
}

void Pool::awake() {
  for (Member& member : members_)
    if (member.live) member.in.wake();
}

// Nobody gets what it works for; where it is not told so, it may do that for ever.
bool Pool::is_orphaned(Loop& loop, const Member& member) const {
  if (!options_.one_shot || !member.live || member.in_flight == 0) return false;
  return std::none_of(member.flights.begin(), member.flights.end(), [&loop](const Flight& flight) {
    const Connection* connection = flight.used ? loop.find(flight.id) : nullptr;
    return connection != nullptr && connection->live();
  });
}

Pool::WorkerState Pool::state(Loop& loop, uint32_t index) {
  Member& member = members_[index];
  Channel& channel = *member.channel;
  uint64_t began = channel.turn_began_ns.load(std::memory_order_relaxed);
  uint64_t now = clock_ns();
  return {member.live,
          member.in_flight,
          channel.handler_errors.load(std::memory_order_relaxed),
          channel.cost_ns.load(std::memory_order_relaxed),
          channel.requests_taken.load(std::memory_order_relaxed),
          member.live && began != 0 && now > began
              ? static_cast<uint32_t>((now - began) / 1'000'000)
              : 0,
          channel.busy_ns.load(std::memory_order_relaxed),
          is_orphaned(loop, member)};
}

}  // namespace gaidaros
