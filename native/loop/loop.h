// One event loop: its connections, its poller, and the turn that takes requests to the host and
// replies back:
//
//   poll -> receive -> filters -> frames as records -> host.turn() -> replies -> filters -> send ->
//   reap
//
// It belongs to one thread, knows nothing of JS and never blocks but in the poller. The parts stand
// in accepting.cc, intake.cc, output.cc, closing.cc and timers.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "../compress/codec_pool.h"
#include "../conn/meta.h"
#include "../conn/table.h"
#include "../core/stats.h"
#include "../core/timer_wheel.h"
#include "../net/socket.h"
#include "../poller/poller.h"
#include "datagrams.h"
#include "layout.h"
#include "options.h"

namespace gaidaros {

// Who handles requests: the JS bridge, a test, later a worker's ring.
class Host {
 public:
  virtual ~Host() = default;
  // A fresh slab of kSlabBytes. The old one is not written to again; bytes in it may be kept.
  virtual uint8_t* new_slab() = 0;
  // Memory for a frame of `size` bytes that is too long for the slab; the n-th call since
  // drop_bigs() is bigs[n]. Readable by the loop until then: turn() has returned by that time, and
  // its replies were sent.
  virtual uint8_t* new_big(uint32_t size) = 0;
  virtual void drop_bigs() {}
  // `count` records are in the table; returns when there is a reply for each, or for those that
  // Loop::hand_over() was not told of, which then stand in front. Returns how many these are.
  virtual uint32_t turn(uint32_t count) = 0;
  // Whether somebody may still refer to bytes that the last turn()'s records lie in. False: the
  // loop writes over them.
  virtual bool slab_kept() const { return true; }
  // There is output, or input to cut, although no turn is running: call turn(0) before sleeping.
  virtual void wake() = 0;
  // The loop was kept from its sockets for longer than stall_warning: by the turn() of `count`
  // records, which are still in the table; 0: by code that runs outside of turns.
  virtual void stalled(uint32_t /*count*/, uint64_t /*ns*/) {}
  // Something that an operator should know, for the log. Called while the loop is at work: it must
  // not be called back.
  virtual void warn(const std::string& /*text*/) {}
  // Where others handle requests. collect(): give their answers to the loop, in each turn after the
  // poll. flushed(): the loop refers to none of their bytes any more. answered(): there is
  // something to collect. sleep(): the turn is over, and whoever has an answer must ring from now
  // on; false: there is one already. awake(): no need to.
  virtual void collect() {}
  virtual void flushed() {}
  virtual bool answered() const { return false; }
  virtual bool sleep() { return true; }
  virtual void awake() {}
};

// The tables that a host shares with its loop; all stay where they are for the loop's life.
struct SharedMemory {
  Record* records;  // kMaxRecords
  Reply* replies;   // kMaxRecords
  uint8_t* out;     // kOutBytes
};

class Loop final : private PollerSink {
 public:
  // Null with `error` in words when the poller cannot be had.
  static std::unique_ptr<Loop> make(LoopOptions options, Host& host, SharedMemory memory,
                                    std::string& error);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Listening. listen() and adopt() give the listener's number, or -1 with `error`.
  int listen(const ListenOptions& options, SystemError& error);
  int adopt(int fd, const std::optional<SocketOptions>& options, SystemError& error);
  Address listener_address(int listener) const { return local_address(listeners_[listener].fd); }
  std::string listener_path(int listener) const { return local_path(listeners_[listener].fd); }
  void start();
  void stop_listening();
  // Accepts from a listener or leaves it alone; new ones are accepted from. What the kernel has
  // accepted for us before is served all the same. A number that listen() did not give is nobody's.
  void accept_from(int listener, bool on);
  // A connection may still be accepted.
  bool accepting() const { return poller_ && poller_->accepting(); }

  // One turn; sleeps at most `timeout_ms` (-1: no limit but its own timers) when nothing is to do.
  // True: there is more to do, call again without sleeping.
  bool turn(int timeout_ms);
  // Milliseconds until turn() must be called though the poller's descriptor is silent; -1: never.
  int next_timeout() const;
  Poller& poller() { return *poller_; }

