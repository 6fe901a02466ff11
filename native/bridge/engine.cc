#include "engine.h"

#include <algorithm>
#include <cstring>

#include "config.h"
#include "insight.h"
#include "listener.h"
#include "values.h"

namespace gaidaros {

Napi::Function Engine::define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {
                         InstanceMethod<&Engine::listen>("listen"),
                         InstanceMethod<&Engine::start>("start"),
                         InstanceMethod<&Engine::reply>("reply"),
                         InstanceMethod<&Engine::write>("write"),
                         InstanceMethod<&Engine::end>("end"),
                         InstanceMethod<&Engine::close_connection>("closeConnection"),
                         InstanceMethod<&Engine::pause>("pause"),
                         InstanceMethod<&Engine::resume>("resume"),
                         InstanceMethod<&Engine::framed>("framed"),
                         InstanceMethod<&Engine::watch>("watch"),
                         InstanceMethod<&Engine::info>("info"),
                         InstanceMethod<&Engine::connections>("connections"),
                         InstanceMethod<&Engine::open_pool>("openPool"),
                         InstanceMethod<&Engine::attach_worker>("attachWorker"),
                         InstanceMethod<&Engine::detach_worker>("detachWorker"),
                         InstanceMethod<&Engine::retire_worker>("retireWorker"),
                         InstanceMethod<&Engine::close_pool>("closePool"),
                         InstanceMethod<&Engine::worker_state>("workerState"),
                         InstanceMethod<&Engine::stats>("stats"),
                         InstanceMethod<&Engine::set_limits>("setLimits"),
                         InstanceMethod<&Engine::set_tls>("setTls"),
                         InstanceMethod<&Engine::start_tls>("startTls"),
                         InstanceMethod<&Engine::stop_listening>("stopListening"),
                         InstanceMethod<&Engine::watch_listener>("watchListener"),
                         InstanceMethod<&Engine::unwatch_listener>("unwatchListener"),
                         InstanceAccessor<&Engine::accepting>("accepting"),
                         InstanceMethod<&Engine::close>("close"),
                         InstanceAccessor<&Engine::description>("description"),
                     });
}

Engine::Engine(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Engine>(info), env_(info.Env()), context_(info.Env(), "gaidaros") {
  Napi::Object self = info.This().As<Napi::Object>();
  tables_.records = reinterpret_cast<Record*>(share(self, "records", kMaxRecords * sizeof(Record)));
  tables_.replies = reinterpret_cast<Reply*>(share(self, "replies", kMaxRecords * sizeof(Reply)));
  tables_.out = share(self, "out", kOutBytes);
  std::string error;
  loop_ = Loop::make(read_options(info[0].As<Napi::Object>()), *this, tables_, error);
  if (!loop_) throw Napi::Error::New(env_, error);
  turn_ = Napi::Persistent(info[1].As<Napi::Function>());
  stalled_ = Napi::Persistent(info[3].As<Napi::Function>());
  warned_ = Napi::Persistent(info[4].As<Napi::Function>());
  uv_loop_t* uv = nullptr;
  napi_get_uv_event_loop(env_, &uv);
  driver_ = std::make_unique<Driver>(uv, *loop_, info[2].ToNumber().Uint32Value(),
                                     [this] { finish_when_done(); });
  napi_add_async_cleanup_hook(env_, on_teardown, this, &teardown_);
}

Engine::~Engine() {
  if (teardown_ != nullptr) napi_remove_async_cleanup_hook(teardown_);
}

uint8_t* Engine::share(Napi::Object self, const char* name, size_t bytes) {
  Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env_, bytes);
  self.Set(name, memory);
  int place = std::strcmp(name, "records") == 0 ? 0 : std::strcmp(name, "replies") == 0 ? 1 : 2;
  memory_[place] = Napi::Persistent(memory.As<Napi::Object>());
  return static_cast<uint8_t*>(memory.Data());
}

// JS owns the slab: what a handler keeps of it stays valid, and V8 frees it when nobody does.
uint8_t* Engine::new_slab() {
  Napi::HandleScope scope(env_);
  auto slab = Napi::Buffer<uint8_t>::New(env_, kSlabBytes);
  slab_ = Napi::Persistent(slab);
  slab_is_new_ = true;
  return slab.Data();
}

