// The pool on a real loop, with workers that stand in this thread and do as a test tells them.
#include "pool/pool.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "serving.h"

namespace {

using namespace gaidaros;

// What a worker sees of a request.
struct Seen {
  Entry entry;
  std::string text;
};

// A worker's end of its channel.
class Worker {
 public:
  explicit Worker(Channel& channel)
      : channel_(channel), in_(&channel.requests), out_(&channel.replies) {}

  // Takes what is there, as one turn would; `entries` counts how many entries it was.
  std::vector<Seen> take() {
    std::vector<Seen> seen;
    uint32_t available = in_.available();
    for (uint32_t i = 0; i < available; i++) {
      const Entry& entry = in_.entry(i);
      std::span<const uint8_t> bytes = in_.bytes(entry);
      uint32_t count = entry.count();
      size_t head = count > 1 ? count * sizeof(RunItem) : 0;
      for (uint32_t j = 0; j < count; j++) {
        RunItem item{0, static_cast<uint32_t>(bytes.size())};
        if (count > 1) std::memcpy(&item, bytes.data() + j * sizeof item, sizeof item);
        const uint8_t* start = bytes.data() + head + item.offset;
        Entry single = entry;
        single.kind = 0;
        single.sequence += j;
        seen.push_back({single, {start, start + item.length}});
      }
    }
    entries += available;
    in_.take(available);
    channel_.requests_taken.fetch_add(seen.size());
    return seen;
  }

  // Answers `count` requests from `first` on by one entry. `more`: that is a piece.
  void reply(const Seen& first, const std::string& text, uint32_t count = 1, bool more = false) {
    uint8_t* place = out_.place(static_cast<uint32_t>(text.size()));
    CHECK(place != nullptr);
    std::copy(text.begin(), text.end(), place);
    Entry entry = first.entry;
    entry.kind = static_cast<uint32_t>(WorkerSays::reply) | (count - 1) << kRunShift |
                 (more ? kReplyMore << kSaysFlags : 0);
    entry.length = static_cast<uint32_t>(text.size());
    out_.push(entry);
    out_.publish();
  }

  void costs(uint32_t ns) { channel_.cost_ns.store(ns); }

  uint32_t entries = 0;

 private:
  Channel& channel_;
  LaneConsumer in_;
  LaneProducer out_;
};

class PoolHost final : public test::EchoHost {
 public:
  void open(Loop& loop, const PoolOptions& options) {
    loop_ = &loop;
    std::string error;
    pool = Pool::make(options, error);
    CHECK_EQ(error, "");
    CHECK_EQ(memory_of_workers_.map(pool->memory_fd(), options.workers), 0);
    for (uint32_t i = 0; i < options.workers; i++) {
      pool->attach(loop, i);
      workers.push_back(std::make_unique<Worker>(memory_of_workers_.channel(i)));
    }
  }

  uint32_t turn(uint32_t count) override {
    return EchoHost::turn(pool->dispatch(*loop_, memory().records, count));
  }
  void collect() override { pool->collect(*loop_); }
  void flushed() override { pool->flushed(); }
  bool answered() const override { return pool->answered(); }
  bool sleep() override { return pool->sleep(); }
  void awake() override { pool->awake(); }

  std::unique_ptr<Pool> pool;
  std::vector<std::unique_ptr<Worker>> workers;

 private:
  Loop* loop_ = nullptr;
  PoolMemory memory_of_workers_;
};

class Pooled : public test::ServingWith<PoolHost> {
 public:
  explicit Pooled(PollingType polling, PoolOptions options = {}) : ServingWith(polling) {
    host.open(*loop, options);
  }

  Worker& worker(size_t index = 0) { return *host.workers[index]; }