  // Answers. Each returns the bytes that wait on the connection, -1 when it is gone.
  // `count`: requests from `sequence` on that the bytes answer.
  int64_t reply(ConnId id, uint32_t sequence, std::span<const uint8_t> bytes, uint32_t flags,
                uint32_t count = 1);
  // The same with bytes that stay until Host::flushed(). Those of several answers may be given as
  // one where takes_run() says so.
  void answer(ConnId id, uint32_t sequence, uint32_t count, std::span<const uint8_t> bytes);
  bool takes_run(ConnId id, uint32_t sequence) {
    const Connection* connection = table_.find(id);
    return connection != nullptr && connection->reply_sequence == sequence && joins_replies();
  }
  // Pieces of the reply to request `sequence` were given, and more are to come.
  bool has_begun(ConnId id, uint32_t sequence);
  // Replies may leave together; else each by itself (nodelay).
  bool joins_replies() const { return !options_.nodelay; }
  int64_t write(ConnId id, std::span<const uint8_t> bytes);
  void expect_drained(ConnId id);
  void end(ConnId id);
  void close(ConnId id, Reason reason);
  void pause(ConnId id);
  void resume(ConnId id);
  void framed(ConnId id, uint32_t count, bool partial);
  // False: it is gone, and no `closed` record is to come any more.
  bool watch(ConnId id);
  // Framer chunk: whoever frames has seen the `ended` record that was answered with `later`.
  void heard_end(ConnId id);
  // Within Host::turn(): others have the record and `count` - 1 requests behind it; what is to be
  // answered will be by call.
  void hand_over(const Record& record, uint32_t count);
  // The bytes of a record of this turn.
  std::span<const uint8_t> bytes_of(const Record& record) const;
  // Puts a filter next to the framer, behind those that are there. Bytes received and not yet
  // handed out, which those have seen, go through it; replies so far do not. False: the connection
  // is gone.
  bool insert_filter(ConnId id, std::unique_ptr<Filter> filter);
  // New connections begin with this; null: in plain, without a start_tls().
  void set_tls(std::shared_ptr<TlsContext> context) { options_.tls.context = std::move(context); }
  // TLS begins once request `sequence` is answered, which is the last that was received; none: at
  // once, with nothing in flight. False: the connection is gone, has TLS already, or there is no
  // context. Where something was received behind that request nobody can say who has sent it: the
  // connection is closed (CVE-2011-0411).
  bool start_tls(ConnId id, std::optional<uint32_t> sequence);
  // The connection, also during its closed record; null when it is gone.
  const Connection* find(ConnId id) { return table_.find(id); }
  // The same of a datagram.
  std::optional<ConnectionMeta> meta_of_datagram(ConnId id);
  // A connection, or a datagram, that can be answered; one that is known is so until its closed
  // record was delivered.
  bool is_open(ConnId id);
  bool is_known(ConnId id);
  uint32_t datagrams_in_flight() const;

  // Stops accepting, ends what is idle, lets the rest finish for `grace_ms`, then closes it.
  void begin_close(uint32_t grace_ms);
  bool finished() const {
    bool landed = !datagrams_ || (datagrams_->flights.used() == 0 && datagrams_->out.empty() &&
                                  datagrams_->rest.empty());
    return closing_ && table_.used() == 0 && landed && poller_->quiet();
  }
  // Gives back every descriptor. Afterwards only stats(), description() and calls about
  // connections, which are all gone, make sense.
  void release();

  void set_limits(const Limits& limits);
  const Stats& stats() const { return stats_; }
  uint32_t now_ms() const { return now_; }
  // Connections by slot, up to `slots()`; null where there is none that lives.
  uint32_t slots() const { return table_.slots(); }
  const Connection* at(uint32_t slot) {
    Connection& connection = table_.at(slot);
    return connection.live() ? &connection : nullptr;
  }
  // Others had the thread for so long.
  void away(uint64_t ns) { note_lag(0, ns); }
  const std::string& description() const { return description_; }