uint8_t* Engine::new_big(uint32_t size) {
  Napi::HandleScope scope(env_);
  if (big_count_ == 0) bigs_ = Napi::Persistent(Napi::Array::New(env_).As<Napi::Object>());
  auto big = Napi::Buffer<uint8_t>::New(env_, size);
  bigs_.Value().Set(big_count_++, big);
  return big.Data();
}

void Engine::drop_bigs() {
  big_count_ = 0;
  bigs_.Reset();
}

uint32_t Engine::turn(uint32_t count) {
  if (pool_) {
    // The few that no worker takes are shown to JS.
    count = pool_->dispatch(*loop_, tables_.records, count);
    slab_kept_ = false;
    // Before the records of connections that end, of which there may be notes.
    tell_notes();
  }
  if (count > 0 || !pool_) call(count);
  return count;
}

void Engine::call(uint32_t count) {
  driver_->before_js();
  Napi::HandleScope scope(env_);
  napi_value arguments[3] = {Napi::Number::New(env_, count), env_.Undefined(), env_.Undefined()};
  if (slab_is_new_) arguments[1] = slab_.Value();
  if (big_count_ > 0) arguments[2] = bigs_.Value();
  slab_is_new_ = false;
  napi_value result;
  napi_status status =
      napi_make_callback(env_, context_, env_.Global(), turn_.Value(), 3, arguments, &result);
  slab_kept_ = true;
  if (status == napi_ok) {
    bool kept = true;
    if (napi_get_value_bool(env_, result, &kept) == napi_ok) slab_kept_ = kept;
    return;
  }
  // Whatever was thrown is the process's to report; no reply of this turn can be trusted.
  for (uint32_t i = 0; i < count; i++)
    tables_.replies[i] = {static_cast<uint32_t>(Answer::failed), 0, 0, 0};
  if (status == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env_, &error);
    napi_fatal_exception(env_, error);
  }
}

