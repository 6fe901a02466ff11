// Runs a loop on the libuv loop of a Node environment: sees to it that turn() is called when the
// poller has events, when a timer is due, when output was produced outside of a turn, and that the
// process does not sleep while there is more to do.
//
// The first driver of a thread sleeps in its own poller, with libuv's descriptor as one of the many
// that wake it: a set inside libuv's set would be woken twice for each event and cost another
// system call each turn. Further ones lie in libuv's set like any other descriptor.
#pragma once

#include <uv.h>

#include <functional>

#include "../loop/loop.h"

namespace gaidaros {

class Driver {
 public:
  // `after_turn` runs after each turn; it may call stop().
  Driver(uv_loop_t* uv, Loop& loop, uint32_t busy_poll_us, std::function<void()> after_turn);
  ~Driver();

  void start();
  // Closes the libuv handles; `done` runs when they are closed. The driver must live until then.
  void stop(std::function<void()> done);
  bool running() const { return running_; }
  // turn() is to run before libuv sleeps.
  void wake() { wanted_ = true; }
  // libuv's clock stands still while our own poller sleeps; timers that JS starts count from it.
  void before_js() {
    if (sleeps_) uv_update_time(uv_);
  }

 private:
  static Driver& of(uv_handle_t* handle) { return *static_cast<Driver*>(handle->data); }
  void turn(int timeout_ms);
  void spin();
  void serve();
  int timeout();
  void before_sleep();
  void keep_awake(bool on);
  void set_timer();
  void close_handle(uv_handle_t* handle);

  uv_loop_t* uv_;
  Loop& loop_;
  uint32_t busy_poll_us_;
  std::function<void()> after_turn_;
  std::function<void()> done_;
  uv_poll_t poll_;
  uv_timer_t timer_;
  uv_prepare_t prepare_;
  uv_idle_t idle_;
  bool running_ = false;
  bool dead_ = false;  // JS has ended
  bool wanted_ = false;
  bool more_ = false;
  bool idling_ = false;
  bool sleeps_ = false;  // this driver's poller is where the thread sleeps
  int timer_ms_ = -1;
  uint64_t left_at_ = 0;  // when libuv got the thread; 0: not yet
  int open_handles_ = 0;
};

}  // namespace gaidaros
