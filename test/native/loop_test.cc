// The loop without Node: a host of our own over real sockets, on every poller that this kernel has.
#include "loop/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <list>
#include <string>

#include "harness.h"
#include "poller/probe.h"
#include "spec.h"

namespace {

using namespace gaidaros;

// Answers each request with itself, unless `on_request` does something else.
class EchoHost final : public Host {
 public:
  SharedMemory memory() { return {records_.data(), replies_.data(), out_.data()}; }

  uint8_t* new_slab() override { return slabs_.emplace_back(kSlabBytes).data(); }
  uint8_t* new_big(uint32_t size) override { return slabs_.emplace_back(size).data(); }
  void turn(uint32_t count) override {
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
  }
  void wake() override {}

  std::function<Answer(const Record&, const std::string&)> on_request;
  std::vector<Reason> closed;

 private:
  std::vector<Record> records_{kMaxRecords};
  std::vector<Reply> replies_{kMaxRecords};
  std::vector<uint8_t> out_ = std::vector<uint8_t>(kOutBytes);
  std::list<std::vector<uint8_t>> slabs_;
};

// A loop and its clients in one thread: turns are taken while a client waits.
class Serving {
 public:
  explicit Serving(PollingType polling, const std::function<void(LoopOptions&)>& adjust = {}) {
    if (polling == PollingType::completion && !completion_refusal().empty())
      test::skip(completion_refusal());
    LoopOptions options;
    options.polling = polling;
    options.framer = test::framer_of("line");
    if (adjust) adjust(options);
    std::string error;
    loop = Loop::make(std::move(options), host, host.memory(), error);
    if (!loop) test::skip(error);
    SystemError failure;
    int listener = loop->listen({*Address::parse("127.0.0.1", 0), 16, false}, failure);
    CHECK(listener >= 0);
    port_ = loop->listener_address(listener).port;
    loop->start();
  }
  ~Serving() {
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

  EchoHost host;
  std::unique_ptr<Loop> loop;
  std::function<void()> after_turn;

 private:
  uint16_t port_ = 0;
  std::vector<int> clients_;
};

void on_each_poller(const std::function<void(PollingType)>& run) {
  run(PollingType::edge);
  run(PollingType::level);
  if (completion_refusal().empty()) run(PollingType::completion);
}

TEST_CASE("the loop echoes lines of all lengths, whole and in pieces") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling);
    int fd = serving.connect();
    std::string all;
    for (size_t length : {0, 1, 31, 500, 17'000, 70'000, 300'000}) {
      std::string line = std::string(length, 'x') + "\n";
      serving.send(fd, line);
      CHECK(serving.receive(fd, line.size()) == line);
      all += line;
    }
    serving.send(fd, all.substr(0, 1000));
    serving.send(fd, all.substr(1000));
    CHECK(serving.receive(fd, all.size()) == all);
  });
}

TEST_CASE("late answers leave in the order of their requests") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling);
    std::vector<Record> seen;
    serving.host.on_request = [&](const Record& record, const std::string&) {
      seen.push_back(record);
      return Answer::later;
    };
    int fd = serving.connect();
    serving.send(fd, "a\nb\nc\n");
    serving.until([&] { return seen.size() == 3; });
    for (size_t i : {2, 0, 1}) {
      std::string text = std::to_string(i);
      serving.loop->reply({seen[i].slot, seen[i].generation}, seen[i].sequence,
                          test::bytes_of(text), 0);
    }
    CHECK_EQ(serving.receive(fd, 3), "012");
  });
}

TEST_CASE("a slot's next connection does not get a late answer of the one before") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling);
    std::vector<Record> seen;
    serving.host.on_request = [&](const Record& record, const std::string& text) {
      seen.push_back(record);
      return text == "now\n" ? Answer::same : Answer::later;
    };
    int fd = serving.connect();
    serving.send(fd, "later\n");
    serving.until([&] { return seen.size() == 1; });
    serving.loop->close({seen[0].slot, seen[0].generation}, Reason::closed);
    serving.until([&] { return serving.loop->stats().active == 0; });
    for (int i = 0; i < 10; i++) serving.turn();
    int next = serving.connect();
    serving.send(next, "now\n");
    CHECK_EQ(serving.receive(next, 4), "now\n");
    CHECK_EQ(seen[1].slot, seen[0].slot);
    std::string late = "late";
    CHECK_EQ(serving.loop->reply({seen[0].slot, seen[0].generation}, 0, test::bytes_of(late), 0),
             -1);
    serving.send(next, "now\n");
    CHECK_EQ(serving.receive(next, 4), "now\n");
  });
}

std::string hex(const std::string& plain) {
  std::string coded;
  for (unsigned char byte : plain) {
    coded += "0123456789abcdef"[byte >> 4];
    coded += "0123456789abcdef"[byte & 15];
  }
  return coded;
}

