// Datagrams: each is a request, and a connection of its own to the host. Received and sent in
// batches; their bytes lie close together in the slab, so that a handler that keeps one keeps
// little else.

#include "datagrams.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "loop.h"

namespace gaidaros {

namespace {

constexpr uint32_t kSmall = 2048;   // longer ones get memory of their own
constexpr uint32_t kFewest = 16;    // a slab with room for fewer of them is replaced
constexpr int kMaxRounds = 8;       // receives of one socket in a turn
constexpr uint32_t kMostRuns = 32;  // messages at once that may be up to 128 datagrams each
constexpr uint32_t kNoFlight = UINT32_MAX;

}  // namespace

void Loop::heed_socket(Listener& listener) {
  listener.told = told_by(listener.fd);
  datagrams_->is_addressed |= listener.told.destinations;
  datagrams_->is_plain = !datagrams_->is_addressed;
  datagrams_->sender.join(options_.datagrams.join && takes_runs(listener.fd));
}

uint32_t Loop::readable(uint16_t listener, bool has_errors) {
  uint32_t taken = 0;
  int fd = listeners_[listener].fd;
  Told told = listeners_[listener].told;
  bool is_told = told.destinations || told.runs;
  if (has_errors) stats_.icmp_errors += drain_errors(fd);
  for (int round = 0; round < kMaxRounds && listeners_[listener].watched; round++) {
    if (!datagrams_->rest.empty()) taken += take_rest();
    if (!datagrams_->rest.empty()) return taken;
    if (slab_room() / kSmall < kFewest) renew_slab();
    uint32_t room = std::min({kMaxRecords - record_count_, kMostDatagrams, slab_room() / kSmall});
    if (told.runs) room = std::min(room, kMostRuns);
    if (room == 0) return taken;
    int count = datagrams_->receiver.receive(fd, room, is_told, stats_.syscalls);
    if (count < 0 && errno == EINTR) continue;
    // Whatever it says of one datagram, the socket goes on (pitfall 29).
    if (count < 0) stats_.icmp_errors += std::max(1u, drain_errors(fd));
    auto messages = static_cast<uint32_t>(std::max(count, 0));
    if (is_told) {
      datagrams_->rest = {listener, 0, messages, 0, {}};
      taken += take_rest();
    } else {
      for (uint32_t i = 0; i < messages; i++) take_datagram(listener, i);
      taken += messages;
    }
    if (count >= 0 && messages < room) break;
  }
  return taken;
}

void Loop::take_datagram(uint16_t listener, uint32_t index) {
  const DatagramReceiver& receiver = datagrams_->receiver;
  if (receiver.is_cut(index)) {
    if (!datagrams_->codec) stats_.bytes_in += receiver.length(index);
    stats_.datagrams_cut++;
    return;
  }
  begin_flight(listener, index, receiver.length(index),
               [&](uint8_t* to) { receiver.copy(index, to); });
}

// At the limit of those in flight the rest of a message waits; at the server's end it does not.
bool Loop::takes_rest() const {
  return !datagrams_->rest.empty() && (!(accept_paused_ & kPauseLimit) || !started_);
}

// Datagrams of messages that were received, as long as the turn has room. Returns how many it took.
uint32_t Loop::take_rest() {
  Received& rest = datagrams_->rest;
  const DatagramReceiver& receiver = datagrams_->receiver;
  uint32_t taken = 0;
  for (; takes_rest(); taken++) {
    if (record_count_ >= kMaxRecords || (slab_room() < kSmall && !renew_slab())) break;
    if (rest.at == 0) rest.info = receiver.info(rest.index);
    uint32_t left = receiver.length(rest.index) - rest.at;
    uint32_t size = rest.info.segment > 0 ? std::min(left, rest.info.segment) : left;
    take_part(rest, size);
    rest.at += size;
    if (size < left) continue;
    rest.index++;
    rest.at = 0;
  }
  return taken;
}

void Loop::take_part(const Received& from, uint32_t size) {
  const DatagramReceiver& receiver = datagrams_->receiver;
  if (receiver.is_cut(from.index)) return take_datagram(from.listener, from.index);
  uint32_t slot = begin_flight(from.listener, from.index, size,
                               [&](uint8_t* to) { receiver.copy(from.index, from.at, size, to); });
  if (slot == kNoFlight || !listeners_[from.listener].told.destinations) return;
  std::vector<Destination>& all = datagrams_->destinations;
  if (all.size() <= slot) all.resize(datagrams_->flights.slots());
  all[slot] = from.info.destination;
}

// `copy` gives its bytes. Returns its slot; kNoFlight: it is dropped.
template <class Copy>
uint32_t Loop::begin_flight(uint16_t listener, uint32_t index, uint32_t length, const Copy& copy) {
  const DatagramReceiver& receiver = datagrams_->receiver;
  if (!datagrams_->codec) stats_.bytes_in += length;
  uint32_t most = options_.limits.max_frame_size;
  if (most > 0 && length > most) {
    stats_.datagrams_cut++;
    return kNoFlight;
  }
  Flights& flights = datagrams_->flights;
  if (datagrams_->codec) {
    copy(scratch_.data());
    if (!inflate_datagram({scratch_.data(), length})) return kNoFlight;
  }
  uint32_t slot = flights.begin(listener, receiver.sender(index), length);
  if (datagrams_->codec) length = static_cast<uint32_t>(datagrams_->inflated.size());
  auto put = [&](uint8_t* to) {
    if (!datagrams_->codec) return copy(to);
    std::copy(datagrams_->inflated.begin(), datagrams_->inflated.end(), to);
  };
  if (receiver.is_local()) {
    flights.at(slot).sender.local.place = slot;
    if (datagrams_->senders.size() < flights.slots()) datagrams_->senders.resize(flights.slots());
    datagrams_->senders[slot] = receiver.local_sender(index);
  }
  Record& record = memory_.records[record_count_++];
  record = {static_cast<uint32_t>(RecordKind::request),
            slot,
            flights.at(slot).generation,
            0,
            slab_at_,
            length,
            0,
            0};
  if (length > kSmall) {
    bigs_.push_back(host_.new_big(length));
    record.kind |= kRecordBig;
    record.offset = static_cast<uint32_t>(bigs_.size() - 1);
    put(const_cast<uint8_t*>(bigs_.back()));
  } else {
    put(slab_ + slab_at_);
    slab_at_ += length;
  }
  stats_.accepted++;
  stats_.active++;
  stats_.requests++;
  uint32_t limit = options_.limits.max_connections;
  if (limit > 0 && flights.live() >= limit) pause_accepting(kPauseLimit);
  return slot;
}

// False: it is counted, and dropped.
bool Loop::inflate_datagram(std::span<const uint8_t> bytes) {
  std::vector<uint8_t>& inflated = datagrams_->inflated;
  inflated.clear();
  stats_.compressed_bytes_in += bytes.size();
  const Limits& limits = options_.limits;
  if (!datagrams_->codec->inflate(bytes, limits.max_frame_size, limits.inflate, inflated)) {
    stats_.datagrams_corrupt++;
    return false;
  }
  stats_.bytes_in += inflated.size();
  return true;
}

void Loop::apply_datagram(uint32_t index) {
  const Record& record = memory_.records[index];
  const Reply& reply = memory_.replies[index];
  ConnId id{record.slot, record.generation};
  Flight* flight = datagrams_->flights.find(id);
  if (flight == nullptr) return;
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  if (kind == RecordKind::closed) return datagrams_->flights.told(id.slot);
  if (kind != RecordKind::request || !flight->live) return;
  switch (static_cast<Answer>(reply.kind & 0xff)) {
    case Answer::failed:
      return end_flight(id.slot, Reason::handler_error);
    case Answer::later:
      return datagrams_->expect(id, now_);
    default:
      // An empty reply is a datagram, no reply is none.
      if (static_cast<Answer>(reply.kind & 0xff) != Answer::none)
        send_datagram(*flight, answer_bytes(record, reply, index));
      answered_now_++;
      stats_.replies++;
      end_flight(id.slot, Reason::done);
  }
}

void Loop::hand_over_datagram(const Record& record) {
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  if (kind == RecordKind::closed) return datagrams_->graves.push_back(record.slot);
  datagrams_->expect({record.slot, record.generation}, now_);
}

// Where replies to a flight go and what they are sent from; it may be over when they leave. False:
// its sender has no name.
bool Loop::address_reply(const Flight& flight, PeerAddress& to) {
  to = flight.sender;
  if (datagrams_->is_plain) return true;
  if (to.family != AF_UNIX) {
    datagrams_->sources.push_back(destination_of(flight));
    return true;
  }
  const LocalPeer& sender = datagrams_->senders[to.local.place];
  if (sender.size == 0) return false;
  to.local.place = static_cast<uint32_t>(datagrams_->receivers.size());
  datagrams_->receivers.push_back(sender);
  return true;
}

// Family 0: its socket does not tell.
Destination Loop::destination_of(const Flight& flight) const {
  if (!listeners_[flight.listener].told.destinations) return {};
  return datagrams_->destinations[datagrams_->flights.slot_of(flight)];
}

// With copying_ the bytes do not outlive the call.
void Loop::send_datagram(Flight& flight, std::span<const uint8_t> bytes) {
  bool is_copied = copying_;
  size_t plain = bytes.size();
  if (datagrams_->codec) {
    std::vector<uint8_t>& deflated = datagrams_->deflated;
    deflated.clear();
    if (!datagrams_->codec->deflate(bytes, deflated)) {
      stats_.datagrams_unsent++;
      return;
    }
    bytes = deflated;
    is_copied = true;
  }
  uint64_t most = uint64_t{options_.datagrams.amplification} * flight.length;
  if (options_.datagrams.amplification > 0 && flight.sent + bytes.size() > most) {
    stats_.datagrams_held_back++;
    return;
  }
  flight.sent += static_cast<uint32_t>(bytes.size());
  if (bytes.size() > kMostDatagramBytes) {
    stats_.datagrams_unsent++;
    return;
  }
  if (is_copied) {
    if (bytes.size() > kOutBytes - arena_at_) flush();
    uint8_t* copy = arena_.get() + arena_at_;
    if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
    arena_at_ += static_cast<uint32_t>(bytes.size());
    bytes = {copy, bytes.size()};
  }
  PeerAddress to;
  if (!address_reply(flight, to)) {
    stats_.datagrams_unsent++;
    return;
  }
  if (datagrams_->codec) stats_.bytes_out += plain;
  datagrams_->out.push_back({listeners_[flight.listener].fd, to, bytes});
  if (!delivering_) host_.wake();
}

void Loop::flush_datagrams() {
  std::vector<OutgoingDatagram>& out = datagrams_->out;
  if (out.empty()) return;
  Sent sent =
      datagrams_->sender.send(out, {datagrams_->receivers, datagrams_->sources}, stats_.syscalls);
  (datagrams_->codec ? stats_.compressed_bytes_out : stats_.bytes_out) += sent.bytes;
  stats_.datagrams_unsent += out.size() - sent.count;
  out.clear();
  datagrams_->receivers.clear();
  datagrams_->sources.clear();
  report_refusal();
}

void Loop::report_refusal() {
  DatagramSender::Refusal refusal = datagrams_->sender.take_refusal();
  if (refusal.code == 0) return;
  std::string text = "udp_gso: the kernel refuses to take several replies as one message (";
  text += std::strerror(refusal.code);
  text += refusal.most > 0 ? "): those longer than " + std::to_string(refusal.most) + " bytes"
                           : "): they";
  host_.warn(text + " leave one by one from now on");
}

int64_t Loop::reply_datagram(ConnId id, std::span<const uint8_t> bytes, uint32_t flags) {
  Flight* flight = datagrams_->flights.find(id);
  if (flight == nullptr || !flight->live) return -1;
  copying_ = true;
  if (!bytes.empty() || flags & kReplyEmpty) send_datagram(*flight, bytes);
  copying_ = false;
  if (flags & kReplyMore) return 0;
  stats_.replies++;
  end_flight(id.slot, Reason::done);
  return 0;
}

// Nothing more is sent to its sender.
void Loop::end_flight(uint32_t slot, Reason reason) {
  Flight& flight = datagrams_->flights.at(slot);
  if (!flight.live) return;
  flight.watched = flight.watched || is_abnormal(reason);
  stats_.active--;
  stats_.closed[static_cast<unsigned>(reason)]++;
  uint32_t generation = flight.generation;
  datagrams_->flights.end(slot);
  if (flight.mourned) {
    events_.push_back({static_cast<uint32_t>(RecordKind::closed), slot, generation, 1, 0, 0,
                       static_cast<uint32_t>(reason), 0});
    if (!delivering_) host_.wake();
  }
  uint32_t limit = options_.limits.max_connections;
  if (accept_paused_ & kPauseLimit && (limit == 0 || datagrams_->flights.live() < limit))
    resume_accepting(kPauseLimit);
}

// Those that nobody has answered in time, and all of them when the server's own has run out.
void Loop::expire_flights() {
  uint32_t limit = options_.limits.handler_timeout;
  bool over = closing_ && static_cast<int32_t>(now_ - close_at_) >= 0;
  std::deque<LateFlight>& late = datagrams_->late;
  while (!late.empty()) {
    bool is_live = datagrams_->flights.is_live(late.front().id);
    bool is_due = limit > 0 && now_ - late.front().since >= limit;
    if (is_live && !is_due && !over) break;
    uint32_t slot = late.front().id.slot;
    late.pop_front();
    if (is_live) end_flight(slot, over ? Reason::shutdown : Reason::handler_timeout);
  }
}

std::optional<ConnectionMeta> Loop::meta_of_datagram(ConnId id) {
  Flight* flight = datagrams_ ? datagrams_->flights.find(id) : nullptr;
  if (flight == nullptr) return std::nullopt;
  ConnectionMeta meta;
  int fd = listeners_[flight->listener].fd;
  meta.remote = address_of(flight->sender);
  meta.local = local_address(fd);
  if (Destination to = destination_of(*flight); to.family != 0)
    meta.local = to.address(meta.local.port);
  if (meta.remote.is_unix())
    describe_sender(meta, fd, datagrams_->senders[flight->sender.local.place]);
  meta.bytes_in = flight->length;
  meta.bytes_out = flight->sent;
  meta.requests = 1;
  return meta;
}

uint32_t Loop::datagrams_in_flight() const { return datagrams_ ? datagrams_->flights.live() : 0; }

}  // namespace gaidaros
