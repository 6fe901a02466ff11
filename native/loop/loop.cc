#include "loop.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "../core/clock.h"
#include "../core/timeout.h"

namespace gaidaros {

namespace {

constexpr int kMaxRounds = 16;  // polls within one turn, before libuv gets its own
constexpr int kMaxAnswers = 4;  // looks for answers of workers between two polls

uint32_t clock_ms() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<uint32_t>(time.tv_sec * 1000 + time.tv_nsec / 1'000'000);
}

}  // namespace

Loop::Loop(LoopOptions options, Host& host, SharedMemory memory)
    : options_(std::move(options)),
      host_(host),
      memory_(memory),
      wheel_(this,
             [](void* self, uint32_t slot) -> TimerNode& {
               return static_cast<Loop*>(self)->table_.at(slot).timer;
             }),
      now_(clock_ms()),
      frames_(kMaxRecords),
      scratch_(64 * 1024),
      arena_(new uint8_t[kOutBytes]) {
  if (!options_.framer) return;
  options_.framer->limit(options_.limits.http);
  if (options_.framer->strips()) wholes_.resize(kMaxRecords);
}

std::unique_ptr<Loop> Loop::make(LoopOptions options, Host& host, SharedMemory memory,
                                 std::string& error) {
  std::unique_ptr<Loop> loop(new Loop(std::move(options), host, memory));
  PollerOptions poller;
  poller.edge = loop->options_.polling == PollingType::edge;
  poller.send_batching = loop->options_.send_batching && !loop->options_.nodelay;
  poller.recv_bytes = loop->options_.recv_bytes;
  poller.messages = loop->options_.messages;
  Syscalls& counts = loop->stats_.syscalls;
  if (loop->options_.compress.method != Method::none) {
    loop->codecs_ = CodecPool::make(loop->options_.compress, error);
    if (!loop->codecs_) return nullptr;
  }
  if (loop->options_.datagrams.on) {
    loop->datagrams_ = std::make_unique<Datagrams>(loop->options_.datagrams.local);
    if (loop->codecs_) loop->datagrams_->codec.emplace(*loop->codecs_);
  }
  bool is_stream = !loop->datagrams_ && !poller.messages;
  poller.send_batching = poller.send_batching && is_stream;
  loop->poller_ = loop->options_.polling == PollingType::completion
                      ? make_completion_poller(poller, *loop, counts, loop->table_, error)
                      : make_epoll_poller(poller, *loop, counts, loop->table_, error);
  if (!loop->poller_) return nullptr;
  loop->description_ = loop->poller_->description();
  if (!is_stream) {
    // Without what it says of sends.
    loop->description_ = loop->description_.substr(0, loop->description_.find(','));
    loop->description_ += loop->datagrams_ ? ", recvmmsg and sendmmsg" : ", recv and sendmmsg";
  }
  return loop;
}

Loop::~Loop() { release(); }

void Loop::release() {
  stop_listening();
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
  reserve_fd_ = -1;
  // The poller goes first: a ring must have given up its buffers before descriptors are closed
  // here.
  poller_.reset();
  for (Listener& listener : listeners_)
    if (listener.fd >= 0) ::close(std::exchange(listener.fd, -1));
  for (uint32_t slot = 0; slot < table_.slots(); slot++) {
    Connection& connection = table_.at(slot);
    if (connection.fd >= 0) ::close(connection.fd);
    connection.fd = -1;
  }
}

void Loop::awake() { now_ = clock_ms(); }

bool Loop::turn(int timeout_ms) {
  stats_.turns++;
  take_rationed();
  bool more = true;
  for (int round = 0; more && round < kMaxRounds; round++) {
    bool busy = round > 0 || !dirty_.empty() || !waiting_.empty() || !events_.empty() ||
                !rationed_.empty() || (datagrams_ && (!datagrams_->out.empty() || takes_rest()));
    if (!busy && timeout_ms != 0) busy = !host_.sleep();
    more = poller_->poll(busy ? 0 : timeout_ms);
    host_.awake();
    tick();
    // A worker on this processor may have run in between and be done: its answers leave before the
    // poll, so that what they bring about is there for it.
    for (int i = 0; i < kMaxAnswers && (i == 0 || host_.answered()); i++) {
      host_.collect();
      step();
    }
    more = more || !waiting_.empty() || !events_.empty() || poller_->pending();
    if (poller_->foreign_ready()) break;
  }
  return !host_.sleep() || more || !rationed_.empty();
}

