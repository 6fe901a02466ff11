// The addon's Engine: a loop, its driver and the memory that both share with JS. One crossing into
// JS a turn. Lives on the thread of the environment that made it; holds no state outside itself, so
// the addon loads in many worker threads at once.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <memory>

#include "../loop/loop.h"
#include "../pool/pool.h"
#include "driver.h"

namespace gaidaros {

class Engine final : public Napi::ObjectWrap<Engine>, private Host {
 public:
  static Napi::Function define(Napi::Env env);

  // new Engine(options, turn, busyPollMicroseconds, stalled, warned): `stalled(count,
  // milliseconds)` and `warned(text)` as Host::stalled() and Host::warn(). `turn(count, slab,
  // bigs)` is called with the number of records, the new slab when it changed (else undefined) and
  // the turn's long frames (else undefined). It returns false when nobody keeps bytes of the slab.
  explicit Engine(const Napi::CallbackInfo& info);
  ~Engine() override;

 private:
  // Host
  uint8_t* new_slab() override;
  uint8_t* new_big(uint32_t size) override;
  void drop_bigs() override;
  uint32_t turn(uint32_t count) override;
  bool slab_kept() const override { return slab_kept_; }
  void wake() override;
  void stalled(uint32_t count, uint64_t ns) override;
  void warn(const std::string& text) override;
  void collect() override {
    if (!pool_) return;
    pool_->collect(*loop_);
    tell_notes();
  }
  bool answered() const override { return pool_ && pool_->answered(); }
  void flushed() override {
    if (pool_) pool_->flushed();
  }
  bool sleep() override { return !pool_ || pool_->sleep(); }
  void awake() override {
    if (pool_) pool_->awake();
  }

  void log(const Napi::FunctionReference& write, std::initializer_list<napi_value> arguments);

  Napi::Value listen(const Napi::CallbackInfo& info);
  void start(const Napi::CallbackInfo& info);
  Napi::Value reply(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void end(const Napi::CallbackInfo& info);
  void close_connection(const Napi::CallbackInfo& info);
  void pause(const Napi::CallbackInfo& info);
  void resume(const Napi::CallbackInfo& info);
  void framed(const Napi::CallbackInfo& info);
  void watch(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value connections(const Napi::CallbackInfo& info);
  Napi::Value open_pool(const Napi::CallbackInfo& info);
  void attach_worker(const Napi::CallbackInfo& info);
  void detach_worker(const Napi::CallbackInfo& info);
  void retire_worker(const Napi::CallbackInfo& info);
  void close_pool(const Napi::CallbackInfo& info);
  Napi::Value worker_state(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  void set_limits(const Napi::CallbackInfo& info);
  void set_tls(const Napi::CallbackInfo& info);
  Napi::Value start_tls(const Napi::CallbackInfo& info);
  void stop_listening(const Napi::CallbackInfo& info);
  void watch_listener(const Napi::CallbackInfo& info);
  void unwatch_listener(const Napi::CallbackInfo& info);
  Napi::Value accepting(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  Napi::Value description(const Napi::CallbackInfo& info);

  void call(uint32_t count);
  void tell_notes();
  static ConnId id_of(const Napi::CallbackInfo& info);
  uint8_t* share(Napi::Object self, const char* name, size_t bytes);
  void finish_when_done();
  void finished();
  // The environment is going away before close() was called or had ended.
  static void on_teardown(napi_async_cleanup_hook_handle handle, void* self);

  Napi::Env env_;
  Napi::AsyncContext context_;
  Napi::FunctionReference turn_;
  Napi::FunctionReference stalled_;
  Napi::FunctionReference warned_;
  Napi::FunctionReference noted_;
  Napi::FunctionReference done_;
  Napi::Reference<Napi::Buffer<uint8_t>> slab_;
  bool slab_is_new_ = false;
  bool slab_kept_ = true;
  Napi::ObjectReference bigs_;
  uint32_t big_count_ = 0;
  Napi::ObjectReference memory_[3];
  SharedMemory tables_{};       // the same, as the loop sees it
  std::unique_ptr<Pool> pool_;  // outlives the loop, whose output may lie in it
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Driver> driver_;
  napi_async_cleanup_hook_handle teardown_ = nullptr;
  bool tearing_down_ = false;
};

}  // namespace gaidaros
