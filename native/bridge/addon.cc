// The addon's exports: Engine, probe(), codecRefusal(), vsock(), the layout that
// lib/engine/native.ts compares with its own, and what process.cc adds.

#include <gnu/libc-version.h>
#include <napi.h>
#include <uv.h>

#include "../compress/codec.h"
#include "../conn/reason.h"
#include "../loop/layout.h"
#include "../net/vsock.h"
#include "../poller/probe.h"
#include "../tls/filter.h"
#include "engine.h"
#include "process.h"
#include "workerengine.h"

namespace gaidaros {

namespace {

Napi::Value layout(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  object.Set("version", kLayoutVersion);
  object.Set("recordWords", sizeof(Record) / 4);
  object.Set("replyWords", sizeof(Reply) / 4);
  Napi::Array reasons = Napi::Array::New(env);
#define X(name) reasons.Set(static_cast<uint32_t>(Reason::name), #name);
  GAIDAROS_REASONS(X)
#undef X
  object.Set("reasons", reasons);
  return object;
}

// Reasons are empty strings where nothing stands in the way.
Napi::Value probe(const Napi::CallbackInfo& info) {
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("completion", completion_refusal());
  object.Set("sendBatching", batching_refusal());
  object.Set("tls", tls_refusal());
  object.Set("glibc", gnu_get_libc_version());
  object.Set("libuv", uv_version_string());
  return object;
}

// codecRefusal(method): may load a library, so only who wants the method asks.
Napi::Value codec_refusal_of(const Napi::CallbackInfo& info) {
  std::string name = info[0].ToString();
  return Napi::String::New(info.Env(), codec_refusal(method_of(name)));
}

// vsock(): { refusal, unreachable, cid? }; opens a socket, so only who wants it asks.
Napi::Value vsock(const Napi::CallbackInfo& info) {
  VsockProbe found = probe_vsock();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("refusal", found.refusal);
  object.Set("unreachable", found.unreachable);
  if (found.cid) object.Set("cid", *found.cid);
  return object;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // The handles are laid out by the headers of the build; another libuv would overwrite memory.
  if (uv_version() >> 16 != 1 || uv_handle_size(UV_POLL) != sizeof(uv_poll_t))
    throw Napi::Error::New(env, "built for another libuv: rebuild the addon for this Node");
  exports.Set("Engine", Engine::define(env));
  exports.Set("WorkerEngine", WorkerEngine::define(env));
  exports.Set("layout", Napi::Function::New<layout>(env));
  exports.Set("probe", Napi::Function::New<probe>(env));
  exports.Set("codecRefusal", Napi::Function::New<codec_refusal_of>(env));
  exports.Set("vsock", Napi::Function::New<vsock>(env));
  define_process(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(gaidaros, init)

}  // namespace gaidaros
