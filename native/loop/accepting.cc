// Accepting: limits, and what happens when descriptors run out.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "../compress/compress_filter.h"
#include "../conn/proxy_filter.h"
#include "loop.h"

namespace gaidaros {

namespace {

constexpr uint32_t kResourcePause = 250;  // milliseconds (pitfall 5)
constexpr int kMaxShed = 64;

std::string address_key(const Address& peer) {
  return {reinterpret_cast<const char*>(peer.bytes), sizeof peer.bytes};
}

}  // namespace

int Loop::listen(const ListenOptions& options, SystemError& error) {
  int fd = datagrams_ ? open_datagram_socket(options, error) : open_listener(options, error);
  return fd < 0 ? -1 : add_listener(fd);
}

int Loop::adopt(int fd, const std::optional<SocketOptions>& options, SystemError& error) {
  if (!(datagrams_ ? adopt_datagram_socket(fd, options, error)
                   : adopt_listener(fd, options, error)))
    return -1;
  return add_listener(fd);
}

int Loop::add_listener(int fd) {
  listeners_.push_back({fd});
  if (datagrams_ && !options_.datagrams.local) heed_socket(listeners_.back());
  return static_cast<int>(listeners_.size()) - 1;
}

void Loop::start() {
  started_ = true;
  open_reserve();
  resume_accepting(0);
}

void Loop::stop_listening() {
  for (uint16_t i = 0; i < listeners_.size(); i++) {
    if (listeners_[i].fd < 0) continue;
    if (listeners_[i].watched && poller_) poller_->unwatch(i);
    listeners_[i].watched = false;
    // What is answered late leaves by the socket that it came by.
    if (datagrams_) continue;
    ::close(listeners_[i].fd);
    listeners_[i] = {};
  }
  started_ = false;
}

void Loop::accept_from(int listener, bool on) {
  if (listener < 0 || static_cast<size_t>(listener) >= listeners_.size()) return;
  Listener& place = listeners_[static_cast<size_t>(listener)];
  place.wanted = on;
  if (on) return resume_accepting(0);
  if (!place.watched) return;
  poller_->unwatch(static_cast<uint16_t>(listener));
  place.watched = false;
}

void Loop::pause_accepting(uint8_t why) {
  if (!(accept_paused_ & why))
    (why == kPauseLimit ? stats_.accept_paused_limit : stats_.accept_paused_resources)++;
  accept_paused_ |= why;
  for (uint16_t i = 0; i < listeners_.size(); i++) {
    if (!listeners_[i].watched) continue;
    poller_->unwatch(i);
    listeners_[i].watched = false;
  }
}

void Loop::resume_accepting(uint8_t why) {
  accept_paused_ &= static_cast<uint8_t>(~why);
  if (accept_paused_ != 0 || !started_) return;
  for (uint16_t i = 0; i < listeners_.size(); i++) {
    if (listeners_[i].watched || !listeners_[i].wanted || listeners_[i].fd < 0) continue;
    datagrams_ ? poller_->watch_datagrams(i, listeners_[i].fd)
               : poller_->watch(i, listeners_[i].fd);
    listeners_[i].watched = true;
  }
}

void Loop::accepted(uint16_t listener, int fd, const Address& peer) {
  stats_.accepted++;
  if (Reason refusal; !admit(peer, refusal)) return refuse(listener, fd, peer, refusal);
  Connection& connection = table_.acquire();
  connection.fd = fd;
  connection.listener = listener;
  connection.peer = peer;
  connection.since_ms = connection.last_ms = now_;
  stats_.active++;
  if (!options_.proxy.on) count_address(connection, 1);
  if (peer.is_internet()) tune(fd);
  if (options_.messages) inherit_send_buffer(fd, listeners_[listener].fd);
  if (options_.proxy.on) {
    connection.filter = std::make_unique<ProxyFilter>(options_.proxy.versions);
    connection.greeting = true;
  }
  if (options_.tls.context && options_.tls.implicit && !add_tls(connection)) {
    poller_->open(connection);
    return close(connection, Reason::io_error);
  }
  if (codecs_)
    append_filter(connection,
                  std::make_unique<CompressFilter>(*codecs_, options_.limits.inflate, stats_));
  announce(connection);
  poller_->open(connection);
  arm(connection);
  if (options_.limits.max_connections > 0 && stats_.active >= options_.limits.max_connections)
    pause_accepting(kPauseLimit);
}

// What a connection does not inherit from its listener.
void Loop::tune(int fd) {
  if (options_.disable_nagle || options_.nodelay) {
    stats_.syscalls.setsockopt++;
    set_nodelay(fd);
  }
  if (options_.quick_ack) {
    stats_.syscalls.setsockopt++;
    set_quickack(fd);
  }
}

// False: the connection is over a limit. Above max_connections new ones wait in the backlog, so
// only those that the kernel had accepted already come here.
bool Loop::admit(const Address& peer, Reason& refusal) const {
  const Limits& limits = options_.limits;
  refusal = Reason::shutdown;
  if (closing_ || !started_) return false;
  if (!believes(peer)) {
    refusal = Reason::proxy_denied;
    return false;
  }
  refusal = Reason::max_connections;
  if (limits.max_connections > 0 && stats_.active >= limits.max_connections) return false;
  refusal = Reason::max_connections_per_ip;
  return options_.proxy.on || has_room_for(peer);
}

bool Loop::has_room_for(const Address& peer) const {
  uint32_t most = options_.limits.max_connections_per_ip;
  if (most == 0 || peer.is_unix()) return true;
  auto found = per_address_.find(address_key(peer));
  return found == per_address_.end() || found->second < most;
}

// What this peer says of others may be taken for true. Who may connect to a unix socket is said by
// its mode.
bool Loop::believes(const Address& peer) const {
  const ProxyOptions& proxy = options_.proxy;
  return !proxy.on || proxy.allow.empty() || peer.is_unix() ||
         std::any_of(proxy.allow.begin(), proxy.allow.end(),
                     [&peer](const Network& network) { return network.contains(peer); });
}

// Its proxy has said who it is: only now is it one of its address's connections, and one that the
// handler may hear of.
void Loop::introduced(Connection& connection) {
  bool has_room = has_room_for(connection.peer);
  count_address(connection, 1);
  if (!has_room) return close(connection, Reason::max_connections_per_ip);
  if (connection.opening) begin_opening(connection);
  announce(connection);
  // Its time for the header is over, which may have been longer than that for what comes next.
  arm(connection);
}

// The handler may hear of the connection, once all is agreed that stands before its first request.
void Loop::announce(Connection& connection) {
  if (connection.greeting || connection.opening || connection.announced) return;
  connection.announced = true;
  if (options_.want_opened) push_record(RecordKind::opened, connection, 0, 0, 0);
}

// Closes at once; for the log it is a connection like any other, with a slot until its record is
// delivered.
void Loop::refuse(uint16_t listener, int fd, const Address& peer, Reason reason) {
  stats_.closed[static_cast<unsigned>(reason)]++;
  stats_.syscalls.close++;
  ::close(fd);
  if (!is_abnormal(reason)) return;
  Connection& connection = table_.acquire();
  connection.state = ConnState::closed;
  connection.listener = listener;
  connection.peer = peer;
  connection.reason = reason;
  connection.mourned = true;
  push_event(RecordKind::closed, connection, static_cast<uint32_t>(reason));
}

void Loop::count_address(const Connection& connection, int change) {
  if (connection.peer.is_unix()) return;
  if (options_.limits.max_connections_per_ip == 0 && per_address_.empty()) return;
  std::string key = address_key(connection.peer);
  if (change > 0) {
    per_address_[key]++;
  } else if (auto found = per_address_.find(key);
             found != per_address_.end() && --found->second == 0) {
    per_address_.erase(found);
  }
}

// Out of descriptors or memory: clients that wait are told so by a closed connection rather than
// left hanging, then accepting rests for a while. Nothing else would stop the listener's events
// from spinning (pitfalls 5 and 6).
void Loop::accept_failed(uint16_t listener, int code) {
  stats_.accept_errors++;
  if (code == EMFILE || code == ENFILE) shed(listener);
  pause_accepting(kPauseResources);
  accept_resume_at_ = now_ + kResourcePause;
  if (accept_resume_at_ == 0) accept_resume_at_ = 1;
}

void Loop::shed(uint16_t listener) {
  if (reserve_fd_ < 0) return;
  ::close(reserve_fd_);
  for (int i = 0; i < kMaxShed; i++) {
    stats_.syscalls.accept++;
    int fd = accept4(listeners_[listener].fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) break;
    stats_.closed[static_cast<unsigned>(Reason::max_connections)]++;
    stats_.syscalls.close++;
    ::close(fd);
  }
  open_reserve();
}

void Loop::open_reserve() { reserve_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace gaidaros
