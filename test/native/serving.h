// The loop without Node: a host of our own and clients over real sockets, in one thread.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "harness.h"
#include "loop/loop.h"
#include "poller/probe.h"
#include "spec.h"

namespace test {

using namespace gaidaros;

// Answers each request with itself, unless `on_request` does something else.
class EchoHost : public Host {
 public:
  SharedMemory memory() { return {records_.data(), replies_.data(), out_.data()}; }

  uint8_t* new_slab() override { return slabs_.emplace_back(kSlabBytes).data(); }
  uint8_t* new_big(uint32_t size) override { return slabs_.emplace_back(size).data(); }
  uint32_t turn(uint32_t count) override {
    for (uint32_t i = 0; i < count; i++) {
      const Record& record = records_[i];
      replies_[i] = {static_cast<uint32_t>(Answer::none), 0, 0, 0};
      auto kind = static_cast<RecordKind>(record.kind & 0xff);
      if (kind == RecordKind::closed) closed.push_back(static_cast<Reason>(record.extra));
      if (kind != RecordKind::request) continue;
      bool is_big = record.kind & kRecordBig;
      const uint8_t* base =
          is_big ? slabs_.back().data() + record.extra : slabs_.back().data() + record.offset;
      std::string text(base, base + record.length);
      replies_[i].kind =
          static_cast<uint32_t>(on_request ? on_request(record, text) : Answer::same);
    }
    return count;
  }
  void wake() override {}

  // Requests are answered by loop->reply() from now on: they gather in what this returns.
  const std::vector<Record>& answer_later() {
    on_request = [this](const Record& record, const std::string&) {
      later_.push_back(record);
      return Answer::later;
    };
    return later_;
  }

  std::function<Answer(const Record&, const std::string&)> on_request;
  std::vector<Reason> closed;

 private:
  std::vector<Record> later_;
  std::vector<Record> records_{kMaxRecords};
  std::vector<Reply> replies_{kMaxRecords};
  std::vector<uint8_t> out_ = std::vector<uint8_t>(kOutBytes);
  std::list<std::vector<uint8_t>> slabs_;
};

// A loop and its clients in one thread: turns are taken while a client waits.
template <class HostType>
class ServingWith {
 public:
  explicit ServingWith(PollingType polling, const std::function<void(LoopOptions&)>& adjust = {}) {
    if (polling == PollingType::completion && !completion_refusal().empty())
      skip(completion_refusal());
    LoopOptions options;
    options.polling = polling;
    options.framer = framer_of("line");
    if (adjust) adjust(options);
    std::string error;
    loop = Loop::make(std::move(options), host, host.memory(), error);
    if (!loop) skip(error);
    SystemError failure;
    ListenOptions where;
    where.address = *Address::parse("127.0.0.1", 0);
    where.backlog = 16;
    int listener = loop->listen(where, failure);
    CHECK(listener >= 0);
    port_ = loop->listener_address(listener).port;
    loop->start();
  }
  ~ServingWith() {
    for (int fd : clients_) ::close(fd);
    loop->begin_close(0);
    for (int i = 0; i < 1000 && !loop->finished(); i++) loop->turn(10);
  }

  int connect() {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    clients_.push_back(fd);
    return fd;
  }

  void send(int fd, std::string bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.erase(0, static_cast<size_t>(sent));
      turn();
    }
  }

  // Receives until `size` bytes are there, or the end.
  std::string receive(int fd, size_t size) {
    std::string got;
    char chunk[65536];
    for (int i = 0; i < 5000 && got.size() < size; i++) {
      turn();
      ssize_t count = recv(fd, chunk, std::min(sizeof chunk, size - got.size()), 0);
      if (count == 0) break;
      if (count > 0) got.append(chunk, static_cast<size_t>(count));
    }
    return got;
  }

  void until(const std::function<bool()>& holds) {
    for (int i = 0; i < 5000 && !holds(); i++) turn();
    CHECK(holds());
  }

  void turn() {
    loop->turn(1);
    if (after_turn) after_turn();
  }

  HostType host;
  std::unique_ptr<Loop> loop;
  std::function<void()> after_turn;

 private:
  uint16_t port_ = 0;
  std::vector<int> clients_;
};

using Serving = ServingWith<EchoHost>;

inline void on_each_poller(const std::function<void(PollingType)>& run) {
  run(PollingType::edge);
  run(PollingType::level);
  if (completion_refusal().empty()) run(PollingType::completion);
}

}  // namespace test
