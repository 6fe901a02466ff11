// Datagrams on every poller that this kernel has: where they were sent to, and several as one
// message.
#include <netinet/udp.h>

#include <cstring>
#include <string>
#include <vector>

#include "harness.h"
#include "net/packet_info.h"
#include "serving.h"
#include "spec.h"

namespace {

using namespace gaidaros;
using test::on_each_poller;

constexpr int kUdp = 17;
constexpr int kUdpSegment = 103;
constexpr int kUdpGro = 104;

class WarnedHost : public test::EchoHost {
 public:
  void warn(const std::string& text) override { warnings.push_back(text); }
  std::vector<std::string> warnings;
};

sockaddr_in address_at(const char* text, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

// A message, what its datagrams' size is, and who has sent it.
struct Message {
  std::string bytes;
  size_t segment = 0;
  std::string from;
};

// A server and a client that knows of messages of several datagrams.
class Serving {
 public:
  Serving(PollingType polling, SocketOptions socket, const char* address = "127.0.0.1",
          const std::function<void(LoopOptions&)>& adjust = {}) {
    make(polling, adjust);
    ListenOptions where;
    where.address = *Address::parse(address, 0);
    where.socket = std::move(socket);
    SystemError error;
    if (loop->listen(where, error) < 0) test::skip(std::string(error.call) + " is not to be had");
    start();
  }
  // With a socket of the caller's, bound to 127.0.0.1.
  Serving(PollingType polling, int fd) {
    make(polling, {});
    SystemError error;
    CHECK(loop->adopt(fd, std::nullopt, error) >= 0);
    start();
  }
  ~Serving() {
    ::close(client_);
    loop->begin_close(0);
    for (int i = 0; i < 1000 && !loop->finished(); i++) loop->turn(10);
  }

  // As one message where `segment` is not 0.
  void send(const std::string& bytes, uint16_t segment = 0, const char* to = "127.0.0.1") {
    sockaddr_in address = address_at(to, port_);
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof segment)] = {};
    msghdr header{};
    header.msg_name = &address;
    header.msg_namelen = sizeof address;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (segment > 0) {
      header.msg_control = control;
      header.msg_controllen = sizeof control;
      cmsghdr* message = CMSG_FIRSTHDR(&header);
      message->cmsg_level = kUdp;
      message->cmsg_type = kUdpSegment;
      message->cmsg_len = CMSG_LEN(sizeof segment);
      std::memcpy(CMSG_DATA(message), &segment, sizeof segment);
    }
    CHECK_EQ(sendmsg(client_, &header, 0), static_cast<ssize_t>(bytes.size()));
  }

  // Messages until they are `size` bytes.
  std::vector<Message> receive(size_t size) {
    std::vector<Message> all;
    for (int i = 0; i < 5000 && size > 0; i++) {
      loop->turn(1);
      Message message;
      while (size > 0 && take(message)) {
        size -= std::min(size, message.bytes.size());
        all.push_back(message);
      }
    }
    CHECK_EQ(size, 0u);
    return all;
  }

  WarnedHost host;
  std::unique_ptr<Loop> loop;

 private:
  void make(PollingType polling, const std::function<void(LoopOptions&)>& adjust) {
    LoopOptions options;
    options.polling = polling;
    options.framer = test::framer_of("line");
    options.datagrams.on = true;
    options.datagrams.join = true;
    if (adjust) adjust(options);
    std::string error;
    loop = Loop::make(std::move(options), host, host.memory(), error);
    if (!loop) test::skip(error);
  }

  void start() {
    port_ = loop->listener_address(0).port;
    loop->start();
    client_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address = address_at("127.0.0.1", 0);
    CHECK_EQ(bind(client_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    int on = 1;
    if (setsockopt(client_, kUdp, kUdpGro, &on, sizeof on) != 0)
      test::skip("this kernel has no UDP_GRO");
  }

  bool take(Message& message) {
    std::vector<char> bytes(70'000);
    sockaddr_in from{};
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = recvmsg(client_, &header, 0);
    if (size < 0) return false;
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
    message = {std::string(bytes.data(), static_cast<size_t>(size)), packet_info(header).segment,
               text};
    return true;
  }

  int client_ = -1;
  uint16_t port_ = 0;
};

SocketOptions with(Wish gro, Wish gso) {
  SocketOptions options;
  options.gro = gro;
  options.gso = gso;
  return options;
}

// Datagrams of `size` bytes, one letter each, as one message.
std::string letters(size_t count, size_t size) {
  std::string all;
  for (size_t i = 0; i < count; i++) all += std::string(size, static_cast<char>('a' + i % 26));
  return all;
}

std::string join(const std::vector<Message>& messages) {
  std::string all;
  for (const Message& message : messages) all += message.bytes;
  return all;
}

TEST_CASE("several datagrams as one message are requests of their own, and so are their replies") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling, with(Wish::on, Wish::on));
    std::vector<size_t> seen;
    serving.host.on_request = [&](const Record&, const std::string& text) {
      CHECK_EQ(text, std::string(text.size(), text[0]));
      seen.push_back(text.size());
      return Answer::same;
    };
    // Sizes that end before, at and behind the first part of a message's memory.
    for (uint16_t size : {1, 100, 512, 1000, 1472, 2048}) {
      size_t count = std::min<size_t>(60, 60'000 / size);
      std::string sent = letters(count, size) + std::string(size / 2, '.');
      seen.clear();
      serving.send(sent, size);
      std::vector<Message> got = serving.receive(sent.size());
      CHECK_EQ(join(got), sent);
      CHECK_EQ(seen.size(), count + (size > 1 ? 1 : 0));
      CHECK_EQ(got.size(), 1u);
      CHECK_EQ(got[0].segment, size);
    }
    CHECK_EQ(serving.loop->stats().datagrams_unsent, 0u);
    CHECK_EQ(serving.loop->stats().replies, serving.loop->stats().requests);
  });
}

