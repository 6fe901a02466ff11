// Buffers, timers and names of connections, each against a simple model of itself.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "conn/table.h"
#include "core/byte_queue.h"
#include "core/histogram.h"
#include "core/input_buffer.h"
#include "core/timer_wheel.h"
#include "harness.h"
#include "spec.h"

namespace {

using gaidaros::ByteQueue;
using gaidaros::Connection;
using gaidaros::ConnectionTable;
using gaidaros::ConnId;
using gaidaros::Histogram;
using gaidaros::InputBuffer;
using gaidaros::TimerNode;
using gaidaros::TimerWheel;

std::string random_bytes(std::mt19937& random, size_t most) {
  std::string bytes(random() % (most + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string text(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

TEST_CASE("a histogram's buckets join, and every duration lies in its own") {
  for (uint32_t bucket = 0; bucket + 1 < Histogram::kBuckets; bucket++) {
    uint64_t bound = Histogram::bound_of(bucket) * Histogram::kUnitNs;
    CHECK(Histogram::bucket_of(bound - 1) == bucket);
    CHECK(Histogram::bucket_of(bound) == bucket + 1);
  }
  CHECK(Histogram::bucket_of(0) == 0);
  CHECK(Histogram::bucket_of(UINT64_MAX) == Histogram::kBuckets - 1);
}

TEST_CASE("a histogram counts with weights, and knows sum and maximum") {
  Histogram histogram;
  histogram.add(1'000, 3);
  histogram.add(2'000'000);
  CHECK(histogram.count() == 4);
  CHECK(histogram.sum_ns() == 2'003'000);
  CHECK(histogram.max_ns() == 2'000'000);
  CHECK(histogram.in_bucket(Histogram::bucket_of(1'000)) == 3);
}

TEST_CASE("a byte queue gives back what was pushed, in order") {
  std::mt19937 random(1);
  ByteQueue queue;
  std::string model;
  for (int step = 0; step < 3000; step++) {
    if (random() % 2) {
      std::string bytes = random_bytes(random, step % 100 == 0 ? 600'000 : 5000);
      queue.push(test::bytes_of(bytes));
      model += bytes;
    }
    if (!model.empty()) {
      CHECK(!queue.front().empty());
      CHECK(model.starts_with(text(queue.front())));
      std::vector<uint8_t> copy(random() % (2 * model.size()));
      CHECK_EQ(queue.copy(copy), copy.size() <= model.size());
      if (copy.size() <= model.size()) CHECK(model.starts_with(text(copy)));
      size_t count = random() % (std::min<size_t>(model.size(), 20'000) + 1);
      queue.pop(count);
      model.erase(0, count);
    }
    CHECK_EQ(queue.size(), model.size());
    CHECK_EQ(queue.empty(), model.empty());
  }
  queue.pop(queue.size());
  CHECK(queue.empty());
  CHECK(queue.front().empty());
}

TEST_CASE("an input buffer keeps its bytes while it grows, shrinks and moves") {
  std::mt19937 random(2);
  InputBuffer input;
  std::string model;
  for (int step = 0; step < 3000; step++) {
    std::string bytes = random_bytes(random, 3000);
    if (random() % 2) {
      input.append(test::bytes_of(bytes));
    } else {
      auto space = input.space(static_cast<uint32_t>(bytes.size()), random() % 100'000);
      CHECK(space.size() >= bytes.size());
      std::copy(bytes.begin(), bytes.end(), space.begin());
      input.commit(static_cast<uint32_t>(bytes.size()));
    }
    model += bytes;
    auto count = static_cast<uint32_t>(random() % (model.size() + 1));
    if (random() % 4 == 0) count = static_cast<uint32_t>(model.size());
    input.consume(count);
    model.erase(0, count);
    CHECK_EQ(input.size(), model.size());
    CHECK(text(input.bytes()) == model);
  }
}

struct Wheel {
  std::map<uint32_t, TimerNode> nodes;
  TimerWheel wheel{this, [](void* owner, uint32_t slot) -> TimerNode& {
                     return static_cast<Wheel*>(owner)->nodes[slot];
                   }};
};

TEST_CASE("timers fire once, not before they are due and within a tick after") {
  for (uint32_t start : {0u, 1'000'000u, UINT32_MAX - 5000u}) {
    std::mt19937 random(start);
    Wheel wheel;
    std::map<uint32_t, uint32_t> due;  // milliseconds after the start
    uint32_t now = 0;
    wheel.wheel.advance(start, [](uint32_t) {});
    for (int step = 0; step < 4000; step++) {
      uint32_t slot = random() % 200;
      switch (random() % 4) {
        case 0:
        case 1:
          due[slot] = now + 1 + random() % 60'000;
          wheel.wheel.schedule(slot, start + due[slot]);
          break;
        case 2:
          due.erase(slot);
          wheel.wheel.cancel(slot);
          break;
        default:
          now += random() % 300;
          wheel.wheel.advance(start + now, [&](uint32_t fired) {
            CHECK(due.contains(fired));
            CHECK(due[fired] <= now);
            due.erase(fired);
          });
          for (auto& [left, when] : due) CHECK(when + TimerWheel::kTick >= now);
      }
      CHECK_EQ(wheel.wheel.scheduled(), due.size());
      CHECK_EQ(wheel.wheel.next_timeout(start + now) < 0, due.empty());
    }
  }
}

TEST_CASE("a timer that is overdue when it is scheduled fires with the next tick") {
  Wheel wheel;
  wheel.wheel.advance(100'000, [](uint32_t) {});
  wheel.wheel.schedule(1, 60'000);
  int fired = 0;
  wheel.wheel.advance(100'000 + TimerWheel::kTick, [&](uint32_t) { fired++; });
  CHECK_EQ(fired, 1);
}

TEST_CASE("a timer may schedule and cancel others while it fires") {
  Wheel wheel;
  wheel.wheel.advance(0, [](uint32_t) {});
  for (uint32_t slot = 0; slot < 3; slot++) wheel.wheel.schedule(slot, 100);
  std::set<uint32_t> fired;
  wheel.wheel.advance(200, [&](uint32_t slot) {
    fired.insert(slot);
    for (uint32_t other = 0; other < 3; other++)
      if (!fired.contains(other)) wheel.wheel.cancel(other);
    wheel.wheel.schedule(slot + 10, 5000);
  });
  CHECK_EQ(fired.size(), 1);
  CHECK_EQ(wheel.wheel.scheduled(), 1);
}

TEST_CASE("a slot's next owner is not found under its former name") {
  ConnectionTable table;
  std::set<Connection*> addresses;
  std::vector<ConnId> names;
  for (int i = 0; i < 1000; i++) {
    Connection& connection = table.acquire();
    addresses.insert(&connection);
    names.push_back(connection.id());
    CHECK(table.find(names.back()) == &connection);
  }
  CHECK_EQ(addresses.size(), 1000);
  CHECK_EQ(table.used(), 1000);
  for (ConnId id : names) table.release(*table.find(id));
  CHECK_EQ(table.used(), 0);
  for (ConnId id : names) CHECK(table.find(id) == nullptr);
  Connection& again = table.acquire();
  CHECK_EQ(again.generation, 1);
  CHECK(table.find({again.slot, 0}) == nullptr);
  CHECK(table.find({table.slots(), 0}) == nullptr);
}

}  // namespace
