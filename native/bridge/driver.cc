#include "driver.h"

#include <napi.h>

#include <utility>

#include "../core/timeout.h"

namespace gaidaros {

namespace {

// The thread's driver that sleeps in its own poller.
thread_local Driver* sleeper = nullptr;

}  // namespace

Driver::Driver(uv_loop_t* uv, Loop& loop, uint32_t busy_poll_us, std::function<void()> after_turn)
    : uv_(uv), loop_(loop), busy_poll_us_(busy_poll_us), after_turn_(std::move(after_turn)) {}

Driver::~Driver() = default;

void Driver::start() {
  if (running_) return;
  running_ = true;
  uv_poll_init(uv_, &poll_, loop_.poller().fd());
  uv_timer_init(uv_, &timer_);
  uv_prepare_init(uv_, &prepare_);
  uv_idle_init(uv_, &idle_);
  open_handles_ = 4;
  poll_.data = timer_.data = prepare_.data = idle_.data = this;
  sleeps_ = sleeper == nullptr;
  if (sleeps_) {
    sleeper = this;
    loop_.poller().watch_foreign(uv_backend_fd(uv_));
  } else {
    uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* handle, int, int) {
      Driver& self = of(reinterpret_cast<uv_handle_t*>(handle));
      self.turn(0);
      if (self.busy_poll_us_ > 0 && self.running_) self.spin();
    });
  }
  // Replies that came from promises and timers of this round leave together, just before the sleep.
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    Driver& self = of(reinterpret_cast<uv_handle_t*>(handle));
    self.sleeps_ ? self.serve() : self.before_sleep();
  });
  wanted_ = true;
}

// In a worker thread JS may end at any moment (terminate()). What is asked of it from then on
// fails, outside of any call from JS that could pass it on: this driver has had its last turn.
void Driver::turn(int timeout_ms) {
  wanted_ = false;
  if (dead_) return;
  try {
    more_ = loop_.turn(timeout_ms);
    after_turn_();
  } catch (const Napi::Error&) {
    dead_ = true;
    more_ = false;
  }
}

// Turn after turn, until libuv has something to do: an event, a timer, a setImmediate. libuv then
// looks at its own descriptors without sleeping, for the idle handle is active.
void Driver::serve() {
  if (left_at_ != 0) loop_.away(uv_hrtime() - left_at_);
  keep_awake(false);
  for (;;) {
    uv_update_time(uv_);
    int theirs = uv_backend_timeout(uv_);
    turn(theirs == 0 ? 0 : sooner(theirs, timeout()));
    if (busy_poll_us_ > 0 && running_ && theirs != 0) spin();
    if (!running_ || dead_) return;
    if (theirs == 0 || loop_.poller().foreign_ready()) break;
  }
  keep_awake(true);
  left_at_ = uv_hrtime();
}

int Driver::timeout() { return wanted_ || more_ ? 0 : loop_.next_timeout(); }

// Looks for more a while before sleeping: a wake-up costs some microseconds that a single
// connection would otherwise wait for each time. libuv's own work is looked at in between.
void Driver::spin() {
  uint64_t now = uv_hrtime();
  uint64_t until = now + busy_poll_us_ * 1000ULL;
  // A connection that keeps us busy must not keep libuv from its own descriptors.
  uint64_t yield_at = now + 20 * busy_poll_us_ * 1000ULL;
  while (running_ && !dead_ && now < until && now < yield_at) {
    if (loop_.poller().foreign_ready()) break;
    uint64_t before = loop_.stats().records;
    turn(0);
    now = uv_hrtime();
    if (loop_.stats().records != before) until = now + busy_poll_us_ * 1000ULL;
    if (uv_backend_timeout(uv_) == 0 && !idling_) break;
  }
}

void Driver::before_sleep() {
  if (wanted_ || more_) turn(0);
  if (!running_) return;
  keep_awake(wanted_ || more_);
  set_timer();
}

// An active idle handle makes libuv poll without sleeping.
void Driver::keep_awake(bool on) {
  if (on == idling_) return;
  if (on) {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&idle_);
  }
  idling_ = on;
}

void Driver::set_timer() {
  int timeout = loop_.next_timeout();
  if (timeout < 0) {
    if (timer_ms_ >= 0) uv_timer_stop(&timer_);
  } else if (timer_ms_ < 0 || !uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) ||
             uv_timer_get_due_in(&timer_) > static_cast<uint64_t>(timeout)) {
    uv_timer_start(
        &timer_,
        [](uv_timer_t* handle) { of(reinterpret_cast<uv_handle_t*>(handle)).wanted_ = true; },
        static_cast<uint64_t>(timeout), 0);
  }
  timer_ms_ = timeout;
}

void Driver::stop(std::function<void()> done) {
  if (!running_) return;
  running_ = false;
  done_ = std::move(done);
  if (sleeps_) {
    loop_.poller().watch_foreign(-1);
    sleeper = nullptr;
  }
  for (uv_handle_t* handle :
       {reinterpret_cast<uv_handle_t*>(&poll_), reinterpret_cast<uv_handle_t*>(&timer_),
        reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&idle_)})
    close_handle(handle);
}

void Driver::close_handle(uv_handle_t* handle) {
  uv_close(handle, [](uv_handle_t* closed) {
    Driver& self = of(closed);
    if (--self.open_handles_ > 0) return;
    auto done = std::move(self.done_);
    done();  // may delete the driver
  });
}

}  // namespace gaidaros
