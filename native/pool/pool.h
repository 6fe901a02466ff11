// A server process's workers as its loop sees them: chooses one for each request, hands it over,
// brings the answers in, and knows what is in flight where, so that a dead worker's requests get
// their one outcome. Belongs to the loop's thread; starting and replacing workers is the host's
// business (lib/dispatch/pool).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "../loop/loop.h"
#include "channel.h"
#include "journal.h"
#include "memory.h"

namespace gaidaros {

struct PoolOptions {
  uint32_t workers = 1;
  // A connection stays with one worker: its handler looks at it, or frames its bytes.
  bool sticky = false;
  bool chunks = false;      // workers frame; what they hold of a connection ends with them
  bool one_shot = false;    // a worker takes one request and ends
  bool idempotent = false;  // requests of a dead worker run again elsewhere
  bool runs = true;         // pipelined requests may share an entry, and their replies a send
  bool logged = false;      // there is an access log
};

class Pool {
 public:
  // Null with `error` in words.
  static std::unique_ptr<Pool> make(const PoolOptions& options, std::string& error);
  ~Pool();

  int memory_fd() const { return memory_.fd(); }
  int bell() const { return bell_; }  // eventfd: a worker has something for the loop
  int worker_bell(uint32_t index) const { return members_[index].bell; }

  // A worker is ready at a place that is free; is gone; or gets no more requests.
  void attach(Loop& loop, uint32_t index);
  void detach(Loop& loop, uint32_t index);
  void retire(uint32_t index) { members_[index].retiring = true; }

  // Takes those records of a turn that workers handle. Returns how many are left, now in front.
  uint32_t dispatch(Loop& loop, Record* records, uint32_t count);
  // Gives the answers that are there to the loop. Their bytes stay until flushed(), which also
  // rings the workers that have something new: what has been answered leaves before they, who may
  // share the processor, begin.
  void collect(Loop& loop);
  bool answered() const;
  void flushed();
  // About to sleep; false: there is something to collect after all.
  bool sleep();
  void awake();

  struct WorkerState {
    bool live;
    uint32_t in_flight;
    uint32_t handler_errors;
    uint32_t cost_ns;
    uint64_t requests;
    uint32_t busy_ms;  // since when its turn runs
    uint64_t busy_ns;  // in turns that are over
    bool orphaned;     // one_shot: it has a request, whose connection is gone
  };
  WorkerState state(Loop& loop, uint32_t index);
  size_t waiting() const { return queue_.size(); }
  // Null where there is no access log.
  Journal* journal() { return journal_.get(); }

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;

  // What an entry carries: a table in front of it where it is a run, and bytes.
  struct Cargo {
    std::span<const uint8_t> table, bytes;
    uint32_t size() const { return static_cast<uint32_t>(table.size() + bytes.size()); }
    void copy_to(uint8_t* place, uint32_t from, uint32_t size) const;
    std::vector<uint8_t> copy() const;
  };
  // The requests of an entry, which a worker has.
  struct Flight {
    ConnId id;
    uint32_t sequence = 0;
    uint32_t count = 0;
    uint64_t open = 0;          // those that are not answered yet
    std::vector<uint8_t> copy;  // where they may run again: table, if they are several, and bytes
  };
  // Something for a worker that had no room, or for none yet.
  struct Item {
    Entry entry;
    std::vector<uint8_t> bytes;
    uint32_t sent = 0;
  };
  struct Member {
    Channel* channel = nullptr;
    int bell = -1;
    bool live = false;
    bool retiring = false;
    bool spent = false;  // one_shot: has had its request
    bool stuck = false;  // its turn runs for long
    uint32_t epoch = 0;
    LaneProducer out;
    LaneConsumer in;
    uint32_t collected = 0;  // entries of `in` whose bytes the loop may still refer to
    uint32_t in_flight = 0;
    uint64_t given = 0;  // requests and chunks so far, like Channel::requests_taken
    std::deque<Item> pending;
    std::vector<Flight> flights;
    std::vector<uint32_t> free_flights;
  };
  struct Home {
    uint32_t generation = 0;
    uint32_t member = kNobody;
    uint32_t epoch = 0;
  };

  explicit Pool(const PoolOptions& options)
      : options_(options), journal_(options.logged ? std::make_unique<Journal>() : nullptr) {}

  Member* home_of(ConnId id);
  void settle(ConnId id, const Member& member);
  void leave_home(ConnId id);
  Member* choose(ConnId id);
  Member* least_loaded(bool even_full);
  bool is_free(const Member& member) const;
  static uint64_t untaken(const Member& member);
  bool is_orphaned(Loop& loop, const Member& member) const;
  static uint64_t load(const Member& member);
  bool takes(const Record& record);
  void look_at_clocks();
  uint32_t longest_run() const;

  void request(Loop& loop, const Record* records, uint32_t run);
  Cargo pack(Loop& loop, const Record* records, uint32_t run);
  void assign(Loop& loop, Member& member, Entry entry, const Cargo& cargo);
  void tell(Loop& loop, Member& member, ConnId id);
  void give(Member& member, const Entry& entry, const Cargo& cargo);
  static uint32_t put(Member& member, const Entry& entry, const Cargo& cargo, uint32_t from);
  void push_pending(Member& member);
  static bool publish(Member& member);
  void give_way();
  void pump(Loop& loop);

  void collect_from(Loop& loop, Member& member, bool last);
  static uint32_t join_replies(Member& member, uint32_t first, uint32_t available, uint32_t& count,
                               std::span<const uint8_t>& bytes);
  void obey(Loop& loop, Member& member, const Entry& entry, std::span<const uint8_t> bytes);
  void watch(Loop& loop, Member& member, ConnId id);
  void acknowledge(Loop& loop, Member& member, const Entry& entry, int64_t queued);
  uint32_t take_off(Member& member, const Entry& entry, const Cargo& cargo);
  static void landed(Member& member, const Entry& entry);
  void repeat(const Flight& flight);
  uint32_t place_of(const Member& member) const {
    return static_cast<uint32_t>(&member - members_.data());
  }
  void note_record(const Record& record, uint32_t size);
  void note_answers(Loop& loop, Member& member, uint32_t first, uint32_t run);
  void requeue_untaken(Member& member);
  static bool has_begun(Loop& loop, const Flight& flight);
  void lose(Loop& loop, Member& member);

  PoolOptions options_;
  std::unique_ptr<Journal> journal_;
  PoolMemory memory_;
  int bell_ = -1;
  bool one_processor_ = false;
  std::vector<Member> members_;
  std::vector<Home> homes_;
  std::deque<Item> queue_;  // for whoever is free first
  RunItem table_[kMostInRun];
};

}  // namespace gaidaros
