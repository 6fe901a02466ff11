#include "failure.h"

#include <uv.h>

#include <cstring>
#include <string>

namespace gaidaros {

Napi::Error failure_of(Napi::Env env, const SystemError& error) {
  Napi::Error failure =
      Napi::Error::New(env, std::string(error.call) + ": " + std::strerror(error.code));
  failure.Set("syscall", std::string(error.call));
  failure.Set("errno", static_cast<double>(-error.code));
  failure.Set("code", std::string(uv_err_name(-error.code)));
  return failure;
}

namespace {

const char* family_of(const Address& address) {
  if (address.is_unix()) return "unix";
  if (address.is_vsock()) return "vsock";
  return address.is_v6() ? "IPv6" : "IPv4";
}

}  // namespace

Napi::Object address_object(Napi::Env env, const Address& address, const std::string& path) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", address.is_unix() ? path : address.text());
  object.Set("family", family_of(address));
  object.Set("port", address.port_number());
  return object;
}

}  // namespace gaidaros
