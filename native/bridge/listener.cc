#include "listener.h"

#include <string>

namespace gaidaros {

namespace {

uint32_t number(const Napi::Object& object, const char* name) {
  return object.Get(name).ToNumber().Uint32Value();
}

Wish wish(const Napi::Object& object, const char* name) {
  std::string value = object.Get(name).ToString();
  return value == "on" ? Wish::on : value == "auto" ? Wish::automatic : Wish::off;
}

}  // namespace

std::optional<SocketOptions> read_socket_options(const Napi::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  SocketOptions options;
  Napi::Object object = value.As<Napi::Object>();
  options.send_buffer = number(object, "sendBuffer");
  options.receive_buffer = number(object, "receiveBuffer");
  options.interface = object.Get("interface").ToString();
  options.mark = number(object, "mark");
  options.dscp = number(object, "dscp");
  options.busy_poll = number(object, "busyPoll");
  options.incoming_cpu = object.Get("incomingCpu").ToNumber().Int32Value();
  options.keepalive_idle = number(object, "keepaliveIdle");
  options.keepalive_interval = number(object, "keepaliveInterval");
  options.keepalive_count = number(object, "keepaliveCount");
  options.user_timeout = number(object, "userTimeout");
  options.fast_open = number(object, "fastOpen");
  options.defer_accept = number(object, "deferAccept");
  options.broadcast = object.Get("broadcast").ToBoolean();
  options.pktinfo = wish(object, "pktinfo");
  options.gro = wish(object, "gro");
  options.gso = wish(object, "gso");
  auto groups = object.Get("multicast").As<Napi::Array>();
  for (uint32_t i = 0; i < groups.Length(); i++)
    if (auto group = Address::parse(groups.Get(i).ToString(), 0))
      options.multicast.push_back(*group);
  options.multipath = object.Get("multipath").ToBoolean();
  return options;
}

ListenOptions read_listen_options(const Napi::Object& spec) {
  ListenOptions options;
  options.backlog = spec.Get("backlog").ToNumber().Int32Value();
  options.socket = read_socket_options(spec.Get("socket")).value_or(SocketOptions{});
  Napi::Value path = spec.Get("path");
  if (path.IsString()) {
    options.path = path.ToString();
    options.messages = spec.Get("messages").ToBoolean();
    return options;
  }
  uint32_t port = number(spec, "port");
  if (spec.Get("cid").IsNumber()) {
    options.address = Address::vsock(number(spec, "cid"), port);
    return options;
  }
  auto address = Address::parse(spec.Get("address").ToString(), static_cast<uint16_t>(port));
  if (!address)
    throw Napi::TypeError::New(
        spec.Env(), "not a numeric address: " + spec.Get("address").ToString().Utf8Value());
  options.address = *address;
  options.v6only = spec.Get("v6only").ToBoolean();
  options.reuseport = spec.Get("reusePort").ToBoolean();
  return options;
}

}  // namespace gaidaros