 private:
  struct Listener {
    int fd = -1;
    bool watched = false;
    bool wanted = true;  // accept_from()
    Told told{};         // of messages, where it is a socket of datagrams
  };

  // Why accepting, or receiving datagrams, is paused.
  static constexpr uint8_t kPauseLimit = 1;      // max_connections
  static constexpr uint8_t kPauseResources = 2;  // EMFILE, ENFILE, ENOBUFS, ENOMEM

  Loop(LoopOptions options, Host& host, SharedMemory memory);

  // PollerSink
  void accepted(uint16_t listener, int fd, const Address& peer) override;
  void accept_failed(uint16_t listener, int code) override;
  std::span<uint8_t> receive_space(Connection& connection) override;
  void received(Connection& connection, uint32_t count) override;
  void ended(Connection& connection) override;
  void failed(Connection& connection, int code) override;
  void sent(Connection& connection, int result) override;
  void sent_queued(Connection& connection, uint32_t count) override;
  void uncounted(Connection& connection, uint32_t in, uint32_t out) override;
  void released(Connection& connection) override;
  uint32_t readable(uint16_t listener, bool has_errors) override;
  bool full() const override { return record_count_ >= kMaxRecords || slab_full_; }
  void awake() override;

  // loop.cc
  void step();
  void deliver();
  uint32_t apply(uint32_t index, uint32_t count);
  void noticed(Connection& connection, RecordKind kind);
  void expect_answers(Connection& connection, uint32_t sequence, uint32_t count);
  uint32_t extend_run(uint32_t first, uint32_t count, std::span<const uint8_t>& bytes) const;
  std::span<const uint8_t> answer_bytes(const Record& record, const Reply& reply,
                                        uint32_t index) const;
  void push_record(RecordKind kind, const Connection& connection, uint32_t offset, uint32_t length,
                   uint32_t extra);
  void push_event(RecordKind kind, const Connection& connection, uint32_t extra);
  void reap();
  void send_answers();

  // timing.cc
  void note_lag(uint32_t count, uint64_t ns);
  void note_turn(uint64_t began, uint32_t count);
  void note_sent();
  void expect_late(Connection& connection, uint32_t sequence, uint32_t count);
  void settle_sample(Connection& connection);
  void drop_sample(Connection& connection);

  // accepting.cc
  int add_listener(int fd);
  void pause_accepting(uint8_t why);
  void resume_accepting(uint8_t why);
  void tune(int fd);
  bool admit(const Address& peer, Reason& refusal) const;
  bool believes(const Address& peer) const;
  bool has_room_for(const Address& peer) const;
  void introduced(Connection& connection);
  void announce(Connection& connection);
  void refuse(uint16_t listener, int fd, const Address& peer, Reason reason);
  void shed(uint16_t listener);
  void open_reserve();
  void count_address(const Connection& connection, int change);

  // intake.cc
  uint32_t slab_room() const { return kSlabBytes - slab_at_; }
  bool renew_slab();
  void rewind_slab();
  std::span<uint8_t> slab_space(Connection& connection);
  void take_received(Connection& connection, uint32_t count);
  void take_run(Connection& connection, uint32_t length);
  uint32_t cut(Connection& connection, std::span<const uint8_t> data, bool& stop, uint32_t& wanted,
               bool in_slab);
  uint32_t room_for(const Connection& connection) const;
  bool refuse(Connection& connection, uint16_t status);
  void expect_body(Connection& connection);
  void ask_for_body(Connection& connection);
  bool add_frame(Connection& connection, const uint8_t* data, const Frame& frame, bool in_slab);
  void add_run(Connection& connection, const uint8_t* data, std::span<const Frame> frames);
  void take_input(Connection& connection);
  void wait_for_turn(Connection& connection);
  void take_waiting();
  void come_back(Connection& connection);
  void finish_stream(Connection& connection);
  void finish_input(Connection& connection);

