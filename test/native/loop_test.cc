// The loop on every poller that this kernel has.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "harness.h"
#include "serving.h"
#include "spec.h"

namespace {

using namespace gaidaros;
using test::on_each_poller;
using test::Serving;

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
    const std::vector<Record>& seen = serving.host.answer_later();
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

// What a stalled process finds when it goes on happened now, however old its last turn is.
TEST_CASE("a stall of the process is no fault of the peer") {
  on_each_poller([](PollingType polling) {
    Serving serving(polling, [](LoopOptions& options) { options.limits.frame_timeout = 150; });
    auto stall = [] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); };
    int fd = serving.connect();
    serving.send(fd, "begun\n");
    CHECK_EQ(serving.receive(fd, 6), "begun\n");
    std::string part = "unfinis";
    CHECK_EQ(::send(fd, part.data(), part.size(), 0), static_cast<ssize_t>(part.size()));
    stall();
    for (int i = 0; i < 3; i++) serving.turn();
    serving.send(fd, "hed\n");
    CHECK_EQ(serving.receive(fd, 11), "unfinished\n");

    CHECK(serving.host.closed.empty());
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

}  // namespace
