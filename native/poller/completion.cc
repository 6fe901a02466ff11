// The io_uring poller: accept and receive are multishot, receive buffers are provided, a turn's
// sends go to the kernel in one call. Sends carry MSG_DONTWAIT, so each completes inside the
// submitting call and nothing of a turn outlives it; what a socket did not take is sent again from
// the connection's queue, without that flag, and waits in the kernel.

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <vector>

#include "../net/socket.h"
#include "buffer_ring.h"
#include "messages.h"
#include "poller.h"
#include "probe.h"
#include "send_batch.h"

namespace gaidaros {

namespace {

constexpr uint32_t kMostSent = 1u << 20;  // by one operation
constexpr uint32_t kEntries = 1024;
constexpr uint32_t kCompletions = 8 * kEntries;  // far above the submissions (pitfall 41)
constexpr uint32_t kBuffers = 256;

enum class Op : uint8_t { none, accept, receive, send, queued, foreign, bell, datagrams };

uint64_t pack(Op op, uint32_t slot, uint32_t generation) {
  return uint64_t{static_cast<uint8_t>(op)} << 56 | uint64_t{slot & 0xffffff} << 32 | generation;
}

// Connection::poll_flags
constexpr uint8_t kArmed = 1;     // a multishot receive is in the kernel
constexpr uint8_t kCanceled = 2;  // and was asked to end

// For streams, or for messages: these are received and sent when io_uring says that they can be, as
// a provided buffer would have to be as long as the longest.
template <bool kMessages>
class CompletionPoller final : public Poller {
 public:
  CompletionPoller(const PollerOptions& options, PollerSink& sink, Syscalls& counts,
                   ConnectionTable& table)
      : options_(options), sink_(sink), counts_(counts), table_(table), messages_(sink, counts) {}

  // Requests that the kernel still holds name our buffers: they are cancelled and awaited first.
  ~CompletionPoller() override {
    if (ring_.is_open() && operations_ > 0) {
      if (io_uring_sqe* sqe = prepare()) {
        sqe->opcode = IORING_OP_ASYNC_CANCEL;
        sqe->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
      }
      for (int i = 0; i < 100 && operations_ > 0; i++) {
        ring_.submit(counts_, 1, 10);
        while (const io_uring_cqe* cqe = ring_.peek()) {
          if (cqe->user_data != 0 && !(cqe->flags & IORING_CQE_F_MORE)) operations_--;
          ring_.pop();
        }
      }
    }
    ring_.close();
    if (event_ >= 0) ::close(event_);
    if (signals_ >= 0) ::close(signals_);
  }

