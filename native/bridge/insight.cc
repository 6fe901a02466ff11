#include "insight.h"

#include <algorithm>
#include <string>

#include "../tls/settings.h"
#include "failure.h"

namespace gaidaros {

namespace {

// Eighths of a microsecond as JS writes such a number.
std::string bound_text(uint64_t units) {
  static constexpr const char* kEighths[] = {"",   ".125", ".25", ".375",
                                             ".5", ".625", ".75", ".875"};
  std::string text = std::to_string(units / 8);
  text += kEighths[units % 8];
  return text;
}

const char* state_name(ConnState state) {
  switch (state) {
    case ConnState::ending:
      return "ending";
    case ConnState::lingering:
      return "lingering";
    default:
      return "open";
  }
}

Napi::Object credentials_object(Napi::Env env, const Credentials& credentials) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("pid", credentials.pid);
  object.Set("uid", static_cast<double>(credentials.uid));
  object.Set("gid", static_cast<double>(credentials.gid));
  return object;
}

Napi::Object describe(Napi::Env env, const Connection& connection, uint32_t now) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("slot", connection.slot);
  object.Set("generation", connection.generation);
  ConnectionMeta meta = meta_of(connection);
  object.Set("remote", address_object(env, meta.remote, meta.remote_path));
  object.Set("local", address_object(env, meta.local, meta.local_path));
  object.Set("state", state_name(connection.state));
  object.Set("paused", connection.paused != 0);
  object.Set("age_ms", now - connection.since_ms);
  object.Set("idle_ms", now - connection.last_ms);
  object.Set("bytes_in", static_cast<double>(connection.bytes_in));
  object.Set("bytes_out", static_cast<double>(connection.bytes_out));
  object.Set("requests", connection.next_sequence);
  object.Set("in_flight", connection.in_flight());
  object.Set("queued_bytes", static_cast<double>(connection.queued()));
  return object;
}

// { protocol, cipher, resumed, alpn?, serverName?, certificate?, refusal? }
Napi::Object tls_object(Napi::Env env, std::span<const uint8_t> facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("resumed", false);
  each_tlv(facts, [&](uint8_t type, std::span<const uint8_t> value) {
    std::string text(value.begin(), value.end());
    switch (static_cast<TlsFact>(type)) {
      case TlsFact::protocol:
        return object.Set("protocol", text);
      case TlsFact::cipher:
        return object.Set("cipher", text);
      case TlsFact::alpn:
        return object.Set("alpn", text);
      case TlsFact::server_name:
        return object.Set("serverName", text);
      case TlsFact::resumed:
        return object.Set("resumed", true);
      case TlsFact::certificate:
        return object.Set("certificate",
                          Napi::Buffer<uint8_t>::Copy(env, value.data(), value.size()));
      case TlsFact::refusal:
        return object.Set("refusal", text);
    }
    return false;
  });
  return object;
}

}  // namespace

Napi::Object info_object(Napi::Env env, const ConnectionMeta& meta,
                         std::span<const uint8_t> facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("remote", address_object(env, meta.remote, meta.remote_path));
  object.Set("local", address_object(env, meta.local, meta.local_path));
  object.Set("bytesIn", static_cast<double>(meta.bytes_in));
  object.Set("bytesOut", static_cast<double>(meta.bytes_out));
  object.Set("requests", static_cast<double>(meta.requests));
  if (meta.remote.is_unix()) object.Set("credentials", credentials_object(env, meta.credentials));
  auto tlvs = facts.first(std::min<size_t>(meta.proxy_bytes, facts.size()));
  if (tlvs.size() < facts.size()) object.Set("tls", tls_object(env, facts.subspan(tlvs.size())));
  if (meta.proxy_version == 0) return object;
  Napi::Array list = Napi::Array::New(env);
  each_tlv(tlvs, [&](uint8_t type, std::span<const uint8_t> value) {
    Napi::Object tlv = Napi::Object::New(env);
    tlv.Set("type", type);
    tlv.Set("value", Napi::Buffer<uint8_t>::Copy(env, value.data(), value.size()));
    list.Set(list.Length(), tlv);
  });
  Napi::Object proxy = Napi::Object::New(env);
  proxy.Set("version", meta.proxy_version);
  proxy.Set("address", address_object(env, meta.proxy));
  proxy.Set("tlvs", list);
  object.Set("proxy", proxy);
  return object;
}

Napi::Object histogram_object(Napi::Env env, const Histogram& histogram) {
  Napi::Object buckets = Napi::Object::New(env);
  for (uint32_t i = 0; i < Histogram::kBuckets; i++)
    if (uint64_t count = histogram.in_bucket(i); count > 0)
      buckets.Set(bound_text(Histogram::bound_of(i)), static_cast<double>(count));
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", static_cast<double>(histogram.count()));
  object.Set("sum_us", static_cast<double>(histogram.sum_ns()) / 1e3);
  object.Set("max_us", static_cast<double>(histogram.max_ns()) / 1e3);
  object.Set("buckets", buckets);
  return object;
}

Napi::Object connection_list(Napi::Env env, Loop& loop, uint32_t limit) {
  Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  uint32_t paused = 0;
  double in_flight = 0;
  double queued = 0;
  for (uint32_t slot = 0; slot < loop.slots(); slot++) {
    const Connection* connection = loop.at(slot);
    if (connection == nullptr) continue;
    if (count++ < limit) list.Set(list.Length(), describe(env, *connection, loop.now_ms()));
    if (connection->paused != 0) paused++;
    in_flight += connection->in_flight();
    queued += static_cast<double>(connection->queued());
  }
  Napi::Object object = Napi::Object::New(env);
  uint32_t datagrams = loop.datagrams_in_flight();
  object.Set("connections", count + datagrams);
  object.Set("in_flight", in_flight + datagrams);
  object.Set("queued_bytes", queued);
  object.Set("paused", paused);
  object.Set("list", list);
  return object;
}

}  // namespace gaidaros