void Loop::step() {
  deliver();
  send_answers();
  // Requests that were received but had no room among the ones in flight.
  for (int round = 0; !waiting_.empty() && round < kMaxRounds; round++) {
    take_waiting();
    deliver();
    send_answers();
  }
  // And datagrams of messages that hold many.
  while (datagrams_ && takes_rest() && take_rest() > 0) {
    deliver();
    send_answers();
  }
  deliver();
  host_.flushed();
  reap();
}

void Loop::send_answers() {
  flush();
  if (!bigs_.empty()) host_.drop_bigs();
  bigs_.clear();
  note_sent();
  rewind_slab();
}

int Loop::next_timeout() const {
  if (!dirty_.empty() || !waiting_.empty() || !events_.empty() || !rationed_.empty() ||
      poller_->pending())
    return 0;
  if (datagrams_ && (!datagrams_->out.empty() || takes_rest())) return 0;
  int timeout = wheel_.next_timeout(now_);
  auto until = [this](uint32_t due) { return std::max(0, static_cast<int32_t>(due - now_)); };
  if (accept_resume_at_ != 0) timeout = sooner(timeout, until(accept_resume_at_));
  if (!warm_.empty()) timeout = sooner(timeout, until(cool_at_));
  if (closing_) timeout = sooner(timeout, until(close_at_));
  if (options_.poll_timeout > 0) timeout = sooner(timeout, static_cast<int>(options_.poll_timeout));
  return timeout;
}

void Loop::push_record(RecordKind kind, const Connection& connection, uint32_t offset,
                       uint32_t length, uint32_t extra) {
  memory_.records[record_count_++] = {static_cast<uint32_t>(kind),
                                      connection.slot,
                                      connection.generation,
                                      connection.next_sequence,
                                      offset,
                                      length,
                                      extra,
                                      0};
}

void Loop::push_event(RecordKind kind, const Connection& connection, uint32_t extra) {
  events_.push_back({static_cast<uint32_t>(kind), connection.slot, connection.generation,
                     connection.next_sequence, 0, 0, extra, 0});
  if (!delivering_) host_.wake();
}

// The crossing: records go up, replies come back and are put in their connections' order.
void Loop::deliver() {
  size_t taken = std::min<size_t>(events_.size(), kMaxRecords - record_count_);
  std::copy_n(events_.begin(), taken, memory_.records + record_count_);
  record_count_ += static_cast<uint32_t>(taken);
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (record_count_ == 0) return;
  stats_.batches++;
  stats_.records += record_count_;
  uint32_t count = record_count_;
  delivering_ = true;
  uint64_t began = clock_ns();
  count = host_.turn(count);
  note_turn(began, count);
  awake();
  slab_kept_ = slab_kept_ || host_.slab_kept();
  for (uint32_t i = 0; i < count;) i += apply(i, count);
  delivering_ = false;
  record_count_ = 0;
  slab_full_ = false;
}

// Takes the answer to record `index`, and with it those behind it that leave as one piece. Returns
// how many it took.
uint32_t Loop::apply(uint32_t index, uint32_t count) {
  if (datagrams_) return apply_datagram(index), 1;
  const Record& record = memory_.records[index];
  const Reply& reply = memory_.replies[index];
  Connection* connection = table_.find({record.slot, record.generation});
  if (connection == nullptr) return 1;
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  auto answer = static_cast<Answer>(reply.kind & 0xff);
  if (kind == RecordKind::closed) {
    noticed(*connection, kind);
  } else if (!connection->live()) {
    return 1;
  } else if (answer == Answer::failed) {
    fail(*connection);
  } else if (kind == RecordKind::ended) {
    hear_end(*connection);
  } else if (kind != RecordKind::request) {
    noticed(*connection, kind);
  } else if (answer == Answer::later) {
    expect_answers(*connection, record.sequence, 1);
  } else {
    std::span<const uint8_t> bytes = answer_bytes(record, reply, index);
    uint32_t run = 1;
    if (record.sequence != connection->reply_sequence)
      expect_late(*connection, record.sequence, 1);
    else if (!options_.nodelay)
      run = extend_run(index, count, bytes);
    if (record.sequence == connection->reply_sequence) answered_now_ += run;
    respond(*connection, record.sequence, bytes, {run, false, (reply.kind & kReplyEnd) != 0});
    return run;
  }
  return 1;
}