// Shrinks what it decodes, holds half a byte, grows what it encodes, and says something last.
class HexFilter final : public Filter {
 public:
  Status decode(std::span<const uint8_t> input, std::vector<uint8_t>& plain,
                std::vector<uint8_t>& reply) override {
    for (uint8_t digit : input) {
      int value = digit >= '0' && digit <= '9'   ? digit - '0'
                  : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                 : -1;
      if (digit == '?') reply.push_back('!');
      if (digit == '?') continue;
      if (value < 0) return Status::kError;
      if (half_ < 0) {
        half_ = value;
      } else {
        plain.push_back(static_cast<uint8_t>(half_ << 4 | value));
        half_ = -1;
      }
    }
    return Status::kOk;
  }
  Status encode(std::span<const uint8_t> plain, bool, std::vector<uint8_t>& output) override {
    std::string coded = hex({plain.begin(), plain.end()});
    output.insert(output.end(), coded.begin(), coded.end());
    return Status::kOk;
  }
  Status finish(std::vector<uint8_t>& plain) override {
    if (half_ >= 0) return Status::kError;
    plain.insert(plain.end(), {'f', 'i', 'n', '\n'});
    return Status::kOk;
  }
  void end(std::vector<uint8_t>& output) override { output.push_back('.'); }

 private:
  int half_ = -1;
};

// A server that turns to hex when a client says so, in mid-connection.
class HexServing : public Serving {
 public:
  explicit HexServing(PollingType polling)
      : Serving(polling, [](LoopOptions& options) { options.limits.max_pipelined = 1; }) {
    host.on_request = [this](const Record& record, const std::string& text) {
      if (text == "bye\n") bye_ = record;
      if (text != "hex\n") return text == "bye\n" ? Answer::later : Answer::same;
      wants_ = record;
      return Answer::later;
    };
    after_turn = [this] {
      if (wants_.length > 0) {
        std::string ok = "ok\n";
        ConnId id{wants_.slot, wants_.generation};
        loop->reply(id, wants_.sequence, test::bytes_of(ok), 0);
        CHECK(loop->insert_filter(id, std::make_unique<HexFilter>()));
        wants_ = {};
      }
      if (bye_.length > 0) {
        std::string bye = "bye\n";
        loop->reply({bye_.slot, bye_.generation}, bye_.sequence, test::bytes_of(bye), kReplyLast);
        bye_ = {};
      }
    };
  }

 private:
  Record wants_{};
  Record bye_{};
};

TEST_CASE("a filter put in in mid-connection: what was not handed out goes through it") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect();
    serving.send(fd, "plain\n");
    CHECK_EQ(serving.receive(fd, 6), "plain\n");
    // The filter's first bytes come with the request that asks for it, and end in half a byte.
    std::string coded = hex("one\ntwo\nthree\n");
    serving.send(fd, "hex\n" + coded.substr(0, 11));
    CHECK_EQ(serving.receive(fd, 3 + 8), "ok\n" + hex("one\n"));
    serving.send(fd, coded.substr(11));
    CHECK_EQ(serving.receive(fd, 2 * 10), hex("two\nthree\n"));
    // It answers by itself while it reads.
    serving.send(fd, "?");
    CHECK_EQ(serving.receive(fd, 1), "!");
    // What it held comes out at the peer's end.
    shutdown(fd, SHUT_WR);
    CHECK_EQ(serving.receive(fd, 9), hex("fin\n"));
    serving.until([&] { return serving.loop->stats().active == 0; });
  });
}

TEST_CASE("a filter's bytes through full queues: long, pipelined, byte by byte") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect();
    serving.send(fd, "hex\n");
    CHECK_EQ(serving.receive(fd, 3), "ok\n");
    std::string line(200'000, 'y');
    line += '\n';
    serving.send(fd, hex(line));
    CHECK(serving.receive(fd, 2 * line.size()) == hex(line));
    std::string many;
    for (int i = 0; i < 500; i++) many += std::to_string(i) + "\n";
    serving.send(fd, hex(many));
    CHECK(serving.receive(fd, 2 * many.size()) == hex(many));
    for (char digit : hex("slow\n")) serving.send(fd, std::string(1, digit));
    CHECK_EQ(serving.receive(fd, 10), hex("slow\n"));
  });
}

TEST_CASE("a filter speaks last when we end the connection, and its errors close it") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect();
    serving.send(fd, "hex\n" + hex("bye\n"));
    CHECK_EQ(serving.receive(fd, 100), "ok\n" + hex("bye\n") + ".");
    int bad = serving.connect();
    serving.send(bad, "hex\n" + hex("x\n") + "zz");
    serving.until([&] { return !serving.host.closed.empty(); });
    CHECK(serving.host.closed.back() == Reason::filter_error);
    int cut = serving.connect();
    serving.send(cut, "hex\n7");
    CHECK_EQ(serving.receive(cut, 3), "ok\n");
    shutdown(cut, SHUT_WR);
    serving.until([&] { return serving.host.closed.size() == 2; });
    CHECK(serving.host.closed.back() == Reason::filter_error);
  });
}

}  // namespace
