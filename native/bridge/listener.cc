#include "listener.h"

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

}  // namespace gaidaros