// For the access log: what workers have been given and have answered. It is a file's, and throws
// for no reason of its own; where JS has ended nobody writes.
void Engine::tell_notes() {
  Journal* journal = pool_->journal();
  if (journal == nullptr || journal->notes().empty()) return;
  std::vector<Note> notes;
  notes.swap(journal->notes());
  driver_->before_js();
  Napi::HandleScope scope(env_);
  size_t bytes = notes.size() * sizeof(Note);
  auto words = Napi::Uint32Array::New(env_, bytes / sizeof(uint32_t));
  std::memcpy(words.Data(), notes.data(), bytes);
  napi_value argument = words;
  napi_value result;
  if (napi_make_callback(env_, context_, env_.Global(), noted_.Value(), 1, &argument, &result) !=
      napi_pending_exception)
    return;
  napi_value error;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

void Engine::wake() {
  if (driver_) driver_->wake();
}

void Engine::stalled(uint32_t count, uint64_t ns) {
  Napi::HandleScope scope(env_);
  log(stalled_,
      {Napi::Number::New(env_, count), Napi::Number::New(env_, static_cast<double>(ns) / 1e6)});
}

void Engine::warn(const std::string& text) {
  Napi::HandleScope scope(env_);
  log(warned_, {Napi::String::New(env_, text)});
}

// Has a line of the log written: a user's logger may throw. Where JS has ended there is none.
void Engine::log(const Napi::FunctionReference& write,
                 std::initializer_list<napi_value> arguments) {
  napi_value result;
  if (napi_make_callback(env_, context_, env_.Global(), write.Value(), arguments.size(),
                         arguments.begin(), &result) != napi_pending_exception)
    return;
  napi_value error;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

ConnId Engine::id_of(const Napi::CallbackInfo& info) {
  return {info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Number>().Uint32Value()};
}

Napi::Value Engine::listen(const Napi::CallbackInfo& info) {
  Napi::Object spec = info[0].As<Napi::Object>();
  SystemError error;
  int listener = -1;
  if (spec.Get("fd").IsNumber()) {
    listener = loop_->adopt(spec.Get("fd").ToNumber().Int32Value(),
                            read_socket_options(spec.Get("socket")), error);
  } else {
    listener = loop_->listen(read_listen_options(spec), error);
  }
  if (listener < 0) throw failure_of(env_, error);
  if (spec.Get("dormant").ToBoolean()) loop_->accept_from(listener, false);
  return address_object(env_, loop_->listener_address(listener), loop_->listener_path(listener));
}

void Engine::start(const Napi::CallbackInfo&) {
  Ref();
  loop_->start();
  driver_->start();
}

Napi::Value Engine::reply(const Napi::CallbackInfo& info) {
  std::span<const uint8_t> bytes = bytes_of(info[3]);
  uint32_t flags = number_at(info, 4);
  if (bytes.empty() && info[3].IsTypedArray()) flags |= kReplyEmpty;
  int64_t queued = loop_->reply(id_of(info), number_at(info, 2), bytes, flags);
  return Napi::Number::New(env_, static_cast<double>(queued));
}

Napi::Value Engine::write(const Napi::CallbackInfo& info) {
  return Napi::Number::New(env_, static_cast<double>(loop_->write(id_of(info), bytes_of(info[2]))));
}

void Engine::end(const Napi::CallbackInfo& info) { loop_->end(id_of(info)); }
void Engine::close_connection(const Napi::CallbackInfo& info) {
  loop_->close(id_of(info), reason_of(info[2]));
}
void Engine::pause(const Napi::CallbackInfo& info) { loop_->pause(id_of(info)); }
void Engine::resume(const Napi::CallbackInfo& info) { loop_->resume(id_of(info)); }
void Engine::watch(const Napi::CallbackInfo& info) { loop_->watch(id_of(info)); }

void Engine::framed(const Napi::CallbackInfo& info) {
  loop_->framed(id_of(info), info[2].As<Napi::Number>().Uint32Value(), info[3].ToBoolean());
}

Napi::Value Engine::info(const Napi::CallbackInfo& info) {
  if (auto meta = loop_->meta_of_datagram(id_of(info))) return info_object(env_, *meta, {});
  const Connection* connection = loop_->find(id_of(info));
  if (connection == nullptr) return env_.Undefined();
  Napi::Object object = info_object(env_, meta_of(*connection), facts_of(*connection));
  if (std::string fault = fault_of(*connection); !fault.empty()) object.Set("fault", fault);
  return object;
}

// connections(limit): what is open, and as much of it as may be told.
Napi::Value Engine::connections(const Napi::CallbackInfo& info) {
  return connection_list(env_, *loop_, number_at(info, 0));
}

// openPool({ workers, sticky, chunks, oneShot, idempotent }, noted): the descriptors that workers
// are given, which stay the engine's. `noted(words)`, where there is an access log: what becomes of
// requests, as Journal has it.
Napi::Value Engine::open_pool(const Napi::CallbackInfo& info) {
  Napi::Object spec = info[0].As<Napi::Object>();
  PoolOptions options;
  options.workers = spec.Get("workers").ToNumber().Uint32Value();
  options.sticky = spec.Get("sticky").ToBoolean();
  options.chunks = spec.Get("chunks").ToBoolean();
  options.one_shot = spec.Get("oneShot").ToBoolean();
  options.idempotent = spec.Get("idempotent").ToBoolean();
  options.logged = info[1].IsFunction();
  if (options.logged) noted_ = Napi::Persistent(info[1].As<Napi::Function>());
  // An access log wants to know how long each reply is.
  options.runs = loop_->joins_replies() && !options.logged;
  std::string error;
  pool_ = Pool::make(options, error);
  if (!pool_) throw Napi::Error::New(env_, error);
  loop_->poller().watch_bell(pool_->bell());
  Napi::Object result = Napi::Object::New(env_);
  result.Set("memory", pool_->memory_fd());
  result.Set("bell", pool_->bell());
  Napi::Array bells = Napi::Array::New(env_, options.workers);
  for (uint32_t i = 0; i < options.workers; i++) bells.Set(i, pool_->worker_bell(i));
  result.Set("bells", bells);
  return result;
}

void Engine::attach_worker(const Napi::CallbackInfo& info) {
  pool_->attach(*loop_, number_at(info, 0));
}
void Engine::detach_worker(const Napi::CallbackInfo& info) {
  pool_->detach(*loop_, number_at(info, 0));
  tell_notes();
  wake();
}
void Engine::retire_worker(const Napi::CallbackInfo& info) { pool_->retire(number_at(info, 0)); }

// Its workers are gone, and so is the loop.
void Engine::close_pool(const Napi::CallbackInfo&) { pool_.reset(); }

Napi::Value Engine::worker_state(const Napi::CallbackInfo& info) {
  Pool::WorkerState state = pool_->state(*loop_, number_at(info, 0));
  Napi::Object object = Napi::Object::New(env_);
  object.Set("live", state.live);
  object.Set("inFlight", state.in_flight);
  object.Set("handlerErrors", state.handler_errors);
  object.Set("costNs", state.cost_ns);
  object.Set("requests", static_cast<double>(state.requests));
  object.Set("busyMs", state.busy_ms);
  object.Set("busyNs", static_cast<double>(state.busy_ns));
  object.Set("orphaned", state.orphaned);
  object.Set("waiting", static_cast<double>(pool_->waiting()));
  return object;
}

Napi::Value Engine::stats(const Napi::CallbackInfo&) {
  const Stats& stats = loop_->stats();
  Napi::Object object = Napi::Object::New(env_);
#define X(name) object.Set(#name, static_cast<double>(stats.name));
  GAIDAROS_COUNTERS(X)
#undef X
  Napi::Object syscalls = Napi::Object::New(env_);
#define X(name) syscalls.Set(#name, static_cast<double>(stats.syscalls.name));
  GAIDAROS_SYSCALLS(X)
#undef X
  Napi::Object closed = Napi::Object::New(env_);
#define X(name) \
  closed.Set(#name, static_cast<double>(stats.closed[static_cast<unsigned>(Reason::name)]));
  GAIDAROS_REASONS(X)
#undef X
  object.Set("syscalls", syscalls);
  object.Set("closed", closed);
  object.Set("latency", histogram_object(env_, stats.latency));
  object.Set("lag", histogram_object(env_, stats.lag));
  return object;
}

void Engine::set_limits(const Napi::CallbackInfo& info) {
  loop_->set_limits(read_limits(info[0].As<Napi::Object>()));
}

// setTls(tls): for new connections; throws what OpenSSL does not take.
void Engine::set_tls(const Napi::CallbackInfo& info) {
  loop_->set_tls(read_tls(info[0].As<Napi::Object>()));
}

// startTls(slot, generation, sequence | undefined)
Napi::Value Engine::start_tls(const Napi::CallbackInfo& info) {
  std::optional<uint32_t> sequence;
  if (info[2].IsNumber()) sequence = number_at(info, 2);
  return Napi::Boolean::New(env_, loop_->start_tls(id_of(info), sequence));
}

void Engine::stop_listening(const Napi::CallbackInfo&) { loop_->stop_listening(); }
void Engine::watch_listener(const Napi::CallbackInfo& info) {
  loop_->accept_from(info[0].ToNumber().Int32Value(), true);
  driver_->wake();
}
void Engine::unwatch_listener(const Napi::CallbackInfo& info) {
  loop_->accept_from(info[0].ToNumber().Int32Value(), false);
  driver_->wake();
}
Napi::Value Engine::accepting(const Napi::CallbackInfo&) {
  return Napi::Boolean::New(env_, loop_->accepting());
}
Napi::Value Engine::description(const Napi::CallbackInfo&) {
  return Napi::String::New(env_, loop_->description());
}

// close(graceMilliseconds, done)
void Engine::close(const Napi::CallbackInfo& info) {
  done_ = Napi::Persistent(info[1].As<Napi::Function>());
  loop_->begin_close(info[0].ToNumber().Uint32Value());
  if (driver_->running()) {
    driver_->wake();
  } else {
    loop_->release();
    done_.Value().Call({});
  }
}

void Engine::finish_when_done() {
  if (!driver_->running() || !loop_->finished()) return;
  driver_->stop([this] { finished(); });
}

void Engine::finished() {
  loop_->release();
  if (tearing_down_) {
    auto handle = teardown_;
    teardown_ = nullptr;
    Unref();
    napi_remove_async_cleanup_hook(handle);
    return;
  }
  Napi::HandleScope scope(env_);
  if (!done_.IsEmpty()) {
    napi_value result;
    napi_make_callback(env_, context_, env_.Global(), done_.Value(), 0, nullptr, &result);
  }
  Unref();
}

void Engine::on_teardown(napi_async_cleanup_hook_handle handle, void* data) {
  auto* self = static_cast<Engine*>(data);
  self->tearing_down_ = true;
  if (self->driver_->running()) {
    self->driver_->stop([self] { self->finished(); });
  } else {
    self->teardown_ = nullptr;
    napi_remove_async_cleanup_hook(handle);
  }
}

}  // namespace gaidaros
