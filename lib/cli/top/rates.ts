// What happened between two snapshots, a second.

import type { ProcessSnapshot, Snapshot } from '../../control/snapshot.js'
import { emptyStats } from '../../engine/counters.js'
import { between, type Distribution, noDurations } from '../../engine/distribution.js'
import { sum } from '../numbers.js'

const COUNTERS = [
  'requests',
  'replies',
  'accepted',
  'bytes_in',
  'bytes_out',
  'handler_errors',
  'turns',
] as const
type Counter = (typeof COUNTERS)[number]

export interface Rates extends Record<Counter, number> {
  /** Records of a batch, system calls of a request; NaN: there were none, or they are not counted. */
  batch: number
  syscalls: number
  latency: Distribution
  lag: Distribution
  /** Closed connections a second, by reason, those that there were. */
  closed: readonly (readonly [reason: string, rate: number])[]
}

export interface ProcessRates {
  requests: number
  /** 0 to 1. */
  busy: number
  latency: Distribution
  lag: Distribution
  /** Share of the time that each handler worker was in a turn. */
  handlers: ReadonlyMap<string, { busy: number; requests: number }>
}

/** Of the server. @param before of the same server, earlier */
export function ratesOf(before: Snapshot, now: Snapshot): Rates {
  const seconds = Math.max(1e-3, now.time - before.time)
  const [then, total] = [before.total, now.total]
  const rate = (a: number, b: number): number => Math.max(0, b - a) / seconds
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, rate(then[name], total[name])]))
  const calls = sum(total.syscalls) - sum(then.syscalls)
  const requests = total.requests - then.requests
  return {
    ...(counters as Record<Counter, number>),
    batch: (total.records - then.records) / (total.batches - then.batches),
    syscalls: Object.keys(total.syscalls).length === 0 ? Number.NaN : calls / requests,
    latency: between(then.latency, total.latency),
    lag: between(then.lag, total.lag),
    closed: Object.entries(total.closed)
      .map(
        ([reason, n]) =>
          [reason, rate(then.closed[reason as keyof typeof then.closed], n)] as const,
      )
      .filter(([, perSecond]) => perSecond > 0)
      .sort(([, a], [, b]) => b - a),
  }
}

/** Of one server process. @param before of the same process; undefined: it is new */
export function processRates(
  before: ProcessSnapshot | undefined,
  now: ProcessSnapshot,
  seconds: number,
): ProcessRates {
  const then = before?.stats ?? { ...emptyStats(), requests: now.stats?.requests ?? 0 }
  const stats = now.stats ?? then
  const busy = (now.busy_seconds ?? Number.NaN) - (before?.busy_seconds ?? Number.NaN)
  const handlers = (now.handlers ?? []).map((each) => {
    const earlier = before?.handlers?.find(({ id }) => id === each.id)
    const spent = each.busy_seconds - (earlier?.busy_seconds ?? 0)
    return [
      each.id,
      {
        busy: Math.min(1, Math.max(0, spent / seconds)),
        requests: (each.requests - (earlier?.requests ?? 0)) / seconds,
      },
    ] as const
  })
  return {
    requests: Math.max(0, stats.requests - then.requests) / seconds,
    busy: Number.isNaN(busy) ? now.busy : Math.min(1, busy / seconds),
    latency: before?.stats ? between(then.latency, stats.latency) : noDurations(),
    lag: before?.stats ? between(then.lag, stats.lag) : noDurations(),
    handlers: new Map(handlers),
  }
}
