// Reads the plain object that lib/engine/native.ts makes of EngineOptions.
#pragma once

#include <napi.h>

#include "../conn/reason.h"
#include "../loop/options.h"

namespace gaidaros {

LoopOptions read_options(const Napi::Object& object);
// Throws what OpenSSL does not take.
std::shared_ptr<TlsContext> read_tls(const Napi::Object& object);
Limits read_limits(const Napi::Object& object);
std::unique_ptr<Framer> read_framer(const Napi::Object& object);
Reason reason_of(const Napi::Value& value);

}  // namespace gaidaros