  bool start(std::string& error) {
    error = completion_refusal();
    if (!error.empty()) return false;
    int code = ring_.open(
        kEntries, kCompletions,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (code == EINVAL)
      code =
          ring_.open(kEntries, kCompletions, IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN);
    if (code != 0) {
      error = std::string("io_uring_setup: ") + std::strerror(code);
      return false;
    }
    if (code = buffers_.open(ring_, kBuffers, options_.recv_bytes); code < 0) {
      error = std::string("io_uring_register buffers: ") + std::strerror(-code);
      return false;
    }
    event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    signals_ = epoll_create1(EPOLL_CLOEXEC);
    if (event_ < 0 || signals_ < 0 || !add_signal(event_)) {
      error = std::string("eventfd, epoll: ") + std::strerror(errno);
      return false;
    }
    signal_by_event(true);
    return true;
  }

  void watch(uint16_t listener, int fd) override { watch_for(Op::accept, listener, fd); }
  void watch_datagrams(uint16_t listener, int fd) override {
    watch_for(Op::datagrams, listener, fd);
  }

  // Submitted at once: until the request has ended it holds the socket open.
  void unwatch(uint16_t listener) override {
    Listening& place = listeners_[listener];
    place.fd = -1;
    if (!place.armed) return;
    cancel(pack(place.op, listener, place.round));
    place.armed = false;
    place.round++;
    submit();
  }

  bool accepting() const override { return accepts_ > 0; }

  void open(Connection& connection) override { arm(connection); }

  // Lazy: the request is ended only when input comes that nobody wants yet.
  void pause(Connection&) override {}

  void resume(Connection& connection) override {
    // One that was asked to end is armed again when it has.
    if (!connection.peer_ended && connection.fd >= 0 && !(connection.poll_flags & kArmed))
      arm(connection);
  }

  void send(Connection& connection, std::span<const uint8_t> bytes) override {
    if constexpr (kMessages) return messages_.send(connection, bytes);
    io_uring_sqe* sqe = prepare();
    prepare_send(*sqe, connection, bytes, Op::send);
    sqe->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    sends_++;
  }

  int send_now(Connection& connection, std::span<const uint8_t> bytes, bool more) override {
    if constexpr (kMessages) return messages_.send_now(connection, bytes);
    return send_bytes(connection.fd, bytes, more, counts_);
  }

  void send_queued(Connection& connection) override {
    if (connection.sending || connection.fd < 0) return;
    if constexpr (kMessages) return send_queued_messages(connection);
    const ByteQueue& output = connection.backlog->output;
    std::span<const uint8_t> bytes = output.front();
    if (bytes.empty()) return;
    io_uring_sqe* sqe = prepare();
    prepare_send(*sqe, connection, bytes, Op::queued);
    sqe->msg_flags = MSG_NOSIGNAL | (output.size() > sqe->len ? MSG_MORE : 0);
    connection.sending = true;
    connection.poll_ops++;
    operations_++;
  }

  void flush() override {
    if constexpr (kMessages) messages_.flush(table_);
    while (sends_ > 0 || ring_.unsubmitted() > 0) {
      submit();
      collect();
    }
  }

  void shutdown(Connection& connection) override {
    counts_.shutdown++;
    ::shutdown(connection.fd, SHUT_WR);
  }

  // close(2) alone cancels nothing: requests are cancelled and awaited, then the descriptor goes
  // (pitfall 36).
  void close(Connection& connection) override {
    if (connection.poll_ops > 0) {
      io_uring_sqe* sqe = prepare();
      sqe->opcode = IORING_OP_ASYNC_CANCEL;
      sqe->fd = connection.fd;
      sqe->cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
    } else {
      close_descriptor(connection);
    }
  }

  bool poll(int timeout_ms) override {
    foreign_ready_ = false;
    // Results that were at hand before the call, then the ones that it brings. The first need no
    // system call, but deferred work is only run by one.
    bool is_signalled = take_signal();
    bool has_none = at_ == stash_.size() && stalled_.id == kNoBuffer && ring_.peek() == nullptr;
    // Deferred work signals once, until it is run: who takes the signal has to run it.
    if (has_none || is_signalled) {
      if (foreign_ >= 0 && !foreign_armed_) arm_foreign();
      ring_.submit(counts_, has_none && timeout_ms != 0 ? 1 : 0, timeout_ms, true);
    }
    sink_.awake();
    bool more = handle_all();
    for (uint32_t slot : rearm_)
      if (Connection& connection = table_.at(slot); wants_receive(connection)) arm(connection);
    rearm_.clear();
    return more;
  }

  bool pending() const override { return at_ < stash_.size() || ring_.unsubmitted() > 0; }
  int fd() const override { return signals_; }

  void watch_foreign(int fd) override {
    foreign_ = fd;
    if (fd < 0 && foreign_armed_) cancel(pack(Op::foreign, 0, 0));
    signal_by_event(fd < 0);
  }
  bool foreign_ready() const override { return foreign_ready_; }
  void watch_bell(int fd) override {
    bell_ = fd;
    arm_bell();
    add_signal(bell_);
  }
  bool quiet() const override {
    return operations_ == static_cast<decltype(operations_)>(foreign_armed_ + bell_armed_);
  }
  std::string description() const override { return "io_uring"; }

 private:
  static constexpr uint32_t kNoBuffer = UINT32_MAX;

  struct Listening {
    int fd = -1;
    bool armed = false;
    uint32_t round = 0;  // generation of its request
    Op op = Op::accept;
  };
  // A received piece of which a part had no room in the turn.
  struct Stalled {
    uint32_t id = kNoBuffer;
    uint32_t offset = 0;
    uint32_t length = 0;
    uint32_t slot = 0;
    uint32_t generation = 0;
  };

  io_uring_sqe* prepare() {
    io_uring_sqe* sqe = ring_.prepare();
    while (sqe == nullptr) {
      // Queue full: submit and try again, never drop (pitfall 41).
      submit();
      collect();
      sqe = ring_.prepare();
    }
    return sqe;
  }

  // A ring that polls an eventfd cannot signal another one from within that one's write (the kernel
  // keeps eventfds from waking each other, and is late or forgets): the bell is a signal of its
  // own.
  bool add_signal(int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    return epoll_ctl(signals_, EPOLL_CTL_ADD, fd, &event) == 0;
  }

  // Before the ring is entered: what comes meanwhile signals again.
  bool take_signal() {
    if (!signalled_) return false;
    bool has_rung = bell_ >= 0 && drain(bell_);
    return drain(event_) || has_rung;
  }

  bool drain(int eventfd) {
    uint64_t count;
    counts_.read++;
    return read(eventfd, &count, sizeof count) > 0;
  }

  void submit() { ring_.submit(counts_, 0, -1, true); }

  void signal_by_event(bool on) {
    if (signalled_ == on) return;
    ring_.register_op(on ? IORING_REGISTER_EVENTFD : IORING_UNREGISTER_EVENTFD,
                      on ? &event_ : nullptr, on ? 1 : 0);
    signalled_ = on;
  }

  void cancel(uint64_t user_data) {
    io_uring_sqe* sqe = prepare();
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->addr = user_data;
    sqe->cancel_flags = IORING_ASYNC_CANCEL_ALL;
  }

  void watch_for(Op op, uint16_t listener, int fd) {
    if (listeners_.size() <= listener) listeners_.resize(listener + 1u);
    listeners_[listener].op = op;
    listeners_[listener].fd = fd;
    if (!listeners_[listener].armed) arm_listener(listener);
  }

  void arm_listener(uint16_t listener) {
    Listening& place = listeners_[listener];
    uint64_t user_data = pack(place.op, listener, place.round);
    if (place.op == Op::accept) {
      prepare_accept(place.fd, user_data);
    } else {
      // Not multishot: that tells of what comes, and not of what a full turn has left.
      prepare_poll(place.fd, user_data);
    }
    place.armed = true;
    accepts_++;
  }

  // Accepted sockets stay blocking for the kernel's own sake: a queued send shall wait there; the
  // loop's own calls carry MSG_DONTWAIT.
  void prepare_accept(int fd, uint64_t user_data) {
    io_uring_sqe* sqe = prepare();
    sqe->opcode = IORING_OP_ACCEPT;
    sqe->fd = fd;
    sqe->ioprio = IORING_ACCEPT_MULTISHOT;
    sqe->accept_flags = SOCK_CLOEXEC;
    sqe->user_data = user_data;
    operations_++;
  }

  // `flags`: IORING_POLL_ADD_MULTI and its like.
  void prepare_poll(int fd, uint64_t user_data, uint32_t flags = 0, uint32_t events = POLLIN) {
    io_uring_sqe* sqe = prepare();
    sqe->opcode = IORING_OP_POLL_ADD;
    sqe->fd = fd;
    sqe->len = flags;
    sqe->poll32_events = events;
    sqe->user_data = user_data;
    operations_++;
  }

  void arm_foreign() {
    prepare_poll(foreign_, pack(Op::foreign, 0, 0));
    foreign_armed_ = true;
  }

  void arm_bell() {
    prepare_poll(bell_, pack(Op::bell, 0, 0), IORING_POLL_ADD_MULTI);
    bell_armed_ = true;
  }

  void arm(Connection& connection) {
    if constexpr (kMessages) return await_messages(connection);
    io_uring_sqe* sqe = prepare();
    sqe->opcode = IORING_OP_RECV;
    sqe->fd = connection.fd;
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = BufferRing::kGroup;
    sqe->user_data = pack(Op::receive, connection.slot, connection.generation);
    connection.poll_flags = kArmed;
    connection.poll_ops++;
    operations_++;
  }

  void await_messages(Connection& connection) {
    prepare_poll(connection.fd, pack(Op::receive, connection.slot, connection.generation));
    connection.poll_flags = kArmed;
    connection.poll_ops++;
  }

  // What the socket does not take waits for room.
  void send_queued_messages(Connection& connection) {
    int result = messages_.send_queued(connection);
    if (result == 0 || connection.fd < 0) return;
    if (result != -EAGAIN) return sink_.sent(connection, result);
    prepare_poll(connection.fd, pack(Op::queued, connection.slot, connection.generation), 0,
                 POLLOUT);
    connection.sending = true;
    connection.poll_ops++;
  }

  // A send whose socket says again and again that it has room, and then has none, is given to a
  // thread that stays in it until all is sent: nothing tells before how far it has come, so one is
  // no longer than what may take as long as write_timeout.
  void prepare_send(io_uring_sqe& sqe, const Connection& connection, std::span<const uint8_t> bytes,
                    Op op) {
    sqe.opcode = IORING_OP_SEND;
    sqe.fd = connection.fd;
    sqe.addr = reinterpret_cast<uint64_t>(bytes.data());
    sqe.len = static_cast<uint32_t>(std::min<size_t>(bytes.size(), kMostSent));
    sqe.user_data = pack(op, connection.slot, connection.generation);
  }

  // Takes the results of this turn's sends and keeps the others, in order, for poll().
  void collect() {
    if (at_ == stash_.size()) {
      stash_.clear();
      at_ = 0;
    }
    while (const io_uring_cqe* cqe = ring_.peek()) {
      io_uring_cqe copy;
      std::memcpy(&copy, cqe, sizeof copy);
      ring_.pop();
      if (static_cast<Op>(copy.user_data >> 56) == Op::send) {
        handle_sent(copy);
      } else {
        stash_.push_back({copy.user_data, copy.res, copy.flags});
      }
    }
    // Results that did not fit wait in the kernel; this brings them in.
    if (ring_.wants_enter()) submit();
  }

  // True: stopped early.
  bool handle_all() {
    if (stalled_.id != kNoBuffer && !continue_stalled()) return true;
    while (at_ < stash_.size()) {
      if (sink_.full()) return true;
      Completion completion = stash_[at_++];
      if (!handle(completion)) return true;
    }
    stash_.clear();
    at_ = 0;
    while (const io_uring_cqe* cqe = ring_.peek()) {
      if (sink_.full()) return true;
      Completion completion{cqe->user_data, cqe->res, cqe->flags};
      ring_.pop();
      if (!handle(completion)) return true;
      // A handler of results may have collected others that came before the ring's next.
      if (at_ < stash_.size()) return true;
    }
    return false;
  }

  struct Completion {
    uint64_t user_data;
    int32_t res;
    uint32_t flags;
  };

  void handle_sent(const io_uring_cqe& cqe) {
    sends_--;
    Connection* connection = owner(cqe.user_data);
    if (connection != nullptr && connection->fd >= 0)
      sink_.sent(*connection, cqe.res == -EINTR ? -EAGAIN : cqe.res);
  }

  Connection* owner(uint64_t user_data) {
    return table_.find(
        {static_cast<uint32_t>(user_data >> 32) & 0xffffff, static_cast<uint32_t>(user_data)});
  }

  // False: the turn has no room for what was received.
  bool handle(const Completion& completion) {
    auto op = static_cast<Op>(completion.user_data >> 56);
    bool last = !(completion.flags & IORING_CQE_F_MORE);
    if (last && op != Op::none && op != Op::send) operations_--;
    switch (op) {
      case Op::accept:
        handle_accept(completion, last);
        return true;
      case Op::receive:
        return handle_receive(completion, last);
      case Op::send: {
        io_uring_cqe cqe{};
        cqe.user_data = completion.user_data;
        cqe.res = completion.res;
        handle_sent(cqe);
        return true;
      }
      case Op::queued:
        handle_queued(completion);
        return true;
      case Op::foreign:
        foreign_armed_ = false;
        if (completion.res != -ECANCELED) foreign_ready_ = true;
        return true;
      case Op::bell:
        if (last && completion.res >= 0) arm_bell();
        if (last && completion.res < 0) bell_armed_ = false;
        return true;
      case Op::datagrams:
        handle_datagrams(completion);
        return true;
      case Op::none:
        return true;
    }
    return true;
  }

  void handle_accept(const Completion& completion, bool last) {
    auto listener = static_cast<uint16_t>(completion.user_data >> 32);
    Listening& place = listeners_[listener];
    bool current = static_cast<uint32_t>(completion.user_data) == place.round;
    if (last) accepts_--;
    if (last && current) place.armed = false;
    if (completion.res >= 0) {
      counts_.accept++;
      sink_.accepted(listener, completion.res, peer_address(completion.res));
    } else if (completion.res != -ECANCELED &&
               classify_accept_error(-completion.res) == AcceptAction::pause) {
      sink_.accept_failed(listener, -completion.res);
    }
    if (place.fd >= 0 && !place.armed) arm_listener(listener);
  }

  void handle_datagrams(const Completion& completion) {
    auto listener = static_cast<uint16_t>(completion.user_data >> 32);
    Listening& place = listeners_[listener];
    bool current = static_cast<uint32_t>(completion.user_data) == place.round;
    accepts_--;
    if (!current) return;
    place.armed = false;
    if (place.fd >= 0 && completion.res > 0) sink_.readable(listener, completion.res & POLLERR);
    if (place.fd >= 0 && !place.armed) arm_listener(listener);
  }

  bool handle_receive(const Completion& completion, bool last) {
    Connection* connection = owner(completion.user_data);
    bool has_buffer = completion.flags & IORING_CQE_F_BUFFER;
    auto buffer = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    if (connection == nullptr) {
      // Stale, but its buffer is real (pitfall 37).
      if (has_buffer) buffers_.recycle(buffer);
      return true;
    }
    if (last) {
      connection->poll_flags &= static_cast<uint8_t>(~(kArmed | kCanceled));
      connection->poll_ops--;
      if (completion.res > 0 || completion.res == -ENOBUFS || completion.res == -ECANCELED)
        rearm_.push_back(connection->slot);
    }
    if (connection->state == ConnState::closed) {
      if (has_buffer) buffers_.recycle(buffer);
      if (connection->poll_ops == 0) close_descriptor(*connection);
      return true;
    }
    if constexpr (kMessages)
      if (completion.res > 0) return read_messages(*connection);
    if (completion.res > 0)
      return take({buffer, 0, static_cast<uint32_t>(completion.res), connection->slot,
                   connection->generation});
    if (has_buffer) buffers_.recycle(buffer);
    if (completion.res == 0) {
      sink_.ended(*connection);
    } else if (completion.res != -ENOBUFS && completion.res != -ECANCELED) {
      sink_.failed(*connection, -completion.res);
    }
    return true;
  }

  // There are messages, or their end. False: the turn has no room.
  bool read_messages(Connection& connection) {
    if (messages_.read(connection) != ReadEnd::full) return true;
    stalled_ = {0, 0, 0, connection.slot, connection.generation};
    return false;
  }

  // Moves received bytes to where the loop wants them. False: no room in this turn; the rest
  // stalls.
  bool take(Stalled piece) {
    while (piece.offset < piece.length) {
      Connection* connection = table_.find({piece.slot, piece.generation});
      if (connection == nullptr || !connection->live()) break;
      if (connection->paused != 0) stop_receiving(*connection);
      std::span<uint8_t> space = sink_.receive_space(*connection);
      if (!connection->live()) break;
      if (space.empty()) {
        stalled_ = piece;
        return false;
      }
      uint32_t count =
          std::min<uint32_t>(static_cast<uint32_t>(space.size()), piece.length - piece.offset);
      std::memcpy(space.data(), buffers_.buffer(static_cast<uint16_t>(piece.id)) + piece.offset,
                  count);
      piece.offset += count;
      sink_.received(*connection, count);
    }
    buffers_.recycle(static_cast<uint16_t>(piece.id));
    return true;
  }

  bool continue_stalled() {
    Stalled piece = stalled_;
    stalled_ = {};
    if constexpr (kMessages) {
      Connection* connection = table_.find({piece.slot, piece.generation});
      if (connection == nullptr || !connection->live()) return true;
      rearm_.push_back(connection->slot);
      return read_messages(*connection);
    }
    return take(piece);
  }

  void stop_receiving(Connection& connection) {
    if (!(connection.poll_flags & kArmed) || connection.poll_flags & kCanceled) return;
    connection.poll_flags |= kCanceled;
    cancel(pack(Op::receive, connection.slot, connection.generation));
  }

  bool wants_receive(const Connection& connection) const {
    return connection.live() && connection.fd >= 0 && !connection.peer_ended &&
           !(connection.poll_flags & kArmed) && connection.paused == 0;
  }

  void handle_queued(const Completion& completion) {
    Connection* connection = owner(completion.user_data);
    if (connection == nullptr) return;
    connection->sending = false;
    connection->poll_ops--;
    if (connection->state == ConnState::closed) {
      if (connection->poll_ops == 0) close_descriptor(*connection);
      return;
    }
    if (completion.res > 0) {
      if constexpr (!kMessages)
        sink_.sent_queued(*connection, static_cast<uint32_t>(completion.res));
    } else if (completion.res != -EINTR && completion.res != -EAGAIN) {
      return sink_.failed(*connection, -completion.res);
    }
    if (connection->live() && connection->backlog) send_queued(*connection);
  }

  void close_descriptor(Connection& connection) {
    if (connection.fd < 0) return;
    counts_.close++;
    ::close(connection.fd);
    connection.fd = -1;
    sink_.released(connection);
  }

  PollerOptions options_;
  PollerSink& sink_;
  Syscalls& counts_;
  ConnectionTable& table_;
  Ring ring_;
  BufferRing buffers_;
  int event_ = -1;
  bool signalled_ = false;
  int foreign_ = -1;
  bool foreign_armed_ = false;
  bool foreign_ready_ = false;
  int bell_ = -1;
  int signals_ = -1;  // epoll: event_ and the bell
  bool bell_armed_ = false;
  uint32_t operations_ = 0;  // requests in the kernel that outlive the call that submitted them
  uint32_t accepts_ = 0;     // of these: requests to accept
  uint32_t sends_ = 0;       // sends of this turn whose result is not in yet
  std::vector<Listening> listeners_;
  std::vector<Completion> stash_;
  size_t at_ = 0;
  Stalled stalled_;
  std::vector<uint32_t> rearm_;
  [[no_unique_address]] std::conditional_t<kMessages, MessagePort, NoMessages> messages_;
};

}  // namespace

std::unique_ptr<Poller> make_completion_poller(const PollerOptions& options, PollerSink& sink,
                                               Syscalls& counts, ConnectionTable& table,
                                               std::string& error) {
  return make_either<CompletionPoller>(options, sink, counts, table, error);
}

}  // namespace gaidaros
