#include "config.h"

#include <string>

namespace gaidaros {

namespace {

uint32_t number(const Napi::Object& object, const char* name) {
  double value = object.Get(name).ToNumber().DoubleValue();
  return value >= 4294967295.0 ? UINT32_MAX : static_cast<uint32_t>(value);
}

bool flag(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }
std::string text(const Napi::Object& object, const char* name) {
  return object.Get(name).ToString();
}

std::unique_ptr<Framer> read_length(const Napi::Object& object) {
  LengthSpec spec;
  std::string type = text(object, "type");
  spec.type = type == "u8"      ? LengthType::kU8
              : type == "u16be" ? LengthType::kU16be
              : type == "u16le" ? LengthType::kU16le
              : type == "u32le" ? LengthType::kU32le
                                : LengthType::kU32be;
  spec.offset = number(object, "offset");
  spec.adjust = object.Get("adjust").ToNumber().Int64Value();
  spec.inclusive = flag(object, "inclusive");
  spec.strip = flag(object, "strip");
  return make_length_framer(spec);
}

}  // namespace

std::unique_ptr<Framer> read_framer(const Napi::Object& object) {
  std::string kind = text(object, "kind");
  if (kind == "delimiter") {
    auto bytes = object.Get("delimiter").As<Napi::Uint8Array>();
    return make_delimiter_framer(
        {{bytes.Data(), bytes.ByteLength()}, flag(object, "strip"), flag(object, "cr")});
  }
  if (kind == "length") return read_length(object);
  if (kind == "varint") return make_varint_framer(flag(object, "strip"));
  if (kind == "fixed") return make_fixed_framer(number(object, "size"));
  if (kind == "eof") return make_eof_framer();
  if (kind == "chunk") return nullptr;
  throw Napi::TypeError::New(object.Env(), "unknown framer kind: " + kind);
}

Limits read_limits(const Napi::Object& object) {
  Limits limits;
  limits.max_connections = number(object, "maxConnections");
  limits.max_connections_per_ip = number(object, "maxConnectionsPerIp");
  limits.max_frame_size = number(object, "maxFrameSize");
  limits.output_high_water = number(object, "outputHighWater");
  limits.output_limit = number(object, "outputLimit");
  limits.max_pipelined = number(object, "maxPipelined");
  limits.first_byte_timeout = number(object, "firstByteTimeout");
  limits.frame_timeout = number(object, "frameTimeout");
  limits.idle_timeout = number(object, "idleTimeout");
  limits.write_timeout = number(object, "writeTimeout");
  limits.handler_timeout = number(object, "handlerTimeout");
  limits.linger_idle_timeout = number(object, "lingerIdleTimeout");
  limits.linger_timeout = number(object, "lingerTimeout");
  limits.linger_bytes = number(object, "lingerBytes");
  limits.stall_warning = number(object, "stallWarning");
  return limits;
}

// { versions: 'off' | 'v1' | 'v2' | 'auto', timeout, allow: networks }
ProxyOptions read_proxy(const Napi::Object& object) {
  ProxyOptions options;
  std::string versions = text(object, "versions");
  options.on = versions != "off";
  options.versions = versions == "v1"   ? ProxyVersions::v1
                     : versions == "v2" ? ProxyVersions::v2
                                        : ProxyVersions::either;
  options.timeout = number(object, "timeout");
  auto allow = object.Get("allow").As<Napi::Array>();
  for (uint32_t i = 0; i < allow.Length(); i++) {
    std::string name = allow.Get(i).ToString();
    std::optional<Network> network = Network::parse(name);
    if (!network) throw Napi::TypeError::New(object.Env(), "no network: " + name);
    options.allow.push_back(*network);
  }
  return options;
}

LoopOptions read_options(const Napi::Object& object) {
  LoopOptions options;
  std::string polling = text(object, "pollingType");
  options.polling = polling == "completion" ? PollingType::completion
                    : polling == "level"    ? PollingType::level
                                            : PollingType::edge;
  options.send_batching = flag(object, "sendBatching");
  options.cork = flag(object, "tcpCork");
  options.nodelay = flag(object, "tcpNodelay");
  options.disable_nagle = flag(object, "disableNagle");
  options.quick_ack = flag(object, "quickAck");
  options.want_opened = flag(object, "wantOpened");
  options.want_closed = flag(object, "wantClosed");
  options.recv_bytes = number(object, "recvSize");
  options.poll_timeout = number(object, "pollTimeout");
  options.limits = read_limits(object.Get("limits").As<Napi::Object>());
  options.datagrams.on = flag(object, "datagrams");
  options.datagrams.local = flag(object, "local");
  options.datagrams.amplification = number(object, "amplification");
  options.proxy = read_proxy(object.Get("proxy").As<Napi::Object>());
  options.framer = read_framer(object.Get("framer").As<Napi::Object>());
  return options;
}

Reason reason_of(const Napi::Value& value) {
  uint32_t number = value.ToNumber().Uint32Value();
  return number < static_cast<uint32_t>(Reason::kCount) ? static_cast<Reason>(number)
                                                        : Reason::closed;
}

}  // namespace gaidaros
