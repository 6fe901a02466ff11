#include "workerengine.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "config.h"
#include "values.h"

namespace gaidaros {

namespace {

// Requests that are taken at once: what keeps the worker busy so long, so that dear ones are left
// for others and answered one by one, and cheap ones share a crossing.
constexpr uint64_t kTurnNs = 1'000'000;
constexpr uint32_t kBigFrame = kSlabBytes / 4;
constexpr int kMaxRounds = 16;  // turns before libuv looks at its own descriptors

}  // namespace

Napi::Function WorkerEngine::define(Napi::Env env) {
  return DefineClass(env, "WorkerEngine",
                     {
                         InstanceMethod<&WorkerEngine::start>("start"),
                         InstanceMethod<&WorkerEngine::reply>("reply"),
                         InstanceMethod<&WorkerEngine::write>("write"),
                         InstanceMethod<&WorkerEngine::end>("end"),
                         InstanceMethod<&WorkerEngine::close_connection>("closeConnection"),
                         InstanceMethod<&WorkerEngine::pause>("pause"),
                         InstanceMethod<&WorkerEngine::resume>("resume"),
                         InstanceMethod<&WorkerEngine::framed>("framed"),
                         InstanceMethod<&WorkerEngine::watch>("watch"),
                         InstanceMethod<&WorkerEngine::info>("info"),
                         InstanceMethod<&WorkerEngine::set_errors>("setErrors"),
                         InstanceMethod<&WorkerEngine::close>("close"),
                     });
}

WorkerEngine::WorkerEngine(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<WorkerEngine>(info), env_(info.Env()), context_(info.Env(), "gaidaros") {
  Napi::Object self = info.This().As<Napi::Object>();
  Napi::Object options = info[0].As<Napi::Object>();
  auto number = [&](const char* name) { return options.Get(name).ToNumber().Uint32Value(); };
  if (int code = memory_.map(options.Get("memory").ToNumber().Int32Value(), number("workers"));
      code != 0)
    throw Napi::Error::New(env_,
                           std::string("memory shared with the server: ") + std::strerror(code));
  channel_ = &memory_.channel(number("index"));
  in_ = LaneConsumer(&channel_->requests);
  out_ = LaneProducer(&channel_->replies);
  bell_ = options.Get("bell").ToNumber().Int32Value();
  server_bell_ = options.Get("serverBell").ToNumber().Int32Value();
  one_shot_ = options.Get("oneShot").ToBoolean();
  sticky_ = options.Get("sticky").ToBoolean();
  high_water_ = number("highWater");
  stall_warning_ = number("stallWarning");
  framer_ = read_framer(options.Get("framer").As<Napi::Object>());
  records_ = reinterpret_cast<Record*>(share(self, "records", 0, kMaxRecords * sizeof(Record)));
  replies_ = reinterpret_cast<Reply*>(share(self, "replies", 1, kMaxRecords * sizeof(Reply)));
  scratch_ = share(self, "out", 2, kOutBytes);
  tickets_.resize(kMaxRecords);
  turn_ = Napi::Persistent(info[1].As<Napi::Function>());
  spent_ = Napi::Persistent(info[2].As<Napi::Function>());
  stalled_ = Napi::Persistent(info[3].As<Napi::Function>());
  napi_get_uv_event_loop(env_, &uv_);
  napi_add_async_cleanup_hook(env_, on_teardown, this, &teardown_);
}

WorkerEngine::~WorkerEngine() {
  if (teardown_ != nullptr) napi_remove_async_cleanup_hook(teardown_);
  if (epoll_ >= 0) ::close(epoll_);
}

uint8_t* WorkerEngine::share(Napi::Object self, const char* name, int place, size_t bytes) {
  Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env_, bytes);
  self.Set(name, memory);
  memory_refs_[place] = Napi::Persistent(memory.As<Napi::Object>());
  return static_cast<uint8_t*>(memory.Data());
}

void WorkerEngine::start(const Napi::CallbackInfo&) {
  if (running_) return;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event bell{.events = EPOLLIN | EPOLLET, .data = {.fd = bell_}};
  epoll_event foreign{.events = EPOLLIN, .data = {.fd = uv_backend_fd(uv_)}};
  if (epoll_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, bell_, &bell) < 0 ||
      epoll_ctl(epoll_, EPOLL_CTL_ADD, foreign.data.fd, &foreign) < 0)
    throw Napi::Error::New(env_, std::string("epoll of a worker: ") + std::strerror(errno));
  Ref();
  running_ = true;
  uv_prepare_init(uv_, &prepare_);
  uv_idle_init(uv_, &idle_);
  open_handles_ = 2;
  prepare_.data = idle_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { of(handle).serve(); });
}

