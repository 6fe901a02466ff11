// The generator over UDP: connected sockets with a number of datagrams in flight on each, received
// and sent in batches. One that is not answered in time is counted as lost and asked again.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "client.h"
#include "options.h"

namespace bench {

class DatagramClient {
 public:
  explicit DatagramClient(const Options& options) : options_(options) {}

  // "" or what went wrong.
  [[nodiscard]] std::string open();
  // Warms up and measures. `lost` are the requests of the measured time that nobody answered.
  void run(Result& result);

 private:
  // What is in flight, by place: the number that its answer must carry, and when it was sent.
  struct Asked {
    uint64_t number = 0;
    uint64_t sent_at_ns = 0;
    bool open = false;
  };
  struct Peer {
    int fd = -1;
    std::vector<Asked> asked;
    std::vector<uint32_t> ready;  // places to ask from
  };

  bool turn(bool measuring);
  bool receive(Peer& peer, uint64_t now_ns, bool measuring);
  void send(Peer& peer, uint64_t now_ns);
  void give_up(Peer& peer, uint64_t now_ns, bool measuring);

  const Options& options_;
  std::vector<Peer> peers_;
  std::vector<uint8_t> in_, out_, wanted_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> parts_;
  uint64_t numbers_ = 0;
  Result* result_ = nullptr;
};

}  // namespace bench
