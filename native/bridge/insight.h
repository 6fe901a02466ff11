// What an engine shows of itself, as JS values: its histograms, and its connections.
#pragma once

#include <napi.h>

#include "../conn/meta.h"
#include "../core/histogram.h"
#include "../loop/loop.h"

namespace gaidaros {

// { count, sum_us, max_us, buckets }: `buckets` has the number of durations under the bound that
// they are shorter than, in microseconds, where there are any (lib/engine/distribution.ts).
Napi::Object histogram_object(Napi::Env env, const Histogram& histogram);

// { remote, local, bytesIn, bytesOut, requests, credentials?, proxy? }, credentials: { pid, uid,
// gid } of a unix socket, proxy: { version, address, tlvs: { type, value }[] }.
Napi::Object info_object(Napi::Env env, const ConnectionMeta& meta, std::span<const uint8_t> facts);

// { connections, in_flight, queued_bytes, paused, list }: the first `limit` by slot, and what all
// of them have together.
Napi::Object connection_list(Napi::Env env, Loop& loop, uint32_t limit);

}  // namespace gaidaros