// Turn after turn while there are requests. What promises and timers answered goes with it.
void WorkerEngine::run() {
  for (int round = 0; round < kMaxRounds && running_ && !dead_; round++) {
    uint32_t count = take();
    if (count == 0) break;
    call(count);
    if (dead_) return;
    for (uint32_t i = 0; i < count; i++) answer(i);
    count_ = 0;
    flush();
    if (!slab_kept_) slab_at_ = 0;
  }
}

// The worker sleeps here and not in libuv, which looks twice (it measures idle times) and would
// have the bell read: batch after batch, until libuv has something to do: an event, a timer, a
// setImmediate. libuv then looks at its own descriptors without sleeping.
void WorkerEngine::serve() {
  keep_awake(false);
  for (;;) {
    work();
    if (dead_ || !running_) return;
    uv_update_time(uv_);
    int theirs = uv_backend_timeout(uv_);
    bool is_empty = in_.sleep();
    bool is_theirs = wait(is_empty ? theirs : 0) || theirs == 0;
    in_.wake();
    if (is_theirs) break;
  }
  keep_awake(true);
}

// A thread's JS may end at any moment (terminate()). What is asked of it from then on fails,
// outside of any call from JS that could pass it on: this worker says no more.
void WorkerEngine::work() {
  flush();
  try {
    if (in_.available() > 0) run();
    flush();
    tell_spent();
  } catch (const Napi::Error&) {
    dead_ = true;
  }
}

// Sleeps until the bell rings. True: libuv has an event, or the time is up.
bool WorkerEngine::wait(int timeout_ms) {
  epoll_event events[2];
  int count = epoll_wait(epoll_, events, 2, timeout_ms);
  if (count == 0) return timeout_ms > 0;
  for (int i = 0; i < count; i++)
    if (events[i].data.fd != bell_) return true;
  return false;
}

void WorkerEngine::tell_spent() {
  if (!one_shot_ || !had_request_ || !open_.empty() || !late_.empty() || said_spent_ || dead_)
    return;
  said_spent_ = true;
  Napi::HandleScope scope(env_);
  napi_value result;
  napi_make_callback(env_, context_, env_.Global(), spent_.Value(), 0, nullptr, &result);
}

void WorkerEngine::keep_awake(bool on) {
  if (!running_ || on == idling_) return;
  if (on) {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&idle_);
  }
  idling_ = on;
}

// Takes entries into this turn's records: as many as keep it busy for kTurnNs.
uint32_t WorkerEngine::take() {
  count_ = requests_ = 0;
  big_bytes_.clear();
  uint32_t available = in_.available();
  if (available == 0) return 0;
  uint32_t cost = channel_->cost_ns.load(std::memory_order_relaxed);
  uint64_t most = one_shot_ || cost == 0 ? 1 : std::clamp<uint64_t>(kTurnNs / cost, 1, kMaxRecords);
  uint32_t taken = 0;
  while (taken < available && requests_ < most && count_ < kMaxRecords) {
    if (!take_entry(in_.entry(taken))) break;
    taken++;
  }
  if (in_.take(taken)) {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t rung = ::write(server_bell_, &one, sizeof one);
  }
  channel_->requests_taken.fetch_add(requests_, std::memory_order_relaxed);
  return count_;
}

