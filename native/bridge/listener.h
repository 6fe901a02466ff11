// What a listening socket is to be, as JS says it.
#pragma once

#include <napi.h>

#include "../net/socket.h"

namespace gaidaros {

// { address, port, backlog, v6only, reusePort }
// Throws a TypeError when the address is not numeric.
ListenOptions read_listen_options(const Napi::Object& spec);

}  // namespace gaidaros