  // filters.cc
  Filter* append_filter(Connection& connection, std::unique_ptr<Filter> filter);
  bool decode(Connection& connection, std::span<const uint8_t> input, Filter* filter);
  void wait_with(Connection& connection, Filter& filter, std::span<const uint8_t> unused);
  void agreed(Connection& connection);
  void warm_up(Connection& connection);
  void cool_down();
  std::span<uint8_t> plain_space(Connection& connection);
  void plain_received(Connection& connection, uint32_t count);
  bool must_wait(const Connection& connection) const;
  void filter_failed(Connection& connection, Reason reason, bool said);
  void take_out(Connection& connection, Filter* filter);
  void take_plain(Connection& connection, std::span<const uint8_t> bytes);
  bool take_unused(Connection& connection);
  bool finish_filters(Connection& connection);
  void encode(Connection& connection, std::span<const uint8_t> bytes,
              const Filter* behind = nullptr);
  std::optional<std::span<const uint8_t>> code(Connection& connection,
                                               std::span<const uint8_t> bytes,
                                               const Filter* behind = nullptr);
  void end_filters(Connection& connection);

  // opening.cc
  bool add_tls(Connection& connection);
  void begin_opening(Connection& connection);
  bool must_ration(const Connection& connection) const;
  void ration(Connection& connection, std::span<const uint8_t> bytes);
  void take_rationed();
  void decode_opening(Connection& connection, std::span<const uint8_t> bytes);
  static bool has_more(const Connection& connection);
  void upgrade(Connection& connection);

  // output.cc
  struct Answering {
    uint32_t count = 1;  // requests that the bytes answer
    bool more = false;   // they are not the whole reply
    bool end = false;    // close behind it
  };
  void respond(Connection& connection, uint32_t sequence, std::span<const uint8_t> bytes,
               Answering how);
  void hold(Connection& connection, uint32_t sequence, std::span<const uint8_t> bytes,
            Answering how);
  void release_held(Connection& connection);
  void answered(Connection& connection, uint32_t count, bool end);
  void emit(Connection& connection, std::span<const uint8_t> bytes);
  void gather(Connection& connection, std::span<const uint8_t> bytes);
  void queue(Connection& connection, std::span<const uint8_t> bytes);
  void queue_plain(Connection& connection, std::span<const uint8_t> bytes);
  void encode_long(Connection& connection, std::span<const uint8_t> plain);
  void hand_over(Connection& connection, std::span<const uint8_t> bytes, bool more);
  void pass_on(Connection& connection, std::span<const uint8_t> bytes, bool more);
  void send_at_once(Connection& connection, std::span<const uint8_t> bytes);
  void check_high_water(Connection& connection);
  void check_low_water(Connection& connection);
  void mark_dirty(Connection& connection);
  void count_sent(Connection& connection, uint32_t count);
  bool code_pending(Connection& connection);
  void flush();
  void unpause(Connection& connection, uint8_t why);
  void cork(Connection& connection, bool on);

  // closing.cc
  void close(Connection& connection, Reason reason);
  void settle(Connection& connection);
  void begin_linger(Connection& connection);
  void bury(Connection& connection);
  void end_with(Connection& connection, Reason reason);
  void hear_end(Connection& connection);
  void drop_frame(Connection& connection);
  void fail(Connection& connection);
  void discount_unsent(Connection& connection);
  void give_up_requests(Connection& connection);

  // datagrams.cc
  void heed_socket(Listener& listener);
  void take_datagram(uint16_t listener, uint32_t index);
  bool takes_rest() const;
  uint32_t take_rest();
  void take_part(const Received& from, uint32_t size);
  template <class Copy>
  uint32_t begin_flight(uint16_t listener, uint32_t index, uint32_t length, const Copy& copy);
  bool inflate_datagram(std::span<const uint8_t> bytes);
  void apply_datagram(uint32_t index);
  void hand_over_datagram(const Record& record);
  bool address_reply(const Flight& flight, PeerAddress& to);
  Destination destination_of(const Flight& flight) const;
  void report_refusal();
  void send_datagram(Flight& flight, std::span<const uint8_t> bytes);
  void flush_datagrams();
  int64_t reply_datagram(ConnId id, std::span<const uint8_t> bytes, uint32_t flags);
  void end_flight(uint32_t slot, Reason reason);
  void expire_flights();

