// Filters in connections of the loop, put in in mid-connection, on every poller that this kernel
// has.
#include "conn/filter.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "serving.h"
#include "spec.h"

namespace {

using namespace gaidaros;
using test::on_each_poller;
using test::Serving;

std::string hex(const std::string& plain) {
  std::string coded;
  for (unsigned char byte : plain) {
    coded += "0123456789abcdef"[byte >> 4];
    coded += "0123456789abcdef"[byte & 15];
  }
  return coded;
}

// Shrinks what it decodes, holds half a byte, grows what it encodes, and says something last in
// both directions. '?' makes it answer by itself, '$' is an end of its own.
class HexFilter final : public Filter {
 public:
  explicit HexFilter(std::string held = "fin\n", std::string last = ".")
      : held_(std::move(held)), last_(std::move(last)) {}

  Step decode(std::span<const uint8_t> input, std::span<uint8_t> room,
              std::vector<uint8_t>& reply) override {
    Step step;
    for (uint8_t digit : input) {
      if (step.made == room.size()) return step.status = Status::kMore, step;
      step.used++;
      int value = digit >= '0' && digit <= '9'   ? digit - '0'
                  : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                 : -1;
      if (digit == '$') return step.status = Status::kEnd, step;
      if (digit == '?') reply.push_back('!');
      if (digit == '?') continue;
      if (value < 0) return step.status = Status::kError, step;
      if (half_ < 0) {
        half_ = value;
      } else {
        room[step.made++] = static_cast<uint8_t>(half_ << 4 | value);
        half_ = -1;
      }
    }
    return step;
  }
  Status encode(std::span<const uint8_t> plain, bool, std::vector<uint8_t>& output) override {
    std::string coded = hex({plain.begin(), plain.end()});
    output.insert(output.end(), coded.begin(), coded.end());
    return Status::kOk;
  }
  Status finish(std::vector<uint8_t>& plain) override {
    if (half_ >= 0) return Status::kError;
    plain.insert(plain.end(), held_.begin(), held_.end());
    return Status::kOk;
  }
  void end(std::vector<uint8_t>& output) override {
    output.insert(output.end(), last_.begin(), last_.end());
  }

 private:
  std::string held_;
  std::string last_;
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
        CHECK(loop->insert_filter(id, std::move(filter)));
        filter = std::make_unique<HexFilter>();
        wants_ = {};
      }
      if (bye_.length > 0) {
        std::string bye = "bye\n";
        loop->reply({bye_.slot, bye_.generation}, bye_.sequence, test::bytes_of(bye), kReplyLast);
        bye_ = {};
      }
    };
  }

  // A client whose connection has turned to hex, and nothing else been asked on.
  int connect_hex() {
    int fd = connect();
    send(fd, "hex\n");
    CHECK_EQ(receive(fd, 3), "ok\n");
    return fd;
  }

  // What is put in next.
  std::unique_ptr<Filter> filter = std::make_unique<HexFilter>();

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
    // What it held comes out at the peer's end, and then it says its last.
    shutdown(fd, SHUT_WR);
    CHECK_EQ(serving.receive(fd, 100), hex("fin\n") + ".");
    serving.until([&] { return serving.loop->stats().active == 0; });
  });
}

TEST_CASE("a filter's bytes through full queues: long, pipelined, byte by byte") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect_hex();
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

TEST_CASE("a chain of filters: what each says passes those on its way, in both directions") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect();
    serving.send(fd, "hex\n" + hex("one\n"));
    CHECK_EQ(serving.receive(fd, 3 + 8), "ok\n" + hex("one\n"));
    // The second stands behind the first and gets what that one made of the bytes at hand.
    serving.filter = std::make_unique<HexFilter>("fin 2\n", "|");
    serving.send(fd, hex("hex\n" + hex("two\n")));
    CHECK_EQ(serving.receive(fd, 6 + 16), hex("ok\n" + hex("two\n")));
    serving.send(fd, "?");
    CHECK_EQ(serving.receive(fd, 1), "!");
    serving.send(fd, hex("?"));
    CHECK_EQ(serving.receive(fd, 2), hex("!"));
    shutdown(fd, SHUT_WR);
    // What the first held is no hex.
    serving.until([&] { return !serving.host.closed.empty(); });
    CHECK(serving.host.closed.back() == Reason::filter_error);
    // With a chain that says and holds what the other understands:
    serving.filter = std::make_unique<HexFilter>(hex("held\n"));
    int next = serving.connect_hex();
    serving.filter = std::make_unique<HexFilter>("fin\n", "|");
    serving.send(next, hex("hex\n"));
    CHECK_EQ(serving.receive(next, 6), hex("ok\n"));
    shutdown(next, SHUT_WR);
    CHECK_EQ(serving.receive(next, 100), hex(hex("held\nfin\n") + "|") + ".");
    serving.until([&] { return serving.loop->stats().active == 0; });
  });
}

TEST_CASE("a filter's own end is the end of input") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect_hex();
    serving.send(fd, hex("one\n") + "$" + hex("two\n"));
    CHECK_EQ(serving.receive(fd, 100), hex("one\nfin\n") + ".");
    serving.until([&] { return serving.loop->stats().active == 0; });
    CHECK_EQ(serving.loop->stats().closed[static_cast<unsigned>(Reason::end)], 1);
  });
}

TEST_CASE("a filter that comes after the peer's end still hears of it") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    int fd = serving.connect();
    std::string all = "hex\n" + hex("one\n");
    CHECK_EQ(::send(fd, all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
    shutdown(fd, SHUT_WR);
    CHECK_EQ(serving.receive(fd, 100), "ok\n" + hex("one\nfin\n") + ".");
  });
}

TEST_CASE("a filter may be put in while its request is handled") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    serving.host.on_request = [&](const Record& record, const std::string& text) {
      if (text != "hex\n") return Answer::same;
      std::string ok = "ok\n";
      ConnId id{record.slot, record.generation};
      serving.loop->reply(id, record.sequence, test::bytes_of(ok), 0);
      CHECK(serving.loop->insert_filter(id, std::make_unique<HexFilter>()));
      return Answer::later;
    };
    int fd = serving.connect();
    serving.send(fd, "hex\n" + hex("one\ntwo\n"));
    CHECK_EQ(serving.receive(fd, 3 + 16), "ok\n" + hex("one\ntwo\n"));
    shutdown(fd, SHUT_WR);
    CHECK_EQ(serving.receive(fd, 100), hex("fin\n") + ".");
  });
}

TEST_CASE("a filter's last words are whole however slowly they are read") {
  on_each_poller([](PollingType polling) {
    HexServing serving(polling);
    std::string last(8'000'000, 'z');
    serving.filter = std::make_unique<HexFilter>("", last);
    int fd = serving.connect();
    serving.send(fd, "hex\n" + hex("bye\n"));
    CHECK_EQ(serving.receive(fd, 3 + 8), "ok\n" + hex("bye\n"));
    for (int i = 0; i < 100; i++) serving.turn();
    CHECK(serving.receive(fd, last.size() + 1) == last);
  });
}

}  // namespace
