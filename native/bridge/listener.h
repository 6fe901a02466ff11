// What a listening socket is to be, as JS says it.
#pragma once

#include <napi.h>

#include "../net/socket.h"

namespace gaidaros {

// As SocketOptions of lib/engine/engine.ts; nothing where there is no object.
std::optional<SocketOptions> read_socket_options(const Napi::Value& value);
// { address, port, path, cid, backlog, v6only, reusePort, socket }: `path`, where it is a string,
// is that of a unix socket; `cid`, where it is a number, that of a vsock. Throws a TypeError when
// the address is not numeric.
ListenOptions read_listen_options(const Napi::Object& spec);

}  // namespace gaidaros
