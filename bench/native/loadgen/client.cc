#include "client.h"

#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace bench {

namespace {

constexpr uint64_t kSecond = 1000000000u;
constexpr uint64_t kStallNs = 5 * kSecond;
constexpr uint64_t kFirstAnswersNs = 10 * kSecond;
constexpr uint64_t kDrainNs = 2 * kSecond;
constexpr uint64_t kCloseNs = 1 * kSecond;
constexpr uint64_t kSleepNs = kSecond / 100;
// More would fall out of the cache between two uses; the kernel hands out a few dozen at a time.
constexpr uint32_t kBuffers = 1024;
// Gathering: answers wished for in one reap at most, the longest wait for them, and what one answer
// too many or too few changes the wait by.
constexpr double kMostGathered = 32, kMostGatherNs = 200'000, kGatherStepNs = 500;
constexpr uint64_t kSendBit = uint64_t{1} << 32;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::string Client::open(bool& ring_refused) {
  uint32_t entries = std::clamp(std::bit_ceil(options_.connections), 256u, 8192u);
  uint32_t buffer_bytes =
      std::clamp(std::bit_ceil(options_.depth * options_.answer_bytes()), 512u, 16384u);
  int error = ring_open(&ring_, entries);
  if (error == 0) error = buffer_ring_open(&ring_, &buffers_, kBuffers, buffer_bytes);
  ring_refused = error != 0;
  if (error != 0)
    return std::string("io_uring of Linux 6.1 is wanted, the kernel says: ") +
           std::strerror(-error);
  raise_descriptor_limit();
  return connect_all();
}

std::string Client::connect_all() {
  connections_.reserve(options_.connections);
  secured_.reserve(options_.tls ? options_.connections : 0);
  std::vector<int> descriptors;
  for (uint32_t i = 0; i < options_.connections; i++) {
    Connection& connection =
        connections_.emplace_back(i, options_.depth, options_.size, options_.expect,
                                  options_.expect == Expect::kHttp ? &reader_ : nullptr);
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval patience{10, 0};
    setsockopt(connection.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const auto* address = reinterpret_cast<const sockaddr*>(&options_.target);
    if (connection.fd < 0 || connect(connection.fd, address, sizeof options_.target) != 0)
      return "connection " + std::to_string(i) + " of " + std::to_string(options_.connections) +
             ": " + std::strerror(errno);
    int one = 1;
    // The cheapest one, present in every kernel: BBR costs the generator 3 %. The server keeps the
    // system's.
    setsockopt(connection.fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (options_.nodelay) setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    descriptors.push_back(connection.fd);
    if (!options_.tls) continue;
    if (std::string why = secured_.emplace_back().shake_hands(connection.fd); !why.empty())
      return "connection " + std::to_string(i) + ": handshake: " + why;
  }
  // Registered once, so that the kernel does not look each descriptor up and count references a
  // request.
  auto count = static_cast<unsigned>(descriptors.size());
  if (syscall(SYS_io_uring_register, ring_.fd, IORING_REGISTER_FILES, descriptors.data(), count) <
      0)
    return std::string("registering the descriptors: ") + std::strerror(errno);
  return "";
}

void Client::arm_receive(uint32_t index) {
  io_uring_sqe* sqe = ring_sqe(&ring_);
  sqe->opcode = IORING_OP_RECV;
  sqe->fd = static_cast<int>(index);
  sqe->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->user_data = index;
  if (!connections_[index].receiving) receiving_++;
  connections_[index].receiving = true;
}

void Client::mark_dirty(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.dirty || connection.failed || !asking_) return;
  connection.dirty = true;
  dirty_.push_back(index);
}

void Client::flush_sends() {
  if (dirty_.empty()) return;
  uint64_t now = now_ns();
  for (uint32_t index : dirty_) {
    Connection& connection = connections_[index];
    connection.dirty = false;
    if (connection.sending || connection.failed) continue;
    uint64_t before = connection.in_flight();
    Connection::Bytes bytes = connection.ask(now);
    if (bytes.length == 0) continue;
    in_flight_ += connection.in_flight() - before;
    if (options_.tls) {
      const std::vector<char>& records = secured_[index].seal(bytes.data, bytes.length);
      bytes = {records.data(), static_cast<uint32_t>(records.size())};
    }
    io_uring_sqe* sqe = ring_sqe(&ring_);
    sqe->opcode = IORING_OP_SEND;
    sqe->fd = static_cast<int>(index);
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->addr = reinterpret_cast<uint64_t>(bytes.data);
    sqe->len = bytes.length;
    // WAITALL: the kernel goes on with a short send by itself.
    sqe->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    sqe->user_data = kSendBit | index;
    connection.sending = true;
  }
  dirty_.clear();
}

void Client::fail(uint32_t index, uint64_t& counter, const std::string& what) {
  Connection& connection = connections_[index];
  if (connection.failed) return;
  connection.failed = true;
  failed_++;
  counter++;
  // Its open requests are part of this error, not unanswered ones on top.
  in_flight_ -= connection.in_flight();
  note("connection " + std::to_string(index) + ": " + what);
  shutdown(connection.fd, SHUT_RDWR);
}

void Client::condemn(uint32_t index, const Verdict& verdict) {
  std::string where =
      "response " + std::to_string(verdict.request) + ", byte " + std::to_string(verdict.byte);
  if (verdict.why != nullptr)
    fail(index, result_->errors.wrong_bytes,
         "response " + std::to_string(verdict.request) + ": " + verdict.why);
  else if (verdict.kind == Verdict::kWrong)
    fail(index, result_->errors.wrong_bytes, where + " differs from what was wanted");
  else
    fail(index, result_->errors.unasked_bytes, where + " was not asked for");
}

void Client::taken(uint32_t index, const char* bytes, uint32_t length, uint64_t reaped_at_ns) {
  Connection& connection = connections_[index];
  if (connection.failed) return;
  uint64_t before = connection.answered;
  Verdict verdict = connection.take(bytes, length, [&](uint64_t asked_at_ns) {
    result_->latency.record(reaped_at_ns - asked_at_ns);
  });
  uint64_t answers = connection.answered - before;
  if (before == 0 && answers > 0) answered_once_++;
  in_flight_ -= answers;
  result_->requests += answers;
  last_answer_ns_ = reaped_at_ns;
  if (verdict.kind != Verdict::kRight) return condemn(index, verdict);
  if (answers > 0) mark_dirty(index);
}

void Client::opened(uint32_t index, const char* records, uint32_t length, uint64_t reaped_at_ns) {
  bool is_right = secured_[index].open(records, length, [&](const char* bytes, uint32_t count) {
    taken(index, bytes, count, reaped_at_ns);
  });
  if (!is_right) fail(index, result_->errors.system, "records that cannot be read");
}

void Client::received(uint32_t index, const io_uring_cqe& cqe, uint64_t reaped_at_ns) {
  if (cqe.flags & IORING_CQE_F_BUFFER) {
    auto id = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    auto take = options_.tls ? &Client::opened : &Client::taken;
    if (cqe.res > 0)
      (this->*take)(index, reinterpret_cast<const char*>(buffer_ring_at(&buffers_, id)),
                    static_cast<uint32_t>(cqe.res), reaped_at_ns);
    buffer_ring_give(&buffers_, id);
  }
  if (!(cqe.flags & IORING_CQE_F_MORE)) {
    connections_[index].receiving = false;
    receiving_--;
    if (cqe.res > 0 || cqe.res == -ENOBUFS) starved_.push_back(index);
  }
  if (cqe.res == 0 && !closing_) fail(index, result_->errors.closed, "closed by the server");
  if (cqe.res < 0 && cqe.res != -ENOBUFS && !closing_)
    fail(index, result_->errors.system, std::string("receive: ") + std::strerror(-cqe.res));
}

void Client::sent(uint32_t index, int result) {
  connections_[index].sending = false;
  if (result < 0)
    fail(index, result_->errors.system, std::string("send: ") + std::strerror(-result));
  // Answers may have come while the send was in flight, or the run was cut at the ring's end.
  if (result > 0 && connections_[index].in_flight() < options_.depth) mark_dirty(index);
}

void Client::wait_for_work(uint64_t deadline_ns) {
  auto something = [&] { return ring_ready(&ring_) > 0 || ring_has_deferred(&ring_); };
  if (gather_ns_ == 0 && something()) return;
  uint64_t start = now_ns(), now = start;
  if (options_.block) {
    ring_enter(&ring_, 1, kSleepNs);
    result_->enters++;
    now = now_ns();
  }
  while (!options_.block && now < deadline_ns && !(now >= next_reap_ns_ && something())) {
    pause_briefly();
    now = now_ns();
  }
  result_->idle_ns += now - start;
}

void Client::enter() {
  ring_enter(&ring_, 0, 0);
  result_->enters++;
}

// While the server has most of the requests, answering each response the moment it comes only makes
// rounds of one: a wait is learned that brings a share of all connections at once. None when there
// are few connections, and none when the generator is the slower side.
void Client::pace(uint64_t answers) {
  double wish = std::min(kMostGathered, std::floor(options_.gather * options_.connections));
  if (wish < 2 || answers == 0) return;
  double connections = static_cast<double>(answers) / options_.depth;
  gather_ns_ = std::clamp(gather_ns_ + (wish - connections) * kGatherStepNs, 0.0, kMostGatherNs);
}

void Client::turn(uint64_t deadline_ns) {
  if (ring_queued(&ring_) > 0) enter();
  wait_for_work(deadline_ns);
  if (ring_has_deferred(&ring_)) enter();
  uint32_t ready = ring_ready(&ring_);
  if (ready == 0) return;
  uint64_t reaped_at_ns = now_ns(), requests_before = result_->requests;
  for (uint32_t i = 0; i < ready; i++) {
    const io_uring_cqe& cqe = *ring_cqe(&ring_, i);
    auto index = static_cast<uint32_t>(cqe.user_data);
    if (cqe.user_data & kSendBit)
      sent(index, cqe.res);
    else
      received(index, cqe, reaped_at_ns);
  }
  ring_seen(&ring_, ready);
  pace(result_->requests - requests_before);
  next_reap_ns_ = reaped_at_ns + static_cast<uint64_t>(gather_ns_);
  for (uint32_t index : starved_) arm_receive(index);
  starved_.clear();
  flush_sends();
}

void Client::run_until(uint64_t end_ns, bool all_answered) {
  auto waiting = [&] { return all_answered && answered_once_ + failed_ < connections_.size(); };
  last_answer_ns_ = now_ns();
  for (uint64_t now = last_answer_ns_; now < end_ns || waiting(); now = now_ns()) {
    if (failed_ == connections_.size()) return;
    if (now > last_answer_ns_ + kStallNs) return note("no response for 5 s");
    if (now > end_ns + kFirstAnswersNs) return note("a connection without any response after 10 s");
    turn(std::max(end_ns, now + kSleepNs));
  }
}

void Client::note(const std::string& what) {
  if (result_->errors.first.empty()) result_->errors.first = what;
}

void Client::drain() {
  asking_ = false;
  uint64_t deadline = now_ns() + kDrainNs;
  while (in_flight_ > 0 && now_ns() < deadline) turn(deadline);
  result_->errors.unanswered += in_flight_;
  if (in_flight_ > 0) note("requests without a response");
}

void Client::close_all() {
  closing_ = true;
  for (uint32_t i = 0; i < connections_.size(); i++) {
    if (options_.tls) {
      const std::vector<char>& records = secured_[i].end();
      (void)send(connections_[i].fd, records.data(), records.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    shutdown(connections_[i].fd, SHUT_WR);
  }
  // The server's close ends here, not in the next server's turn.
  uint64_t deadline = now_ns() + kCloseNs;
  while (receiving_ > 0 && now_ns() < deadline) turn(deadline);
}

void Client::run(Result& result) {
  Result unmeasured;
  result_ = &unmeasured;
  for (uint32_t i = 0; i < connections_.size(); i++) arm_receive(i);
  for (uint32_t i = 0; i < connections_.size(); i++) mark_dirty(i);
  flush_sends();
  run_until(now_ns() + static_cast<uint64_t>(options_.warmup_s * kSecond), true);
  result.errors = unmeasured.errors;
  result_ = &result;
  result.before = read_usage(options_.server_pid);
  run_until(result.before.at_ns + static_cast<uint64_t>(options_.seconds * kSecond), false);
  result.after = read_usage(options_.server_pid);
  unmeasured.errors = result.errors;
  result_ = &unmeasured;
  drain();
  close_all();
  result.errors = unmeasured.errors;
}

}  // namespace bench
