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
                         InstanceMethod<&WorkerEngine::note>("note"),
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
  datagrams_ = options.Get("datagrams").ToBoolean();
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
    for (uint32_t i = 0; i < count;) i += answer(i);
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
