// What of the portable engine's connections an operator is shown.

import type { ConnectionList, ConnectionState } from '../engine.js'
import type { Connection } from './connection.js'

/** What lives of them: their levels, and the first `limit` by themselves. */
export function listConnections(table: Iterable<Connection>, limit: number): ConnectionList {
  const list: ConnectionList = {
    connections: 0,
    in_flight: 0,
    queued_bytes: 0,
    paused: 0,
    list: [],
  }
  for (const connection of table) {
    if (connection.dead) continue
    if (list.connections++ < limit) list.list.push(describe(connection, performance.now()))
    list.in_flight += connection.pipeline.inFlight
    list.queued_bytes += connection.queued
    if (isPaused(connection)) list.paused++
  }
  return list
}

const isPaused = ({ paused, blocked, stalled }: Connection): boolean => paused || blocked || stalled

function describe(connection: Connection, now: number): ConnectionState {
  const { slot, generation, remote, local, closing, ending, pipeline, info } = connection
  const open = ending === undefined ? 'open' : 'ending'
  return {
    slot,
    generation,
    remote,
    local,
    state: closing === undefined ? open : 'lingering',
    paused: isPaused(connection),
    age_ms: Math.round(now - connection.acceptedAt),
    idle_ms: connection.touched ? 0 : Math.max(0, Math.round(now - connection.idleAt)),
    bytes_in: info.bytesIn,
    bytes_out: info.bytesOut,
    requests: info.requests,
    in_flight: pipeline.inFlight,
    queued_bytes: connection.queued,
  }
}
