// What server.stats() returns: the engine's counters and the server's own.

import type { EngineStats } from '../engine/engine.js'
import { type CloseReason, REASONS } from '../engine/reasons.js'

export interface ServerStats extends EngineStats {
  /** Errors of the handler: throws, rejections, replies of a wrong type, requests never answered. */
  handler_errors: number
  /** Workers (handler_type) that ended without being asked. */
  workers_lost: number
  /** Lines of the logs that were dropped because their target took none. */
  log_dropped: number
}

/** All zero: a server that never served. */
export function emptyStats(): EngineStats {
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
    syscalls: {},
    closed: Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<CloseReason, number>,
  }
}
