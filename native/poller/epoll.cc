// The epoll poller, edge or level triggered: one policy apart, as both read until a short read or a
// budget, and keep what is left on a ready list of their own.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "../net/socket.h"
#include "messages.h"
#include "poller.h"
#include "send_batch.h"

namespace gaidaros {

namespace {

constexpr uint32_t kListenerSlot = 0xffff0000;  // slots above name listeners
constexpr uint32_t kDatagramSlot = 0xfffe0000;  // and these sockets of datagrams
constexpr uint32_t kForeignSlot = 0xffffffff;
constexpr uint32_t kBellSlot = 0xfffffffe;
constexpr int kMaxEvents = 512;
constexpr int kMaxAccepts = 64;          // a wake, then reads get a turn (pitfall 4)
constexpr uint32_t kHotBatch = 32;       // datagrams at once that make a socket a busy one
constexpr uint32_t kReadBudget = 65536;  // bytes a connection and turn (pitfall 2)

// Connection::poll_flags
constexpr uint8_t kReadable = 1;  // not read to the end yet
constexpr uint8_t kHangup = 2;    // RDHUP, HUP or ERR was seen: a short read is no sign of "empty"
constexpr uint8_t kInReady = 4;   // on the ready list
constexpr uint8_t kMuted = 8;     // level: EPOLLIN is out of the set
constexpr uint8_t kWantOut = 16;  // level: EPOLLOUT is in the set

uint64_t pack(uint32_t slot, uint32_t generation) { return uint64_t{generation} << 32 | slot; }

// For streams, or for messages: what differs is known when it is compiled.
template <bool kMessages>
class EpollPoller final : public Poller {
 public:
  EpollPoller(const PollerOptions& options, PollerSink& sink, Syscalls& counts,
              ConnectionTable& table)
      : options_(options), sink_(sink), counts_(counts), table_(table), messages_(sink, counts) {}
  ~EpollPoller() override {
    if (epoll_ >= 0) ::close(epoll_);
  }

  bool start(std::string& error) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) {
      error = std::string("epoll_create1: ") + std::strerror(errno);
      return false;
    }
    if (options_.send_batching) batch_.open();
    return true;
  }

  void watch(uint16_t listener, int fd) override { add_listener(kListenerSlot, listener, fd); }
  // Level-triggered in every case: what does not fit a turn is told again in the next.
  void watch_datagrams(uint16_t listener, int fd) override {
    add_listener(kDatagramSlot, listener, fd);
  }

  // A paused listener leaves the set; ignoring its events would spin (pitfall 18).
  void unwatch(uint16_t listener) override {
    if (std::erase(hot_, listener) == 0) control(EPOLL_CTL_DEL, listeners_[listener], 0, 0);
    listeners_[listener] = -1;
  }

  bool accepting() const override {
    return std::any_of(listeners_.begin(), listeners_.end(), [](int fd) { return fd >= 0; });
  }

  void open(Connection& connection) override {
    control(EPOLL_CTL_ADD, connection.fd, events_for(connection),
            pack(connection.slot, connection.generation));
  }

  // Lazy: the set is changed only if an event comes while reading is paused.
  void pause(Connection&) override {}

  void resume(Connection& connection) override {
    if (connection.poll_flags & kMuted && !connection.peer_ended) {
      connection.poll_flags &= static_cast<uint8_t>(~kMuted);
      modify(connection);
    }
    if (connection.poll_flags & kReadable) make_ready(connection);
  }

  void send(Connection& connection, std::span<const uint8_t> bytes) override {
    if constexpr (kMessages)
      messages_.send(connection, bytes);
    else
      batch_.add(connection.id(), connection.fd, bytes);
  }

  int send_now(Connection& connection, std::span<const uint8_t> bytes, bool more) override {
    if constexpr (kMessages) return messages_.send_now(connection, bytes);
    return send_bytes(connection.fd, bytes, more, counts_);
  }