// False: the slab is full, this turn has to be over first.
bool WorkerEngine::take_entry(const Entry& entry) {
  std::span<const uint8_t> bytes = in_.bytes(entry);
  if (entry.kind == kEntryMeta) return learn(entry, bytes), true;
  if (entry.kind == kEntryAck) return heed(entry), true;
  if (entry.kind & kEntryPart) {
    parts_.insert(parts_.end(), bytes.begin(), bytes.end());
    return true;
  }
  if (parts_.empty()) return place(entry, bytes);
  parts_.insert(parts_.end(), bytes.begin(), bytes.end());
  place(entry, parts_);
  parts_.clear();
  return true;
}

bool WorkerEngine::place(const Entry& entry, std::span<const uint8_t> bytes) {
  auto size = static_cast<uint32_t>(bytes.size());
  uint32_t kind = entry.kind;
  uint32_t offset = 0;
  if (size > kBigFrame) {
    Napi::HandleScope scope(env_);
    if (big_bytes_.empty()) bigs_ = Napi::Persistent(Napi::Array::New(env_).As<Napi::Object>());
    auto big = Napi::Buffer<uint8_t>::Copy(env_, bytes.data(), size);
    offset = static_cast<uint32_t>(big_bytes_.size());
    bigs_.Value().Set(offset, big);
    big_bytes_.push_back(big.Data());
    kind |= kRecordBig;
  } else {
    uint8_t* room = room_in_slab(size);
    if (room == nullptr) return false;
    if (size > 0) std::memcpy(room, bytes.data(), size);
    offset = static_cast<uint32_t>(room - slab_);
  }
  bool is_request = (entry.kind & 0xff) == static_cast<uint32_t>(RecordKind::request);
  tickets_[count_] = is_request ? entry.ticket : UINT32_MAX;
  records_[count_++] = {kind,
                        entry.slot,
                        entry.generation,
                        entry.sequence,
                        offset,
                        size,
                        is_request ? 0 : entry.ticket,
                        0};
  if ((entry.kind & 0xff) <= static_cast<uint32_t>(RecordKind::chunk)) requests_++;
  had_request_ = had_request_ || is_request;
  return true;
}

// JS owns the slab and may keep what it got of it; see Engine::new_slab().
uint8_t* WorkerEngine::room_in_slab(uint32_t size) {
  if (size > kSlabBytes - slab_at_ || slab_ == nullptr) {
    if (count_ > 0) return nullptr;
    Napi::HandleScope scope(env_);
    auto slab = Napi::Buffer<uint8_t>::New(env_, kSlabBytes);
    slab_ref_ = Napi::Persistent(slab);
    slab_ = slab.Data();
    slab_at_ = 0;
    slab_is_new_ = true;
  }
  uint8_t* room = slab_ + slab_at_;
  slab_at_ += size;
  return room;
}

void WorkerEngine::learn(const Entry& entry, std::span<const uint8_t> bytes) {
  if (bytes.size() != sizeof(ConnectionMeta)) return;
  Known& known = known_[entry.slot];
  known.generation = entry.generation;
  Address local = known.meta.local;
  std::memcpy(&known.meta, bytes.data(), sizeof known.meta);
  if (known.meta.local.family == 0) known.meta.local = local;
}

void WorkerEngine::heed(const Entry& entry) {
  auto found = flows_.find(entry.slot);
  if (found == flows_.end() || found->second.generation != entry.generation) return;
  Flow& flow = found->second;
  flow.unacknowledged -= std::min(flow.unacknowledged, entry.ticket);
  flow.waiting = entry.sequence;
  bool is_gone = flow.waiting == UINT32_MAX;
  uint32_t waiting = is_gone ? 0 : flow.waiting + flow.unacknowledged;
  if (!flow.above || waiting > high_water_ / 2) return;
  flow.above = false;
  tickets_[count_] = UINT32_MAX;
  records_[count_++] = {static_cast<uint32_t>(RecordKind::drained),
                        entry.slot,
                        entry.generation,
                        0,
                        0,
                        0,
                        waiting,
                        0};
  if (waiting == 0 && !is_gone) flows_.erase(found);
}

