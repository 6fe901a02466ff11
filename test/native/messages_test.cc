// Messages of SOCK_SEQPACKET on every poller that this kernel has.
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <string>
#include <vector>

#include "harness.h"
#include "net/unix_address.h"
#include "serving.h"
#include "spec.h"

namespace {

using namespace gaidaros;
using test::on_each_poller;
using test::Serving;

// Its connections are of messages.
class Messages : public Serving {
 public:
  explicit Messages(PollingType polling) : Serving(polling, as_messages) {
    ListenOptions where;
    where.path = "@gaidaros-messages-" + std::to_string(getpid()) + "-" + std::to_string(count_++);
    where.messages = true;
    SystemError failure;
    int listener = loop->listen(where, failure);
    CHECK(listener >= 0);
    loop->accept_from(listener, true);
    size_ = unix_address(where.path, address_);
  }
  ~Messages() {
    for (int fd : open_) close(fd);
  }

  int connect() {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    open_.push_back(fd);
    CHECK_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address_), size_), 0);
    return fd;
  }

  // False: the server has not made room.
  bool try_send(int fd, const std::string& message) {
    for (int i = 0; i < 20; i++) {
      if (::send(fd, message.data(), message.size(), MSG_NOSIGNAL) >= 0) return true;
      turn();
    }
    return false;
  }

  // One message; empty: the end.
  std::string take(int fd) {
    std::string got(1 << 20, '\0');
    for (int i = 0; i < 5000; i++) {
      ssize_t size = recv(fd, got.data(), got.size(), 0);
      if (size >= 0) return got.substr(0, static_cast<size_t>(size));
      CHECK_EQ(errno, EAGAIN);
      turn();
    }
    CHECK(false);
    return {};
  }

 private:
  static void as_messages(LoopOptions& options) {
    options.messages = true;
    options.framer = make_length_framer({.type = LengthType::kU32le, .strip = true});
  }

  static inline int count_ = 0;
  sockaddr_storage address_{};
  socklen_t size_ = 0;
  std::vector<int> open_;
};

std::string pattern(size_t size, size_t first = 0) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i++) text[i] = static_cast<char>((first + i) % 251);
  return text;
}

TEST_CASE("messages of all lengths keep their bounds") {
  on_each_poller([](PollingType polling) {
    Messages serving(polling);
    int fd = serving.connect();
    uint64_t sum = 0;
    for (size_t size : {1, 3, 4, 5, 16'380, 16'384, 65'532, 65'536, 65'537, 200'000}) {
      std::string message = pattern(size);
      CHECK(serving.try_send(fd, message));
      CHECK(serving.take(fd) == message);
      sum += size;
    }
    CHECK_EQ(serving.loop->stats().bytes_in, sum);
    CHECK_EQ(serving.loop->stats().bytes_out, sum);
  });
}

TEST_CASE("messages of several connections are more than a turn has room for") {
  on_each_poller([](PollingType polling) {
    Messages serving(polling);
    std::vector<int> clients;
    for (int i = 0; i < 6; i++) clients.push_back(serving.connect());
    for (int round = 0; round < 5; round++) {
      for (size_t i = 0; i < clients.size(); i++)
        for (size_t k = 0; k < 2; k++) {
          std::string message = pattern(90'000, i * 2 + k);
          CHECK(::send(clients[i], message.data(), message.size(), MSG_NOSIGNAL) > 0);
        }
      for (size_t i = 0; i < clients.size(); i++)
        for (size_t k = 0; k < 2; k++)
          CHECK(serving.take(clients[i]) == pattern(90'000, i * 2 + k));
    }
  });
}

TEST_CASE("who does not read gets every message later, whole and in order") {
  on_each_poller([](PollingType polling) {
    Messages serving(polling);
    int fd = serving.connect();
    size_t sent = 0;
    while (sent < 2000 && serving.try_send(fd, pattern(10'000 + sent, sent))) sent++;
    CHECK(sent > 10);
    CHECK(sent < 2000);
    for (size_t i = 0; i < sent; i++) CHECK(serving.take(fd) == pattern(10'000 + i, i));
  });
}

TEST_CASE("a reply that comes by parts is one message") {
  on_each_poller([](PollingType polling) {
    Messages serving(polling);
    const std::vector<Record>& seen = serving.host.answer_later();
    int fd = serving.connect();
    CHECK(serving.try_send(fd, "a"));
    CHECK(serving.try_send(fd, "b"));
    serving.until([&] { return seen.size() == 2; });
    std::string message = pattern(100'000);
    std::string whole("\xa0\x86\x01\x00", 4);
    whole += message;
    auto reply = [&](size_t which, const std::string& part, uint32_t flags) {
      const Record& record = seen[which];
      serving.loop->reply({record.slot, record.generation}, record.sequence, test::bytes_of(part),
                          flags);
      for (int i = 0; i < 3; i++) serving.turn();
    };
    // The second waits for the first, whatever of it is there.
    reply(1, whole.substr(0, 2), kReplyMore);
    reply(0, whole.substr(0, 3), kReplyMore);
    reply(0, whole.substr(3, 50'000), kReplyMore);
    reply(1, whole.substr(2), 0);
    reply(0, whole.substr(50'003), 0);
    CHECK(serving.take(fd) == message);
    CHECK(serving.take(fd) == message);
  });
}

TEST_CASE("a message that no socket takes ends its connection") {
  on_each_poller([](PollingType polling) {
    Messages serving(polling);
    const std::vector<Record>& seen = serving.host.answer_later();
    int fd = serving.connect();
    CHECK(serving.try_send(fd, "a"));
    serving.until([&] { return seen.size() == 1; });
    std::string message(16 << 20, 'x');
    serving.loop->reply({seen[0].slot, seen[0].generation}, seen[0].sequence,
                        test::bytes_of(message), kReplyFrame);
    serving.until([&] { return !serving.host.closed.empty(); });
    CHECK(serving.host.closed[0] == Reason::output_limit);
    CHECK(serving.take(fd).empty());
  });
}

TEST_CASE("replies without bytes are passed over") {
  on_each_poller([](PollingType polling) {
    Messages serving(polling);
    const std::vector<Record>& seen = serving.host.answer_later();
    int fd = serving.connect();
    for (int i = 0; i < 3; i++) CHECK(serving.try_send(fd, "a"));
    serving.until([&] { return seen.size() == 3; });
    for (size_t i = 0; i < 3; i++)
      serving.loop->reply({seen[i].slot, seen[i].generation}, seen[i].sequence,
                          test::bytes_of(i == 1 ? "b" : ""), kReplyFrame);
    CHECK_EQ(serving.take(fd), "b");
    shutdown(fd, SHUT_WR);
    CHECK(serving.take(fd).empty());
    CHECK_EQ(serving.loop->stats().bytes_out, 1u);
  });
}

}  // namespace
