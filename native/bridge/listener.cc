#include "listener.h"

#include <uv.h>

#include <cstring>
#include <string>

namespace gaidaros {

ListenOptions read_listen_options(const Napi::Object& spec) {
  auto port = static_cast<uint16_t>(spec.Get("port").ToNumber().Uint32Value());
  auto address = Address::parse(spec.Get("address").ToString(), port);
  if (!address)
    throw Napi::TypeError::New(
        spec.Env(), "not a numeric address: " + spec.Get("address").ToString().Utf8Value());
  ListenOptions options;
  options.address = *address;
  options.backlog = spec.Get("backlog").ToNumber().Int32Value();
  options.v6only = spec.Get("v6only").ToBoolean();
  options.reuseport = spec.Get("reusePort").ToBoolean();
  return options;
}

Napi::Object address_object(Napi::Env env, const Address& address) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", address.text());
  object.Set("family", address.is_v6() ? "IPv6" : "IPv4");
  object.Set("port", address.port);
  return object;
}

Napi::Error system_failure(Napi::Env env, const SystemError& error) {
  Napi::Error failure =
      Napi::Error::New(env, std::string(error.call) + ": " + std::strerror(error.code));
  failure.Set("syscall", std::string(error.call));
  failure.Set("errno", static_cast<double>(-error.code));
  failure.Set("code", std::string(uv_err_name(-error.code)));
  return failure;
}

Napi::Value open_listener_call(const Napi::CallbackInfo& info) {
  SystemError error;
  int fd = open_listener(read_listen_options(info[0].As<Napi::Object>()), error);
  if (fd < 0) throw system_failure(info.Env(), error);
  Napi::Object result = address_object(info.Env(), local_address(fd));
  result.Set("fd", fd);
  return result;
}

}  // namespace gaidaros