void WorkerEngine::call(uint32_t count) {
  uint64_t began = uv_hrtime();
  channel_->turn_began_ns.store(began, std::memory_order_relaxed);
  Napi::HandleScope scope(env_);
  napi_value arguments[3] = {Napi::Number::New(env_, count), env_.Undefined(), env_.Undefined()};
  if (slab_is_new_) arguments[1] = slab_ref_.Value();
  if (!big_bytes_.empty()) arguments[2] = bigs_.Value();
  slab_is_new_ = false;
  napi_value result;
  napi_status status =
      napi_make_callback(env_, context_, env_.Global(), turn_.Value(), 3, arguments, &result);
  slab_kept_ = true;
  if (status == napi_ok) {
    bool kept = true;
    if (napi_get_value_bool(env_, result, &kept) == napi_ok) slab_kept_ = kept;
  } else {
    // JS has ended within the turn (process.exit(), terminate()) or the dispatcher, which lets
    // nothing through, is broken: this worker says no more, and its server hears that it is gone.
    dead_ = true;
    if (status == napi_pending_exception) {
      napi_value error;
      if (napi_get_and_clear_last_exception(env_, &error) == napi_ok)
        napi_fatal_exception(env_, error);
    }
    return;
  }
  channel_->turn_began_ns.store(0, std::memory_order_relaxed);
  uint64_t spent = uv_hrtime() - began;
  channel_->busy_ns.fetch_add(spent, std::memory_order_relaxed);
  measure(spent, requests_);
  if (stall_warning_ > 0 && spent / 1'000'000 >= stall_warning_) stalled(count, spent);
}

// The records of the turn are still in the table. JS may end meanwhile, as in the turn itself.
void WorkerEngine::stalled(uint32_t count, uint64_t ns) {
  napi_value arguments[2] = {Napi::Number::New(env_, count),
                             Napi::Number::New(env_, static_cast<double>(ns) / 1e6)};
  napi_value result;
  dead_ = napi_make_callback(env_, context_, env_.Global(), stalled_.Value(), 2, arguments,
                             &result) != napi_ok;
}

// Smoothed over the last few turns; a turn of nothing but events says nothing.
void WorkerEngine::measure(uint64_t ns, uint32_t requests) {
  if (requests == 0) return;
  auto each = static_cast<uint32_t>(std::min<uint64_t>(ns / requests, UINT32_MAX));
  uint32_t before = channel_->cost_ns.load(std::memory_order_relaxed);
  uint64_t smoothed = before == 0 ? each : (uint64_t{before} * 7 + each) / 8;
  channel_->cost_ns.store(std::max<uint32_t>(1, static_cast<uint32_t>(smoothed)),
                          std::memory_order_relaxed);
}

// Passes the answer to record `index` on.
void WorkerEngine::answer(uint32_t index) {
  const Record& record = records_[index];
  const Reply& reply = replies_[index];
  auto kind = static_cast<RecordKind>(record.kind & 0xff);
  if (kind == RecordKind::ended)
    say(WorkerSays::ended, 0, record.slot, record.generation, 0, UINT32_MAX);
  if (kind == RecordKind::closed) {
    known_.erase(record.slot);
    flows_.erase(record.slot);
  }
  if (kind != RecordKind::request) return;
  auto within = [&reply](const uint8_t* base, uint32_t size) -> std::span<const uint8_t> {
    if (reply.offset > size || reply.length > size - reply.offset) return {};
    return {base + reply.offset, reply.length};
  };
  std::span<const uint8_t> bytes;
  switch (static_cast<Answer>(reply.kind & 0xff)) {
    case Answer::later:
      // engine.reply() was called within the turn, or will be.
      if (auto [place, is_new] =
              open_.try_emplace({record.slot, record.generation, record.sequence}, tickets_[index]);
          !is_new)
        open_.erase(place);
      return;
    case Answer::failed:
      return say(WorkerSays::fail, 0, record.slot, record.generation, record.sequence,
                 tickets_[index]);
    case Answer::same: {
      const uint8_t* start =
          record.kind & kRecordBig ? big_bytes_[record.offset] : slab_ + record.offset;
      bytes = framed_again({start, record.length});
      break;
    }
    case Answer::slab:
      bytes = within(slab_, kSlabBytes);
      break;
    case Answer::out:
      bytes = within(scratch_, kOutBytes);
      break;
    case Answer::none:
      break;
  }
  say(WorkerSays::reply, reply.kind & kReplyEnd ? kReplyLast : 0, record.slot, record.generation,
      record.sequence, tickets_[index], bytes);
}