  // timers.cc
  void arm(Connection& connection);
  // When something has to happen to the connection, and what; false: nothing is pending.
  bool deadline(const Connection& connection, uint32_t& due, Reason& reason) const;
  bool has_write_timeout(const Connection& connection) const;
  uint32_t next_look(const Connection& connection, uint32_t due) const;
  void look_at_output(Connection& connection) const;
  void expire(Connection& connection);
  void tick();

  LoopOptions options_;
  Host& host_;
  SharedMemory memory_;
  Stats stats_;
  std::unique_ptr<CodecPool> codecs_;  // null: nothing is compressed
  ConnectionTable table_;
  TimerWheel wheel_;
  std::unique_ptr<Poller> poller_;
  std::unique_ptr<Datagrams> datagrams_;  // null: connections are served
  std::string description_;
  // Milliseconds. Taken whenever time may have passed: after the poller's wait, after the host's
  // turn and on each call from outside; a stamp of before would let progress count as a stall.
  uint32_t now_ = 0;

  // Records of this turn.
  uint32_t record_count_ = 0;
  std::vector<Record> events_;                    // closed and drained records that wait for a turn
  std::vector<std::span<const uint8_t>> wholes_;  // per record: the frame as it came (strip)
  std::vector<const uint8_t*> bigs_;
  std::vector<Frame> frames_;  // scratch of cut()
  bool delivering_ = false;

  // Times of requests.
  struct Sample {
    ConnId id;
    uint32_t weight;  // requests that it stands for
    uint64_t began;
  };
  uint64_t began_ = 0;         // of the turn in hand
  uint32_t answered_now_ = 0;  // requests of that turn that it has answered
  uint32_t late_ = 0;          // requests answered later since the last sample
  uint32_t sample_at_ = 1;
  std::vector<Sample> samples_;  // one of a connection at a time

  // The slab that requests lie in.
  uint8_t* slab_ = nullptr;
  uint32_t slab_at_ = kSlabBytes;
  bool slab_full_ = false;
  bool slab_kept_ = true;         // of what was handed out, something may be in use
  uint32_t joined_ = 0;           // bytes of an unfinished frame put in front of receive_space()
  bool into_input_ = false;       // receive_space() was in the connection's own buffer
  std::vector<uint8_t> scratch_;  // for filters and for lingering connections
  // Parts of handshakes that wait for a later turn.
  struct Rationed {
    ConnId id;
    std::vector<uint8_t> bytes;
  };
  std::deque<Rationed> rationed_;
  uint64_t opening_ns_ = 0;     // spent on handshakes in this turn
  std::vector<uint8_t> coded_;  // what filters have made of output, by turns with
  std::vector<uint8_t> coding_;
  std::vector<ConnId> waiting_;  // connections whose input may hold whole frames

  // Output of this turn.
  std::unique_ptr<uint8_t[]> arena_;  // pieces that do not lie side by side elsewhere
  uint32_t arena_at_ = 0;
  std::vector<ConnId> dirty_;
  std::vector<ConnId> flushing_;
  uint32_t average_reply_ = 256;
  bool copying_ = false;  // bytes given to emit() do not outlive the call

  std::vector<ConnId> graves_;  // slots to free at the end of the turn
  std::vector<Listener> listeners_;
  std::unordered_map<std::string, uint32_t> per_address_;
  bool started_ = false;
  uint8_t accept_paused_ = 0;
  uint32_t accept_resume_at_ = 0;
  std::vector<ConnId> warm_;  // their filters keep what they work with
  uint32_t cool_at_ = 0;      // while there are any
  int reserve_fd_ = -1;
  bool closing_ = false;
  uint32_t close_at_ = 0;
};

}  // namespace gaidaros
