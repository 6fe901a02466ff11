// The only place that makes sockets and sets their options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "address.h"
#include "socket_options.h"

namespace gaidaros {

// A system call that failed: which one and with what errno. `call` null: it did not fail.
struct SystemError {
  const char* call = nullptr;
  int code = 0;
  explicit operator bool() const { return call != nullptr; }
};

struct ListenOptions {
  Address address;
  std::string path;  // a unix socket's, instead of the address; @ stands for the abstract namespace
  int backlog = 511;
  bool messages = false;  // with a path: SOCK_SEQPACKET
  bool v6only = false;
  bool reuseport = false;  // SO_REUSEPORT: the kernel spreads connections over several such sockets
  SocketOptions socket;
};

// A bound, listening, non-blocking socket of streams or messages, or -1 with `error` set. A path
// comes into being with mode 0600, whatever the umask.
int open_listener(const ListenOptions& options, SystemError& error);
// Takes over a descriptor that is listening already. Without options it stays as its maker wanted
// it.
bool adopt_listener(int fd, const std::optional<SocketOptions>& options, SystemError& error);

// The same for datagrams: a bound, non-blocking UDP socket, or a unix one where there is a path,
// which asks for its senders' credentials.
int open_datagram_socket(const ListenOptions& options, SystemError& error);
bool adopt_datagram_socket(int fd, const std::optional<SocketOptions>& options, SystemError& error);

Address local_address(int fd);
Address peer_address(int fd);
// The path that a unix socket is bound to, or that its peer is; @ stands for the abstract
// namespace. Empty: none, as most clients are.
std::string local_path(int fd);
std::string peer_path(int fd);

// Who has connected to a unix socket, as the kernel knows since then (unix(7), SO_PEERCRED).
struct Credentials {
  int32_t pid = 0;  // 0: unknown, or of another namespace
  uint32_t uid = 0;
  uint32_t gid = 0;
};
Credentials peer_credentials(int fd);

// Unix sockets do not inherit the size of their send buffer, which no message can be longer than.
void inherit_send_buffer(int fd, int listener);

bool set_nodelay(int fd);
// Acknowledge at once, until the kernel thinks better of it (tcp(7), TCP_QUICKACK).
void set_quickack(int fd);
// TCP_CORK: on holds partial segments back, off sends them (tcp(7)).
bool set_cork(int fd, bool on);
// Bytes that were sent and that the peer's kernel does not have, or of a unix socket that its peer
// has not read (tcp(7), SIOCOUTQ); 0 where the kernel does not say.
uint32_t unacknowledged(int fd);

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
