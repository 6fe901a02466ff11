// The addon's WorkerEngine: what Engine is to a server process, to a thread or process that only
// handles requests. Records come through shared memory from the server's pool (native/pool) and
// replies go back the same way; JS sees the same tables and calls. Lives on the thread of its
// environment.
#pragma once

#include <napi.h>
#include <uv.h>

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "../conn/meta.h"
#include "../frame/framer.h"
#include "../loop/layout.h"
#include "../pool/journal.h"
#include "../pool/memory.h"

namespace gaidaros {

class WorkerEngine final : public Napi::ObjectWrap<WorkerEngine> {
 public:
  static Napi::Function define(Napi::Env env);

  // new WorkerEngine({ memory, workers, index, bell, serverBell, oneShot, sticky, datagrams,
  // framer, highWater, stallWarning }, turn, spent, stalled): `turn` and `stalled` as for Engine;
  // `spent()` is called when a one-shot worker has had its request.
  explicit WorkerEngine(const Napi::CallbackInfo& info);
  ~WorkerEngine() override;

 private:
  // Output of a connection as far as this worker knows.
  struct Flow {
    uint32_t generation = 0;
    uint32_t unacknowledged = 0;
    uint32_t waiting = 0;  // at the server, when it last said; UINT32_MAX: the connection is gone
    bool above = false;
  };
  struct Known {
    uint32_t generation = 0;
    ConnectionMeta meta;
    std::vector<uint8_t> facts;
  };
  struct RequestId {
    uint32_t slot;
    uint32_t generation;
    uint32_t sequence;
    bool operator==(const RequestId&) const = default;
  };
  struct RequestHash {
    size_t operator()(const RequestId& id) const {
      return (uint64_t{id.slot} << 32 | id.sequence) * 0x9e3779b97f4a7c15 ^ id.generation;
    }
  };
  struct Late {
    Entry entry;
    std::vector<uint8_t> bytes;
    uint32_t sent = 0;
  };

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
  void note(const Napi::CallbackInfo& info);
  void set_errors(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  void run();
  uint32_t take();
  bool take_entry(const Entry& entry);
  bool place(const Entry& entry, std::span<const uint8_t> bytes);
  bool place_run(const Entry& entry, std::span<const uint8_t> bytes);
  uint8_t* room_in_slab(uint32_t size);
  void learn(const Entry& entry, std::span<const uint8_t> bytes);
  void heed(const Entry& entry);
  void call(uint32_t count);
  uint32_t answer(uint32_t index);
  std::span<const uint8_t> answer_bytes(uint32_t index);
  uint32_t extend_run(uint32_t first, std::span<const uint8_t>& bytes);
  std::span<const uint8_t> framed_again(std::span<const uint8_t> payload);
  void say(WorkerSays what, uint32_t flags, uint32_t slot, uint32_t generation, uint32_t sequence,
           uint32_t ticket, std::span<const uint8_t> bytes = {}, uint32_t count = 1);
  bool put(Late& late);
  void flush();
  uint32_t land(const RequestId& id);
  int64_t count_waiting(uint32_t slot, uint32_t generation, uint32_t size);
  void serve();
  void work();
  bool wait(int timeout_ms);
  void tell_spent();
  void keep_awake(bool on);
  void measure(uint64_t ns, uint32_t requests);
  void stalled(uint32_t count, uint64_t ns);
  uint8_t* share(Napi::Object self, const char* name, int place, size_t bytes);
  void shut(std::function<void()> done);
  static void on_teardown(napi_async_cleanup_hook_handle handle, void* self);
  template <typename Handle>
  static WorkerEngine& of(Handle* handle) {
    return *static_cast<WorkerEngine*>(handle->data);
  }

  Napi::Env env_;
  Napi::AsyncContext context_;
  Napi::FunctionReference turn_;
  Napi::FunctionReference spent_;
  Napi::FunctionReference stalled_;
  Napi::ObjectReference memory_refs_[3];
  Napi::Reference<Napi::Buffer<uint8_t>> slab_ref_;
  Napi::ObjectReference bigs_;
  PoolMemory memory_;
  Channel* channel_ = nullptr;
  LaneConsumer in_;
  LaneProducer out_;
  int bell_ = -1;
  int server_bell_ = -1;
  int epoll_ = -1;  // the bell, and libuv's own
  bool one_shot_ = false;
  bool sticky_ = false;
  bool datagrams_ = false;
  uint32_t high_water_ = 0;
  uint32_t stall_warning_ = 0;  // milliseconds; 0: off
  std::unique_ptr<Framer> framer_;

  Record* records_ = nullptr;
  Reply* replies_ = nullptr;
  uint8_t* scratch_ = nullptr;
  std::vector<uint32_t> tickets_;  // of this turn's records
  std::vector<uint8_t*> big_bytes_;
  uint32_t count_ = 0;
  uint32_t requests_ = 0;
  uint8_t* slab_ = nullptr;
  uint32_t slab_at_ = kSlabBytes;
  bool slab_is_new_ = false;
  bool slab_kept_ = true;
  std::vector<uint8_t> parts_;  // of a long request, so far
  std::vector<uint8_t> framing_;
  std::deque<Late> late_;  // what the server had no room for
  std::unordered_map<RequestId, uint32_t, RequestHash>
      open_;  // requests that are answered later, and their tickets
  std::unordered_map<uint32_t, Flow> flows_;
  std::unordered_map<uint32_t, Known> known_;
  bool had_request_ = false;
  bool said_spent_ = false;

  uv_loop_t* uv_ = nullptr;
  uv_prepare_t prepare_{};
  uv_idle_t idle_{};
  int open_handles_ = 0;
  bool running_ = false;
  bool dead_ = false;
  bool idling_ = false;
  std::function<void()> done_;
  napi_async_cleanup_hook_handle teardown_ = nullptr;
};

}  // namespace gaidaros
