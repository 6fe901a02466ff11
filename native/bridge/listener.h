// Listening sockets as JS sees them: made without an engine, by a process that only holds them, and
// addresses and failures as plain objects.
#pragma once

#include <napi.h>

#include "../net/socket.h"

namespace gaidaros {

// openListener(spec) -> { fd, address, family, port }: a bound, listening, close-on-exec socket
// that is the caller's. Throws an Error with code, errno and syscall.
Napi::Value open_listener_call(const Napi::CallbackInfo& info);

ListenOptions read_listen_options(const Napi::Object& spec);
Napi::Object address_object(Napi::Env env, const Address& address);
Napi::Error system_failure(Napi::Env env, const SystemError& error);

}  // namespace gaidaros
