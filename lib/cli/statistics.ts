// What -v tells about the traffic: a line whenever something happened in the last few seconds, and a
// summary at the end. Reads the engine's counters only; knows nothing of connections.

import type { EngineStats } from '../engine/engine.js'
import { bytes, count, duration, ratio } from './numbers.js'

/** Milliseconds between two lines. */
const INTERVAL_MS = 5000

/** The counters that never fall, from one moment to a later one. */
function since(then: EngineStats, now: EngineStats, key: 'accepted' | 'requests' | 'batches') {
  return now[key] - then[key]
}

function closedSince(
  then: EngineStats | undefined,
  now: EngineStats,
): [reason: string, n: number][] {
  const before: Partial<Record<string, number>> = then?.closed ?? {}
  return Object.entries(now.closed)
    .map(([reason, n]): [string, number] => [reason, n - (before[reason] ?? 0)])
    .filter(([, n]) => n > 0)
}

function reasons(closed: [reason: string, n: number][]): string {
  return closed.map(([reason, n]) => `${count(n)} ${reason}`).join(', ')
}

/**
 * One line about what happened between two readings of the counters.
 * @param seconds between the readings
 * @returns undefined when nothing happened
 * @example
 * trafficLine(then, now, 5) // '12 open (+3), 240 requests/s, 1.2 a batch, in 7.50 KiB/s, out 7.50 KiB/s; closed: 2 end'
 */
export function trafficLine(
  then: EngineStats,
  now: EngineStats,
  seconds: number,
): string | undefined {
  const accepted = since(then, now, 'accepted')
  const requests = since(then, now, 'requests')
  const closed = closedSince(then, now)
  const received = now.bytes_in - then.bytes_in
  if (accepted + requests + closed.length + received === 0) return undefined
  const parts = [`${count(now.active)} open${accepted > 0 ? ` (+${count(accepted)})` : ''}`]
  parts.push(`${count(requests / seconds)} requests/s`)
  if (requests > 0) parts.push(`${ratio(requests, since(then, now, 'batches'))} a batch`)
  parts.push(`in ${bytes(received / seconds)}/s`)
  parts.push(`out ${bytes((now.bytes_out - then.bytes_out) / seconds)}/s`)
  return parts.join(', ') + (closed.length > 0 ? `; closed: ${reasons(closed)}` : '')
}

/**
 * The lines printed when the server ends.
 * @param seconds the server has served
 * @example
 * summary(server.stats(), 12.5).join('\n')
 */
export function summary(stats: EngineStats, seconds: number): string[] {
  const rate = seconds > 0 ? stats.requests / seconds : 0
  const lines = [
    `served ${duration(seconds)}: ${count(stats.accepted)} connections, ${count(stats.requests)} requests (${count(rate)}/s), ${count(stats.replies)} replies`,
    `bytes: ${bytes(stats.bytes_in)} in, ${bytes(stats.bytes_out)} out`,
    `batches: ${count(stats.batches)}, ${ratio(stats.requests, stats.batches)} requests each`,
  ]
  const syscalls = Object.entries(stats.syscalls).filter(([, n]) => n > 0)
  const total = syscalls.reduce((sum, [, n]) => sum + n, 0)
  if (total > 0)
    lines.push(
      `syscalls: ${ratio(total, stats.requests)} a request (${syscalls.map(([kind, n]) => `${count(n)} ${kind}`).join(', ')})`,
    )
  lines.push(`closed: ${reasons(closedSince(undefined, stats)) || 'none'}`)
  if (stats.dropped_frames > 0)
    lines.push(`unfinished requests dropped at half-close: ${count(stats.dropped_frames)}`)
  const paused = stats.accept_paused_limit + stats.accept_paused_resources
  if (paused > 0)
    lines.push(
      `accepting paused: ${count(stats.accept_paused_limit)} for max_connections, ${count(stats.accept_paused_resources)} for want of descriptors or memory`,
    )
  return lines
}

/**
 * Calls `print` with a line every few seconds in which something happened, until stopped. Does not
 * keep the process alive.
 * @returns stops it
 */
export function watchTraffic(read: () => EngineStats, print: (line: string) => void): () => void {
  let then = structuredClone(read())
  let at = performance.now()
  const timer = setInterval(() => {
    const now = structuredClone(read())
    const moment = performance.now()
    const line = trafficLine(then, now, (moment - at) / 1000)
    then = now
    at = moment
    if (line !== undefined) print(line)
  }, INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