// strip: delimiter or prefix put back around a reply.
std::span<const uint8_t> WorkerEngine::framed_again(std::span<const uint8_t> payload) {
  if (!framer_ || !framer_->strips()) return payload;
  uint8_t head[Framer::kMaxPrefix];
  int prefix = framer_->prefix(static_cast<uint32_t>(payload.size()), head);
  std::span<const uint8_t> suffix = framer_->suffix();
  framing_.assign(head, head + std::max(prefix, 0));
  framing_.insert(framing_.end(), payload.begin(), payload.end());
  framing_.insert(framing_.end(), suffix.begin(), suffix.end());
  return framing_;
}

void WorkerEngine::say(WorkerSays what, uint32_t flags, uint32_t slot, uint32_t generation,
                       uint32_t sequence, uint32_t ticket, std::span<const uint8_t> bytes) {
  Entry entry{static_cast<uint32_t>(what) | flags << kSaysFlags,
              slot,
              generation,
              sequence,
              0,
              0,
              0,
              ticket};
  if (late_.empty() && bytes.size() <= kPartBytes) {
    if (uint8_t* place = out_.place(static_cast<uint32_t>(bytes.size()))) {
      if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
      entry.length = static_cast<uint32_t>(bytes.size());
      return out_.push(entry);
    }
  }
  late_.push_back({entry, {bytes.begin(), bytes.end()}});
}

// In parts where it is long; false: no room.
bool WorkerEngine::put(Late& late) {
  for (;;) {
    auto rest = static_cast<uint32_t>(late.bytes.size()) - late.sent;
    uint32_t size = std::min(rest, kPartBytes);
    uint8_t* place = out_.place(size);
    if (place == nullptr) return false;
    if (size > 0) std::memcpy(place, late.bytes.data() + late.sent, size);
    Entry part = late.entry;
    part.length = size;
    if (size < rest && (part.kind & 0xff) == static_cast<uint32_t>(WorkerSays::reply)) {
      part.kind |= kReplyMore << kSaysFlags;
      part.kind &= ~(kReplyLast << kSaysFlags);
    }
    out_.push(part);
    late.sent += size;
    if (size == rest) return true;
  }
}

// Makes what was said visible and rings the server where it sleeps.
void WorkerEngine::flush() {
  while (!late_.empty() && put(late_.front())) late_.pop_front();
  if (!out_.unpublished() || !out_.publish()) return;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t rung = ::write(server_bell_, &one, sizeof one);
}

// The ticket of a request that is answered by a call.
uint32_t WorkerEngine::land(const RequestId& id) {
  if (auto found = open_.find(id); found != open_.end()) {
    uint32_t ticket = found->second;
    open_.erase(found);
    return ticket;
  }
  // Within its own turn it is not on the list yet: the table's `later` finds this mark.
  for (uint32_t i = 0; i < count_; i++) {
    const Record& record = records_[i];
    if ((record.kind & 0xff) == static_cast<uint32_t>(RecordKind::request) &&
        id == RequestId{record.slot, record.generation, record.sequence}) {
      open_[id] = UINT32_MAX;
      return tickets_[i];
    }
  }
  return UINT32_MAX;
}

int64_t WorkerEngine::count_waiting(uint32_t slot, uint32_t generation, uint32_t size) {
  Flow& flow = flows_[slot];
  if (flow.generation != generation) flow = {generation};
  if (flow.waiting == UINT32_MAX) return -1;
  flow.unacknowledged += size;
  uint32_t waiting = flow.unacknowledged + flow.waiting;
  flow.above = high_water_ > 0 && waiting > high_water_;
  return waiting;
}

Napi::Value WorkerEngine::reply(const Napi::CallbackInfo& info) {
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1),
           sequence = number_at(info, 2);
  std::span<const uint8_t> bytes = bytes_of(info[3]);
  uint32_t flags = number_at(info, 4);
  if (flags & kReplyFrame) bytes = framed_again(bytes);
  bool more = flags & kReplyMore;
  uint32_t ticket = more ? UINT32_MAX : land({slot, generation, sequence});
  say(WorkerSays::reply, flags & (kReplyMore | kReplyLast), slot, generation, sequence, ticket,
      bytes);
  auto size = static_cast<uint32_t>(bytes.size());
  return Napi::Number::New(env_,
                           more ? static_cast<double>(count_waiting(slot, generation, size)) : 0.0);
}

