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
  if (kind == "http") return make_http_framer();
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
  limits.tls_handshake_timeout = number(object, "tlsHandshakeTimeout");
  limits.inflate.max = number(object, "inflateMax");
  limits.inflate.ratio = number(object, "inflateRatio");
  limits.http.max_line = number(object, "httpMaxLine");
  limits.http.max_headers = number(object, "httpMaxHeaders");
  limits.http.max_header_count = number(object, "httpMaxHeaderCount");
  limits.http.max_body = number(object, "httpMaxBody");
  limits.http.max_chunk_extension = number(object, "httpMaxChunkExtension");
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

// { certificates: { chain, key }[], ca, clients: 'none' | 'optional' | 'required', only13, ciphers,
// alpn, tickets, ticketSecret }; text but for the secret.
std::shared_ptr<TlsContext> read_tls(const Napi::Object& object) {
  TlsSettings settings;
  auto certificates = object.Get("certificates").As<Napi::Array>();
  for (uint32_t i = 0; i < certificates.Length(); i++) {
    Napi::Object each = certificates.Get(i).As<Napi::Object>();
    settings.certificates.push_back({text(each, "chain"), text(each, "key")});
  }
  settings.ca = text(object, "ca");
  std::string clients = text(object, "clients");
  settings.clients = clients == "required"   ? ClientCertificates::required
                     : clients == "optional" ? ClientCertificates::optional
                                             : ClientCertificates::none;
  settings.only_1_3 = flag(object, "only13");
  settings.ciphers = text(object, "ciphers");
  auto alpn = object.Get("alpn").As<Napi::Array>();
  for (uint32_t i = 0; i < alpn.Length(); i++) settings.alpn.push_back(alpn.Get(i).ToString());
  settings.tickets = number(object, "tickets");
  auto secret = object.Get("ticketSecret").As<Napi::Uint8Array>();
  settings.ticket_secret.assign(reinterpret_cast<char*>(secret.Data()), secret.ByteLength());
  std::string error;
  std::shared_ptr<TlsContext> context = make_tls_context(settings, error);
  if (!context) throw Napi::Error::New(object.Env(), "TLS: " + error);
  return context;
}

// { method: 'none' | 'zlib' | 'gzip' | 'zstd' | 'brotli', level, window, memory, inflateWindow }
CompressOptions read_compress(const Napi::Object& object) {
  CompressOptions options;
  options.method = method_of(text(object, "method"));
  options.level = object.Get("level").ToNumber().Int32Value();
  options.window = number(object, "window");
  options.memory = number(object, "memory");
  options.inflate_window = number(object, "inflateWindow");
  return options;
}

LoopOptions read_options(const Napi::Object& object) {
  LoopOptions options;
  std::string polling = text(object, "pollingType");
  options.polling = polling == "completion" ? PollingType::completion
                    : polling == "level"    ? PollingType::level
                                            : PollingType::edge;
  options.messages = flag(object, "messages");
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
  options.datagrams.join = flag(object, "gso");
  options.proxy = read_proxy(object.Get("proxy").As<Napi::Object>());
  if (Napi::Value tls = object.Get("tls"); tls.IsObject()) {
    options.tls.context = read_tls(tls.As<Napi::Object>());
    options.tls.implicit = flag(tls.As<Napi::Object>(), "implicit");
  }
  options.compress = read_compress(object.Get("compress").As<Napi::Object>());
  options.framer = read_framer(object.Get("framer").As<Napi::Object>());
  return options;
}

Reason reason_of(const Napi::Value& value) {
  uint32_t number = value.ToNumber().Uint32Value();
  return number < static_cast<uint32_t>(Reason::kCount) ? static_cast<Reason>(number)
                                                        : Reason::closed;
}

}  // namespace gaidaros
