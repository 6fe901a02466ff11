// Choosing a worker and handing over. What comes back is in answers.cc.
#include "pool.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "../conn/meta.h"
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
// Requests share an entry, which one worker gets, only where they are cheap.
constexpr uint64_t kRunNs = 50'000;
constexpr uint32_t kRunBytes = 16 * 1024;
constexpr uint32_t kRunGap = 64;  // between two of them: delimiters, prefixes
// A worker that has so much to do begins before the loop has sent what is answered.
constexpr uint64_t kAtOnceNs = 50'000;
// A turn that runs so long is taken for one that may never end.
constexpr uint64_t kStuckNs = 5'000'000;

uint32_t cost_of(const Channel& channel) {
  uint32_t cost = channel.cost_ns.load(std::memory_order_relaxed);
  return cost == 0 ? kUnknownCostNs : cost;
}

bool has_one_processor() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1;
}

// Requests from `first` on that follow each other on one connection and in the slab.
uint32_t run_at(const Record* first, uint32_t most) {
  constexpr auto kRequest = static_cast<uint32_t>(RecordKind::request);
  uint32_t end = first->offset + first->length;
  uint32_t run = 1;
  for (; run < most; run++) {
    const Record& next = first[run];
    if (next.kind != kRequest || next.slot != first->slot || next.generation != first->generation ||
        next.sequence != first->sequence + run || next.offset - end > kRunGap ||
        next.offset + next.length - first->offset > kRunBytes)
      break;
    end = next.offset + next.length;
  }
  return run;
}

}  // namespace

std::unique_ptr<Pool> Pool::make(const PoolOptions& options, std::string& error) {
  std::unique_ptr<Pool> pool(new Pool(options));
  if (int code = pool->memory_.create(options.workers); code != 0) {
    error = std::string("memory for the workers: ") + std::strerror(code);
    return nullptr;
  }
  pool->one_processor_ = has_one_processor();
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
  member.given = 0;
  member.epoch++;
  pump(loop);
  publish(member);
}

// A worker that is free enough to be given a request without making others wait behind it.
bool Pool::is_free(const Member& member) const {
  if (!member.live || member.retiring || member.stuck || !member.pending.empty()) return false;
  if (options_.one_shot) return !member.spent;
  uint64_t ahead = untaken(member);
  return ahead < kLeastAhead ||
         (member.out.untaken() < kLaneEntries / 2 && ahead * cost_of(*member.channel) < kAheadNs);
}

// Requests that it has not begun with, those that are pending among them.
uint64_t Pool::untaken(const Member& member) {
  return member.given - member.channel->requests_taken.load(std::memory_order_relaxed);
}

uint64_t Pool::load(const Member& member) { return untaken(member) * cost_of(*member.channel); }

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

// Where requests are dear they go one by one, each to whoever is free.
uint32_t Pool::longest_run() const {
  if (!options_.runs || options_.one_shot) return 1;
  uint64_t dearest = 1;
  for (const Member& member : members_)
    if (member.live) dearest = std::max<uint64_t>(dearest, cost_of(*member.channel));
  return static_cast<uint32_t>(std::clamp<uint64_t>(kRunNs / dearest, 1, kMostInRun));
}

uint32_t Pool::dispatch(Loop& loop, Record* records, uint32_t count) {
  look_at_clocks();
  const uint32_t longest = longest_run();
  uint32_t left = 0;
  uint32_t run = 1;
  ConnId told{UINT32_MAX, 0};
  for (uint32_t i = 0; i < count; i += run) {
    run = 1;
    if (!takes(records[i])) {
      records[left++] = records[i];
      continue;
    }
    const Record& record = records[i];
    ConnId id{record.slot, record.generation};
    if (record.kind == static_cast<uint32_t>(RecordKind::request))
      run = run_at(&record, std::min(longest, count - i));
    if (options_.sticky && (id.slot != told.slot || id.generation != told.generation))
      if (Member* home = home_of(id)) {
        tell(loop, *home, id);
        told = id;
      }
    if (journal_) note_record(record, record.length);
    request(loop, &record, run);
    if ((record.kind & 0xff) == static_cast<uint32_t>(RecordKind::closed)) leave_home(id);
    loop.hand_over(record, run);
  }
  for (Member& member : members_)
    if (member.live && load(member) >= kAtOnceNs) publish(member);
  return left;
}

void Pool::request(Loop& loop, const Record* records, uint32_t run) {
  Entry entry{(records->kind & (0xff | kFrameFlags)) | (run - 1) << kRunShift,
              records->slot,
              records->generation,
              records->sequence,
              0,
              0,
              0,
              records->extra};
  Cargo cargo = pack(loop, records, run);
  ConnId id{entry.slot, entry.generation};
  // What is no request is for the worker that knows the connection, however it came by it.
  bool is_request = (entry.kind & 0xff) == static_cast<uint32_t>(RecordKind::request);
  if (Member* home = options_.sticky || !is_request ? home_of(id) : nullptr)
    return assign(loop, *home, entry, cargo);
  // Those that wait go first, or a connection's records change places.
  Member* member = queue_.empty() ? choose(id) : nullptr;
  if (member != nullptr) return assign(loop, *member, entry, cargo);
  queue_.push_back({entry, cargo.copy()});
}

