// What an operator may ask of the kernel for listening sockets and, by inheritance, for the
// connections that they accept. 0, empty or false leave the kernel's own choice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "address.h"

namespace gaidaros {

struct SystemError;

// What a kernel may lack: `automatic` is content without.
enum class Wish : uint8_t { off, automatic, on };

struct SocketOptions {
  uint32_t send_buffer = 0;  // bytes, as asked for: the kernel doubles them (socket(7))
  uint32_t receive_buffer = 0;
  std::string interface;
  uint32_t mark = 0;
  uint32_t dscp = 0;
  uint32_t busy_poll = 0;  // microseconds
  int incoming_cpu = -1;
  uint32_t keepalive_idle = 60'000;  // milliseconds; 0: no probes
  uint32_t keepalive_interval = 10'000;
  uint32_t keepalive_count = 3;
  uint32_t user_timeout = 30'000;  // milliseconds
  uint32_t fast_open = 0;          // length of its queue
  uint32_t defer_accept = 0;       // milliseconds
  bool multipath = false;
  bool broadcast = false;
  Wish pktinfo =
      Wish::automatic;   // which address datagrams were sent to; automatic: if it is bound to all
  Wish gro = Wish::off;  // several datagrams as one message
  Wish gso = Wish::off;  // which it takes, too; it is the sender that makes them
  std::vector<Address> multicast;  // groups to join, of the socket's family
};

// Before bind(), on a socket that is or will be bound to `address`. False: the kernel refuses what
// `error` names.
bool set_socket_options(int fd, const Address& address, const SocketOptions& options,
                        SystemError& error);

}  // namespace gaidaros