void Loop::hand_over(const Record& record, uint32_t count) {
  if (datagrams_) return hand_over_datagram(record);
  Connection* connection = table_.find({record.slot, record.generation});
  if (connection == nullptr) return;
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  if (kind == RecordKind::request) {
    if (connection->live()) expect_answers(*connection, record.sequence, count);
  } else if (kind != RecordKind::ended) {  // of which a worker will say that it has heard
    noticed(*connection, kind);
  }
}

// Whoever handles has had a record that wants no answer.
void Loop::noticed(Connection& connection, RecordKind kind) {
  if (kind == RecordKind::closed) {
    // Nothing but this record names the connection any more (rule 19).
    connection.mourned = false;
    bury(connection);
  } else if (connection.live() && connection.peer_ended) {
    mark_dirty(connection);
  }
}

// Requests from `sequence` on are answered by calls.
void Loop::expect_answers(Connection& connection, uint32_t sequence, uint32_t count) {
  expect_late(connection, sequence + count - 1, count);
  if (options_.limits.handler_timeout > 0 && connection.in_flight() > 0) arm(connection);
}

// Replies of one connection that lie side by side are one reply as far as its output is concerned.
uint32_t Loop::extend_run(uint32_t first, uint32_t count, std::span<const uint8_t>& bytes) const {
  const Record& record = memory_.records[first];
  uint32_t run = 1;
  if (memory_.replies[first].kind & kReplyEnd || bytes.empty()) return run;
  for (uint32_t i = first + 1; i < count; i++, run++) {
    const Record& next = memory_.records[i];
    const Reply& reply = memory_.replies[i];
    if (next.slot != record.slot || next.generation != record.generation ||
        next.kind != static_cast<uint32_t>(RecordKind::request) ||
        reply.kind >= static_cast<uint32_t>(Answer::later))
      break;
    std::span<const uint8_t> more = answer_bytes(next, reply, i);
    if (more.data() != bytes.data() + bytes.size()) break;
    bytes = {bytes.data(), bytes.size() + more.size()};
  }
  return run;
}

std::span<const uint8_t> Loop::bytes_of(const Record& record) const {
  if (record.kind & kRecordBig) return {bigs_[record.offset] + record.extra, record.length};
  return {slab_ + record.offset, record.length};
}

std::span<const uint8_t> Loop::answer_bytes(const Record& record, const Reply& reply,
                                            uint32_t index) const {
  auto within = [&reply](const uint8_t* base, uint32_t size) -> std::span<const uint8_t> {
    if (reply.offset > size || reply.length > size - reply.offset) return {};
    return {base + reply.offset, reply.length};
  };
  switch (static_cast<Answer>(reply.kind & 0xff)) {
    case Answer::same:
      if (!wholes_.empty()) return wholes_[index];
      if (record.kind & kRecordBig) return {bigs_[record.offset], record.length};
      return {slab_ + record.offset, record.length};
    case Answer::slab:
      return within(slab_, kSlabBytes);
    case Answer::out:
      return within(memory_.out, kOutBytes);
    default:
      return {};
  }
}

bool Loop::is_open(ConnId id) {
  if (datagrams_) return datagrams_->flights.is_live(id);
  const Connection* connection = table_.find(id);
  return connection != nullptr && connection->live();
}

bool Loop::is_known(ConnId id) {
  return datagrams_ ? datagrams_->flights.find(id) != nullptr : table_.find(id) != nullptr;
}

// Frees what was buried; only here do slots change hands, so that no event of this turn can meet a
// new owner.
void Loop::reap() {
  if (datagrams_) {
    for (uint32_t slot : datagrams_->graves) datagrams_->flights.told(slot);
    datagrams_->graves.clear();
  }
  for (ConnId id : graves_) {
    if (Connection* connection = table_.find(id)) {
      wheel_.cancel(id.slot);
      if (connection->sampled) drop_sample(*connection);
      table_.release(*connection);
    }
  }
  graves_.clear();
}

void Loop::set_limits(const Limits& limits) {
  options_.limits = limits;
  if (options_.framer) options_.framer->limit(limits.http);
  for (uint32_t slot = 0; slot < table_.slots(); slot++)
    if (Connection& connection = table_.at(slot); connection.live()) arm(connection);
  if (stats_.active < limits.max_connections || limits.max_connections == 0)
    resume_accepting(kPauseLimit);
}

}  // namespace gaidaros