// The table stays in table_ until the next call.
Pool::Cargo Pool::pack(Loop& loop, const Record* records, uint32_t run) {
  std::span<const uint8_t> first = loop.bytes_of(*records);
  if (run == 1) return {{}, first};
  for (uint32_t i = 0; i < run; i++)
    table_[i] = {records[i].offset - records->offset, records[i].length};
  const RunItem& last = table_[run - 1];
  return {{reinterpret_cast<const uint8_t*>(table_), run * sizeof(RunItem)},
          {first.data(), last.offset + last.length}};
}

// Bytes [from, from + size) of table and bytes.
void Pool::Cargo::copy_to(uint8_t* place, uint32_t from, uint32_t size) const {
  auto head = static_cast<uint32_t>(table.size());
  if (from < head) {
    uint32_t part = std::min(size, head - from);
    std::memcpy(place, table.data() + from, part);
    place += part;
    from += part;
    size -= part;
  }
  if (size > 0) std::memcpy(place, bytes.data() + (from - head), size);
}

std::vector<uint8_t> Pool::Cargo::copy() const {
  std::vector<uint8_t> copied(size());
  copy_to(copied.data(), 0, size());
  return copied;
}

void Pool::assign(Loop& loop, Member& member, Entry entry, const Cargo& cargo) {
  ConnId id{entry.slot, entry.generation};
  auto kind = static_cast<RecordKind>(entry.kind & 0xff);
  if (kind == RecordKind::request) {
    if (options_.one_shot || (options_.sticky && entry.sequence == 0)) tell(loop, member, id);
    entry.ticket = take_off(member, entry, cargo);
    member.spent = true;
  } else if (options_.sticky && kind == RecordKind::opened) {
    tell(loop, member, id);
  }
  if (kind <= RecordKind::chunk) member.given += entry.count();
  give(member, entry, cargo);
}

// What the handler may ask of its connection object; the local address is asked of the kernel once.
void Pool::tell(Loop& loop, Member& member, ConnId id) {
  std::optional<ConnectionMeta> meta = loop.meta_of_datagram(id);
  std::vector<uint8_t> facts;
  if (const Connection* connection = meta ? nullptr : loop.find(id)) {
    meta = meta_of(*connection);
    facts = facts_of(*connection);
  }
  if (!meta) return;
  std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&*meta), sizeof *meta);
  give(member, {kEntryMeta, id.slot, id.generation, 0, 0, 0, 0, 0}, {bytes, facts});
}

uint32_t Pool::take_off(Member& member, const Entry& entry, const Cargo& cargo) {
  if (member.free_flights.empty()) {
    member.free_flights.push_back(static_cast<uint32_t>(member.flights.size()));
    member.flights.emplace_back();
  }
  uint32_t ticket = member.free_flights.back();
  member.free_flights.pop_back();
  Flight& flight = member.flights[ticket];
  flight.id = {entry.slot, entry.generation};
  flight.sequence = entry.sequence;
  flight.count = entry.count();
  flight.open = UINT64_MAX >> (kMostInRun - flight.count);
  if (options_.idempotent) flight.copy = cargo.copy();
  member.in_flight += flight.count;
  return ticket;
}

void Pool::give(Member& member, const Entry& entry, const Cargo& cargo) {
  uint32_t sent = member.pending.empty() ? put(member, entry, cargo, 0) : 0;
  if (sent == UINT32_MAX) return;
  member.pending.push_back({entry, cargo.copy(), sent});
}

// Puts an entry, in parts where it is long, from byte `from` on. UINT32_MAX when all of it has
// gone, else how far it came.
uint32_t Pool::put(Member& member, const Entry& entry, const Cargo& cargo, uint32_t from) {
  for (;;) {
    uint32_t rest = cargo.size() - from;
    uint32_t size = std::min(rest, kPartBytes);
    uint8_t* place = member.out.place(size);
    if (place == nullptr) return from;
    if (size > 0) cargo.copy_to(place, from, size);
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
    item.sent = put(member, item.entry, {{}, item.bytes}, item.sent);
    if (item.sent != UINT32_MAX) return;
    member.pending.pop_front();
  }
}

// True: the worker slept and was rung.
bool Pool::publish(Member& member) {
  if (!member.live || !member.out.unpublished()) return false;
  if (!member.out.publish()) return false;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t rung = write(member.bell, &one, sizeof one);
  return true;
}

// Hands on what waited for room, or for a worker.
void Pool::pump(Loop& loop) {
  for (Member& member : members_)
    if (member.live) push_pending(member);
  while (!queue_.empty()) {
    Item& item = queue_.front();
    ConnId id{item.entry.slot, item.entry.generation};
    bool is_gone = !loop.is_known(id);
    Member* member = is_gone ? nullptr : choose(id);
    if (!is_gone && member == nullptr) return;
    if (member != nullptr) assign(loop, *member, item.entry, {{}, item.bytes});
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
    return flight.open != 0 && loop.is_open(flight.id);
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
