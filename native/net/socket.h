// The only place that makes sockets and sets their options.
#pragma once

#include <cstdint>

#include "address.h"

namespace gaidaros {

// A system call that failed: which one and with what errno. `call` null: it did not fail.
struct SystemError {
  const char* call = nullptr;
  int code = 0;
  explicit operator bool() const { return call != nullptr; }
};

struct ListenOptions {
  Address address;
  int backlog = 511;
  bool v6only = false;
  bool reuseport = false;  // SO_REUSEPORT: the kernel spreads connections over several such sockets
};

// A bound, listening, non-blocking TCP socket, or -1 with `error` set.
int open_listener(const ListenOptions& options, SystemError& error);
// Takes over a descriptor that is listening already.
bool adopt_listener(int fd, SystemError& error);

Address local_address(int fd);
Address peer_address(int fd);

bool set_nodelay(int fd);
// TCP_CORK: on holds partial segments back, off sends them (tcp(7)).
bool set_cork(int fd, bool on);
// The next close() sends RST and forgets unsent output (socket(7), SO_LINGER).
void reset_on_close(int fd);
// The error that the socket has pending, and clears it.
int take_error(int fd);

// What to do after accept() failed with `code` (accept(2), "Error handling").
enum class AcceptAction : uint8_t { stop, next, pause };
AcceptAction classify_accept_error(int code);

// recv() or send() failed because the peer reset the connection or is gone.
bool is_reset(int code);

}  // namespace gaidaros