Napi::Value WorkerEngine::write(const Napi::CallbackInfo& info) {
  std::span<const uint8_t> bytes = bytes_of(info[2]);
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1);
  say(WorkerSays::write, 0, slot, generation, 0, UINT32_MAX, bytes);
  return Napi::Number::New(env_, static_cast<double>(count_waiting(
                                     slot, generation, static_cast<uint32_t>(bytes.size()))));
}

void WorkerEngine::end(const Napi::CallbackInfo& info) {
  say(WorkerSays::end, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::close_connection(const Napi::CallbackInfo& info) {
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1);
  say(WorkerSays::close, 0, slot, generation, 0, number_at(info, 2));
  // Nobody answers its requests any more; the server's count of them must not stay.
  for (auto place = open_.begin(); place != open_.end();) {
    const auto& [id, ticket] = *place;
    if (id.slot != slot || id.generation != generation || ticket == UINT32_MAX) {
      ++place;
      continue;
    }
    say(WorkerSays::reply, 0, slot, generation, id.sequence, ticket);
    place = open_.erase(place);
  }
}
void WorkerEngine::pause(const Napi::CallbackInfo& info) {
  say(WorkerSays::pause, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::resume(const Napi::CallbackInfo& info) {
  say(WorkerSays::resume, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::watch(const Napi::CallbackInfo& info) {
  say(WorkerSays::watch, 0, number_at(info, 0), number_at(info, 1), 0, UINT32_MAX);
}
void WorkerEngine::framed(const Napi::CallbackInfo& info) {
  say(WorkerSays::framed, 0, number_at(info, 0), number_at(info, 1), number_at(info, 2),
      info[3].ToBoolean() ? 1 : 0);
}

// undefined where the connection is known to be gone; where nothing was told, an unknown peer.
Napi::Value WorkerEngine::info(const Napi::CallbackInfo& info) {
  uint32_t slot = number_at(info, 0), generation = number_at(info, 1);
  auto found = known_.find(slot);
  bool is_known = found != known_.end() && found->second.generation == generation;
  if (!is_known && sticky_) return env_.Undefined();
  ConnectionMeta meta = is_known ? found->second.meta : ConnectionMeta{};
  Napi::Object object = Napi::Object::New(env_);
  object.Set("remote", address_object(env_, meta.remote));
  object.Set("local", address_object(env_, meta.local));
  object.Set("bytesIn", static_cast<double>(meta.bytes_in));
  object.Set("bytesOut", static_cast<double>(meta.bytes_out));
  object.Set("requests", static_cast<double>(meta.requests));
  return object;
}

void WorkerEngine::set_errors(const Napi::CallbackInfo& info) {
  channel_->handler_errors.store(number_at(info, 0), std::memory_order_relaxed);
}

void WorkerEngine::close(const Napi::CallbackInfo&) {
  if (running_) flush();
  shut([this] { Unref(); });
}

void WorkerEngine::shut(std::function<void()> done) {
  if (!running_) return;
  running_ = false;
  done_ = std::move(done);
  for (uv_handle_t* handle :
       {reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&idle_)})
    uv_close(handle, [](uv_handle_t* closed) {
      WorkerEngine& self = of(closed);
      if (--self.open_handles_ > 0) return;
      auto done = std::move(self.done_);
      done();
    });
}

void WorkerEngine::on_teardown(napi_async_cleanup_hook_handle handle, void* data) {
  auto* self = static_cast<WorkerEngine*>(data);
  if (!self->running_) {
    self->teardown_ = nullptr;
    napi_remove_async_cleanup_hook(handle);
    return;
  }
  self->shut([self] {
    auto handle = std::exchange(self->teardown_, nullptr);
    self->Unref();
    napi_remove_async_cleanup_hook(handle);
  });
}

}  // namespace gaidaros
