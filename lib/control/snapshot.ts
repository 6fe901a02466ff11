// A server at one moment: what `stats` answers, what gaidaros top draws and what the metrics are made of.

import type { HandlerWorker } from '../dispatch/pool/pool.js'
import type { Levels } from '../engine/engine.js'
import type { Inspected, Inspection, ProcessInsight } from '../server/inspection.js'
import { type ServerStats, sumStats } from '../server/stats.js'

/** What a server is. */
export interface Identity {
  /** Of the process that the command started. */
  pid: number
  version: string
  state: 'starting' | 'serving' | 'stopping'
  /** When it began to serve, seconds since 1970, and how long ago; 0: it does not serve yet. */
  started: number
  uptime: number
  server_type: string
  engine: string
  addresses: readonly string[]
}

export interface ServerLevels extends Levels {
  /** Requests that wait for a handler worker. */
  waiting: number
}

/** One server process. */
export interface ProcessSnapshot
  extends Pick<Inspected, 'slot' | 'pid' | 'generation' | 'state' | 'busy' | 'restarts'> {
  /** Why it gave no answer; `stats` are then what it said last, and the rest is absent. */
  error?: string
  stats?: ServerStats
  levels?: ServerLevels
  handlers?: readonly HandlerWorker[]
  uptime?: number
  busy_seconds?: number | undefined
  rss_bytes?: number
}

export interface Snapshot extends Identity {
  /** Seconds since 1970. */
  time: number
  /** Of all processes, those that are gone included. */
  total: ServerStats
  levels: ServerLevels
  /** Processes that gave no answer. */
  silent: number
  processes: readonly ProcessSnapshot[]
}

/** Puts the answers to `stats` together. */
export function snapshotOf(
  identity: Identity,
  { processes: inspected, departed }: Inspection,
  dropped: number,
): Snapshot {
  const processes = inspected.map(processOf)
  const known = processes.flatMap(({ stats }) => (stats === undefined ? [] : [stats]))
  const total = sumStats([departed, ...known])
  return {
    ...identity,
    time: Date.now() / 1000,
    total: { ...total, log_dropped: total.log_dropped + dropped },
    levels: sumLevels(processes),
    silent: processes.filter(({ error }) => error !== undefined).length,
    processes,
  }
}

function processOf({ answer, error, last, ...rest }: Inspected): ProcessSnapshot {
  if (answer === undefined || !('stats' in answer))
    return {
      ...rest,
      error: error ?? 'no answer',
      ...(last !== undefined && { stats: last }),
    }
  const { levels, waiting, ...insight } = answer satisfies ProcessInsight
  return { ...rest, ...insight, levels: { ...levels, waiting } }
}

function sumLevels(processes: readonly ProcessSnapshot[]): ServerLevels {
  const sum = { connections: 0, in_flight: 0, queued_bytes: 0, paused: 0, waiting: 0 }
  for (const { levels } of processes)
    if (levels !== undefined)
      for (const name of Object.keys(sum) as (keyof ServerLevels)[]) sum[name] += levels[name]
  return sum
}