TEST_CASE("only replies of one size are joined, and a shorter one ends them") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling, with(Wish::automatic, Wish::on));
    for (const char* text : {"aaaa", "bbbb", "cc", "dddd", "", "eeee", "ffff", "gggggg"})
      serving.send(text);
    std::vector<Message> got = serving.receive(28);
    std::vector<std::string> texts;
    for (const Message& message : got) texts.push_back(message.bytes);
    CHECK(texts == std::vector<std::string>({"aaaabbbbcc", "dddd", "", "eeeeffff", "gggggg"}));
  });
}

TEST_CASE("at most 64 datagrams are one message, and no more bytes than one may have") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling, with(Wish::automatic, Wish::on));
    for (int i = 0; i < 100; i++) serving.send("x");
    std::vector<Message> got = serving.receive(100);
    CHECK_EQ(got.size(), 2u);
    CHECK_EQ(got[0].bytes.size(), 64u);
    for (int i = 0; i < 50; i++) serving.send(std::string(1500, 'y'));
    got = serving.receive(75'000);
    CHECK_EQ(got.size(), 2u);
    CHECK_EQ(got[0].bytes.size(), 43u * 1500);
  });
}

// As with a device that cannot make checksums.
TEST_CASE("a kernel that refuses joined replies is told them one by one, and the log once") {
  on_each_poller([](PollingType polling) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
    sockaddr_in address = address_at("127.0.0.1", 0);
    CHECK_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    Serving serving(polling, fd);
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < 10; i++) serving.send("some");
      CHECK_EQ(serving.receive(40).size(), 10u);
    }
    CHECK_EQ(serving.loop->stats().datagrams_unsent, 0u);
    CHECK_EQ(serving.loop->stats().bytes_out, 120u);
    CHECK_EQ(serving.host.warnings.size(), 1u);
    CHECK(serving.host.warnings[0].find("udp_gso: ") == 0);
  });
}

TEST_CASE("a message of more datagrams than may be in flight is taken bit by bit") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling, with(Wish::on, Wish::off), "127.0.0.1", [](LoopOptions& options) {
      options.limits.max_connections = 4;
      options.datagrams.join = false;
    });
    std::vector<ConnId> waiting;
    serving.host.on_request = [&](const Record& record, const std::string&) {
      waiting.push_back({record.slot, record.generation});
      return Answer::later;
    };
    serving.send(letters(10, 8), 8);
    size_t answered = 0;
    std::string got;
    for (int i = 0; i < 1000 && answered < 10; i++) {
      serving.loop->turn(1);
      CHECK(waiting.size() <= 4);
      for (ConnId id : std::exchange(waiting, {})) {
        serving.loop->reply(id, 0, test::bytes_of("!"), 0);
        answered++;
      }
    }
    CHECK_EQ(answered, 10u);
    CHECK_EQ(serving.receive(10).size(), 10u);
  });
}

TEST_CASE("what is left of a message when the server ends is handled all the same") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling, with(Wish::on, Wish::off), "127.0.0.1",
                    [](LoopOptions& options) { options.limits.max_connections = 4; });
    size_t seen = 0;
    serving.host.on_request = [&](const Record&, const std::string&) {
      seen++;
      return Answer::later;
    };
    serving.send(letters(10, 8), 8);
    for (int i = 0; i < 1000 && seen < 4; i++) serving.loop->turn(1);
    CHECK_EQ(seen, 4u);
    serving.loop->begin_close(50);
    for (int i = 0; i < 1000 && !serving.loop->finished(); i++) serving.loop->turn(10);
    CHECK(serving.loop->finished());
    CHECK_EQ(seen, 10u);
  });
}

TEST_CASE("bound to all addresses, a reply leaves from the one that was asked") {
  on_each_poller([](PollingType polling) {
    for (const char* everywhere : {"0.0.0.0", "::"}) {
      Serving serving(polling, with(Wish::automatic, Wish::on), everywhere);
      for (const char* to : {"127.0.0.2", "127.0.0.3", "127.0.0.3"}) serving.send("who?", 0, to);
      std::vector<Message> got = serving.receive(12);
      // Those from one address to one peer may be joined.
      CHECK_EQ(got.size(), 2u);
      CHECK_EQ(got[0].from, "127.0.0.2");
      CHECK_EQ(got[1].from, "127.0.0.3");
      CHECK_EQ(got[1].bytes.size(), 8u);
    }
  });
}

}  // namespace