  void send_queued(Connection& connection) override {
    if constexpr (kMessages) return send_queued_messages(connection);
    while (connection.backlog && !connection.backlog->output.empty()) {
      const ByteQueue& output = connection.backlog->output;
      std::span<const uint8_t> first = output.front();
      int result = send_bytes(connection.fd, first, output.size() > first.size(), counts_);
      if (result == -EAGAIN) return want_output(connection, true);
      if (result < 0) return sink_.sent(connection, result);
      sink_.sent_queued(connection, static_cast<uint32_t>(result));
      if (connection.fd < 0) return;
    }
    want_output(connection, false);
  }

  void flush() override {
    if constexpr (kMessages) messages_.flush(table_);
    batch_.flush(counts_, [this](const SendBatch::Piece& piece, int result) {
      Connection* connection = table_.find(piece.id);
      if (connection != nullptr && connection->fd >= 0) sink_.sent(*connection, result);
    });
  }

  void shutdown(Connection& connection) override {
    counts_.shutdown++;
    ::shutdown(connection.fd, SHUT_WR);
  }

  // close() alone takes a descriptor out of the set, as long as nobody else holds it: ours are
  // close-on-exec and never dup'ed (pitfall 13).
  void close(Connection& connection) override {
    counts_.close++;
    ::close(connection.fd);
    connection.fd = -1;
    sink_.released(connection);
  }

  bool poll(int timeout_ms) override {
    foreign_ready_ = false;
    bool busy = ready_at_ < ready_.size() || more_events_ || !hot_.empty();
    epoll_event events[kMaxEvents];
    counts_.epoll_wait++;
    int count = epoll_wait(epoll_, events, kMaxEvents, busy ? 0 : timeout_ms);
    sink_.awake();
    more_events_ = count == kMaxEvents;  // pitfall 19
    if (!hot_.empty()) ask_hot();
    for (int i = 0; i < count; i++) dispatch(events[i]);
    return read_ready() || more_events_ || !hot_.empty();
  }

  bool pending() const override { return ready_at_ < ready_.size() || !hot_.empty(); }
  int fd() const override { return epoll_; }

