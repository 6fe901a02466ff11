// A system call's failure as the JS error that lib/ reads: message, syscall, errno, code.
#pragma once

#include <napi.h>

#include "../net/socket.h"

namespace gaidaros {

Napi::Error failure_of(Napi::Env env, const SystemError& error);

// { address, family, port }
// `path`: of a unix socket.
Napi::Object address_object(Napi::Env env, const Address& address, const std::string& path = {});

}  // namespace gaidaros
