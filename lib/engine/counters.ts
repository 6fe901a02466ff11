// The statistics of an engine that has not served.

import { noDurations } from './distribution.js'
import type { EngineStats } from './engine.js'
import { type CloseReason, REASONS } from './reasons.js'

/** All counters at zero. */
export function emptyStats(): EngineStats {
  const closed = Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<
    CloseReason,
    number
  >
  return {
    accepted: 0,
    active: 0,
    requests: 0,
    replies: 0,
    bytes_in: 0,
    bytes_out: 0,
    batches: 0,
    records: 0,
    dropped_frames: 0,
    accept_paused_limit: 0,
    accept_paused_resources: 0,
    accept_errors: 0,
    turns: 0,
    datagrams_cut: 0,
    datagrams_multipart: 0,
    datagrams_held_back: 0,
    datagrams_unsent: 0,
    icmp_errors: 0,
    tls_handshakes: 0,
    tls_resumed: 0,
    tls_failed: 0,
    compressed_bytes_in: 0,
    compressed_bytes_out: 0,
    datagrams_corrupt: 0,
    syscalls: {},
    closed,
    latency: noDurations(),
    lag: noDurations(),
  }
}