  void watch_foreign(int fd) override {
    if (fd >= 0) {
      control(EPOLL_CTL_ADD, fd, EPOLLIN, pack(kForeignSlot, 0));
    } else if (foreign_ >= 0) {
      control(EPOLL_CTL_DEL, foreign_, 0, 0);
    }
    foreign_ = fd;
  }
  bool foreign_ready() const override { return foreign_ready_; }
  void watch_bell(int fd) override {
    control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, pack(kBellSlot, 0));
  }
  bool quiet() const override { return true; }

  std::string description() const override {
    return std::string("epoll ") + (options_.edge ? "edge" : "level") +
           (batch_.has_ring() ? ", sends batched by io_uring" : ", one send() a reply");
  }

 private:
  void control(int operation, int fd, uint32_t events, uint64_t data) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    counts_.epoll_ctl++;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void add_listener(uint32_t slot, uint16_t listener, int fd) {
    if (listeners_.size() <= listener) listeners_.resize(listener + 1u, -1);
    listeners_[listener] = fd;
    control(EPOLL_CTL_ADD, fd, EPOLLIN, pack(slot | listener, 0));
  }

  // Each datagram that arrives runs what waits for its socket, on its sender's time. A socket that
  // is busy has nobody wait for it: it leaves the set and is asked in each turn, until it has
  // nothing.
  void ask_hot() {
    std::vector<uint16_t> asked = std::exchange(hot_, {});
    for (uint16_t listener : asked) {
      bool stays = sink_.full() || sink_.readable(listener, false) > 0;
      // Taking datagrams may be what makes the loop stop watching.
      int fd = listeners_[listener];
      if (fd < 0) continue;
      if (stays) {
        hot_.push_back(listener);
      } else {
        add_listener(kDatagramSlot, listener, fd);
      }
    }
  }

  void read_datagrams(uint16_t listener, bool has_errors) {
    if (listeners_[listener] < 0 || sink_.readable(listener, has_errors) < kHotBatch) return;
    if (listeners_[listener] < 0) return;
    control(EPOLL_CTL_DEL, listeners_[listener], 0, 0);
    hot_.push_back(listener);
  }

  // Edge registers everything once: an edge costs nothing until it happens. Level must ask for
  // exactly what it will act upon, or it spins (pitfall 3).
  uint32_t events_for(const Connection& connection) const {
    if (options_.edge) return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    uint32_t events = connection.poll_flags & kMuted ? 0u : EPOLLIN | EPOLLRDHUP;
    return connection.poll_flags & kWantOut ? events | EPOLLOUT : events;
  }

  void modify(Connection& connection) {
    if (!options_.edge && connection.fd >= 0)
      control(EPOLL_CTL_MOD, connection.fd, events_for(connection),
              pack(connection.slot, connection.generation));
  }

  void mute(Connection& connection) {
    if (options_.edge || connection.poll_flags & kMuted) return;
    connection.poll_flags |= kMuted;
    modify(connection);
  }

  void want_output(Connection& connection, bool on) {
    if (options_.edge || connection.fd < 0 ||
        static_cast<bool>(connection.poll_flags & kWantOut) == on)
      return;
    connection.poll_flags ^= kWantOut;
    modify(connection);
  }

  void send_queued_messages(Connection& connection) {
    int result = messages_.send_queued(connection);
    if (result < 0 && result != -EAGAIN) return sink_.sent(connection, result);
    want_output(connection, result == -EAGAIN);
  }

  void make_ready(Connection& connection) {
    if (connection.poll_flags & kInReady) return;
    connection.poll_flags |= kInReady;
    ready_.push_back(connection.id());
  }

  // Errors first tell what is left to read; then output, then input: a reply that makes room may be
  // what lets reading go on.
  void dispatch(const epoll_event& event) {
    auto slot = static_cast<uint32_t>(event.data.u64);
    if (slot == kForeignSlot) {
      foreign_ready_ = true;
    } else if (slot == kBellSlot) {
      return;  // waking was all
    } else if (slot >= kListenerSlot) {
      accept_from(static_cast<uint16_t>(slot & 0xffff));
    } else if (slot >= kDatagramSlot) {
      read_datagrams(static_cast<uint16_t>(slot & 0xffff), event.events & EPOLLERR);
    } else if (Connection* connection =
                   table_.find({slot, static_cast<uint32_t>(event.data.u64 >> 32)})) {
      handle(*connection, event.events);
    }
  }

  void handle(Connection& connection, uint32_t events) {
    if (connection.fd < 0) return;
    uint32_t id = connection.generation;
    if (events & EPOLLOUT && connection.backlog && !connection.backlog->output.empty())
      send_queued(connection);
    if (connection.generation != id || connection.fd < 0) return;
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    connection.poll_flags |= kReadable;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.poll_flags |= kHangup;
    if ((connection.paused != 0 || connection.peer_ended) && events & (EPOLLHUP | EPOLLERR)) {
      // Nobody will read the error off this socket, and a level-triggered set goes on reporting it.
      int code = take_error(connection.fd);
      return sink_.failed(connection, code != 0 ? code : EPIPE);
    }
    make_ready(connection);
  }

  void accept_from(uint16_t listener) {
    for (int i = 0; i < kMaxAccepts && listeners_[listener] >= 0 && !sink_.full(); i++) {
      sockaddr_storage storage;
      socklen_t size = sizeof storage;
      counts_.accept++;
      int fd = accept4(listeners_[listener], reinterpret_cast<sockaddr*>(&storage), &size,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        sink_.accepted(listener, fd, Address::from(storage));
        continue;
      }
      switch (classify_accept_error(errno)) {
        case AcceptAction::stop:
          return;
        case AcceptAction::next:
          continue;
        case AcceptAction::pause:
          return sink_.accept_failed(listener, errno);
      }
    }
  }

  // Reads from ready connections in turn until the list is empty or the turn is full. True: not
  // empty.
  bool read_ready() {
    // What is put back during this round waits for the next one.
    for (size_t end = ready_.size(); ready_at_ < end && !sink_.full(); ready_at_++) {
      Connection* connection = table_.find(ready_[ready_at_]);
      if (connection == nullptr) continue;
      connection->poll_flags &= static_cast<uint8_t>(~kInReady);
      if (connection->fd < 0) continue;
      if (!read_from(*connection)) break;
    }
    if (ready_at_ == ready_.size()) {
      ready_.clear();
      ready_at_ = 0;
      return false;
    }
    if (ready_at_ > 4096) {
      ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(ready_at_));
      ready_at_ = 0;
    }
    return true;
  }

  // The same for messages.
  bool read_messages(Connection& connection) {
    uint32_t id = connection.generation;
    switch (messages_.read(connection)) {
      case ReadEnd::empty:
        connection.poll_flags &= static_cast<uint8_t>(~kReadable);
        return true;
      case ReadEnd::budget:
        make_ready(connection);
        return true;
      case ReadEnd::full:
        connection.poll_flags |= kInReady;
        return false;
      case ReadEnd::over:
        if (connection.generation == id && connection.fd >= 0) mute(connection);
        return true;
    }
    return true;
  }

  // False: the turn is full and this connection stays in its place of the list.
  bool read_from(Connection& connection) {
    if constexpr (kMessages) return read_messages(connection);
    uint32_t id = connection.generation;
    for (uint32_t budget = kReadBudget;;) {
      if (connection.paused != 0 || connection.peer_ended) {
        mute(connection);
        return true;
      }
      std::span<uint8_t> space = sink_.receive_space(connection);
      if (connection.fd < 0) return true;  // making room sent output, and that failed
      if (space.empty()) {
        connection.poll_flags |= kInReady;
        return false;
      }
      counts_.recv++;
      ssize_t got = recv(connection.fd, space.data(), space.size(), 0);
      if (got < 0) {
        if (errno == EINTR) continue;
        connection.poll_flags &= static_cast<uint8_t>(~kReadable);
        if (errno != EAGAIN) sink_.failed(connection, errno);
        return true;
      }
      if (got == 0) {
        connection.poll_flags &= static_cast<uint8_t>(~kReadable);
        sink_.ended(connection);
        // FIN stays reported in a level-triggered set for as long as we go on writing.
        if (connection.generation == id && connection.fd >= 0) mute(connection);
        return true;
      }
      bool maybe_more = static_cast<size_t>(got) == space.size() || connection.poll_flags & kHangup;
      sink_.received(connection, static_cast<uint32_t>(got));
      if (connection.generation != id || connection.fd < 0) return true;
      if (!maybe_more) {
        connection.poll_flags &= static_cast<uint8_t>(~kReadable);
        return true;
      }
      if (budget <= static_cast<uint32_t>(got)) {
        make_ready(connection);
        return true;
      }
      budget -= static_cast<uint32_t>(got);
    }
  }

  PollerOptions options_;
  PollerSink& sink_;
  Syscalls& counts_;
  ConnectionTable& table_;
  SendBatch batch_;
  [[no_unique_address]] std::conditional_t<kMessages, MessagePort, NoMessages> messages_;
  int epoll_ = -1;
  int foreign_ = -1;
  bool foreign_ready_ = false;
  bool more_events_ = false;
  std::vector<int> listeners_;
  std::vector<uint16_t> hot_;  // sockets of datagrams that are not in the set
  std::vector<ConnId> ready_;
  size_t ready_at_ = 0;
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller(const PollerOptions& options, PollerSink& sink,
                                          Syscalls& counts, ConnectionTable& table,
                                          std::string& error) {
  return make_either<EpollPoller>(options, sink, counts, table, error);
}

}  // namespace gaidaros