  // What the worker is given, until it has `count` requests.
  std::vector<Seen> taken(size_t count, size_t index = 0) {
    std::vector<Seen> all;
    until([&] {
      for (Seen& seen : worker(index).take()) all.push_back(std::move(seen));
      return all.size() >= count;
    });
    CHECK_EQ(all.size(), count);
    return all;
  }
};

const std::string kFour = "one\ntwo\nthree\nfour\n";

TEST_CASE("pipelined requests share an entry, and so do their replies") {
  test::on_each_poller([](PollingType polling) {
    Pooled serving(polling);
    serving.worker().costs(100);
    int fd = serving.connect();
    serving.send(fd, kFour);
    std::vector<Seen> seen = serving.taken(4);
    CHECK_EQ(serving.worker().entries, 1u);
    CHECK_EQ(seen[2].text, "three\n");
    serving.worker().reply(seen[0], "1234", 4);
    CHECK_EQ(serving.receive(fd, 4), "1234");
    CHECK_EQ(serving.host.pool->state(*serving.loop, 0).in_flight, 0u);
  });
}

TEST_CASE("dear requests, and those that nobody has measured, go one by one") {
  for (uint32_t cost : {0u, 1'000'000u}) {
    Pooled serving(PollingType::edge);
    serving.worker().costs(cost);
    int fd = serving.connect();
    serving.send(fd, kFour);
    serving.taken(4);
    CHECK_EQ(serving.worker().entries, 4u);
  }
}

TEST_CASE("replies leave in the order of their requests, however they come back") {
  test::on_each_poller([](PollingType polling) {
    Pooled serving(polling);
    serving.worker().costs(100);
    int fd = serving.connect();
    serving.send(fd, kFour);
    std::vector<Seen> seen = serving.taken(4);
    serving.worker().reply(seen[3], "d");
    serving.worker().reply(seen[1], "bc", 2);
    serving.turn();
    serving.worker().reply(seen[0], "a");
    CHECK_EQ(serving.receive(fd, 4), "abcd");
    CHECK_EQ(serving.loop->stats().replies, 4u);
  });
}

TEST_CASE("idempotent requests of a dead worker run again, each that it had not answered") {
  PoolOptions options;
  options.workers = 2;
  options.idempotent = true;
  Pooled serving(PollingType::edge, options);
  serving.worker(0).costs(100);
  serving.worker(1).costs(100);
  int fd = serving.connect();
  serving.send(fd, kFour);
  std::vector<Seen> seen = serving.taken(4);
  serving.worker().reply(seen[1], "2");
  serving.worker().reply(seen[3], "4");
  serving.host.pool->detach(*serving.loop, 0);
  std::vector<Seen> again = serving.taken(2, 1);
  CHECK_EQ(again[0].text, "one\n");
  CHECK_EQ(again[1].text, "three\n");
  serving.worker(1).reply(again[0], "1");
  serving.worker(1).reply(again[1], "3");
  CHECK_EQ(serving.receive(fd, 4), "1234");
}

TEST_CASE("a reply of which pieces are there is not begun anew by another worker") {
  for (size_t nth : {0, 1}) {
    PoolOptions options;
    options.workers = 2;
    options.idempotent = true;
    Pooled serving(PollingType::edge, options);
    serving.worker().costs(100);
    int fd = serving.connect();
    serving.send(fd, kFour);
    serving.worker().reply(serving.taken(4)[nth], "piece", 1, true);
    for (int i = 0; i < 3; i++) serving.turn();
    serving.host.pool->detach(*serving.loop, 0);
    CHECK_EQ(serving.receive(fd, 10), nth == 0 ? "piece" : "");
    CHECK_EQ(serving.loop->stats().closed[static_cast<unsigned>(Reason::worker_lost)], 1u);
  }
}

TEST_CASE("what a dead worker had begun ends its connection; what it never saw runs elsewhere") {
  PoolOptions options;
  options.workers = 2;
  Pooled serving(PollingType::edge, options);
  serving.worker(0).costs(100);
  serving.worker(1).costs(100);
  int begun = serving.connect();
  serving.send(begun, "begun\n");
  serving.taken(1);
  int waiting = serving.connect();
  serving.send(waiting, kFour);
  serving.until([&] { return serving.loop->stats().requests == 5; });
  serving.host.pool->detach(*serving.loop, 0);
  std::vector<Seen> seen = serving.taken(4, 1);
  CHECK_EQ(serving.worker(1).entries, 1u);
  serving.worker(1).reply(seen[0], "abcd", 4);
  CHECK_EQ(serving.receive(waiting, 4), "abcd");
  CHECK_EQ(serving.receive(begun, 1), "");
  CHECK_EQ(serving.loop->stats().closed[static_cast<unsigned>(Reason::worker_lost)], 1u);
}

TEST_CASE("what a faulty worker says of requests that it does not have is nobody's answer twice") {
  Pooled serving(PollingType::edge);
  serving.worker().costs(100);
  int fd = serving.connect();
  serving.send(fd, kFour);
  std::vector<Seen> seen = serving.taken(4);
  Seen stranger = seen[0];
  stranger.entry.ticket = 77;
  stranger.entry.slot = 4'000'000;
  serving.worker().reply(stranger, "no", 64);
  serving.worker().reply(seen[0], "1234", 4);
  serving.worker().reply(seen[0], "5678", 4);
  CHECK_EQ(serving.receive(fd, 8), "1234");
  CHECK_EQ(serving.host.pool->state(*serving.loop, 0).in_flight, 0u);
}

}  // namespace
