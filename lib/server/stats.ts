// What server.stats() returns: the engine's counters and the server's own.

import { emptyStats } from '../engine/counters.js'
import type { EngineStats } from '../engine/engine.js'

export interface ServerStats extends EngineStats {
  /** Errors of the handler: throws, rejections, replies of a wrong type, requests never answered. */
  handler_errors: number
  /** Workers (handler_type) that ended without being asked. */
  workers_lost: number
  /** Lines of the logs that were dropped because their target took none. */
  log_dropped: number
  /** Where several processes serve: what each of them is and has done. */
  processes?: readonly ProcessStats[]
}

/** One server process of a pool. */
export interface ProcessStats {
  pid: number
  slot: number
  /** Counts reloads, from 1. */
  generation: number
  state: 'starting' | 'ready' | 'retiring' | 'stopping' | 'gone'
  /** Share of the last second or so that its loop was busy, 0 to 1. */
  busy: number
  accepted: number
  active: number
  requests: number
}

/** Counters of several processes as of one. Levels and counters are added alike. */
export function sumStats(all: readonly ServerStats[]): ServerStats {
  const sum = noStats()
  for (const each of all) addNumbers(sum as unknown as Tree, each as unknown as Tree)
  return sum
}

/** What a process leaves behind when it is gone: its counters, and none of its levels. */
export const legacy = (stats: ServerStats): ServerStats => ({ ...stats, active: 0 })

interface Tree {
  [name: string]: number | Tree
}

function addNumbers(to: Tree, from: Tree): void {
  for (const [name, value] of Object.entries(from)) {
    const before = to[name]
    if (typeof value === 'number')
      to[name] = add(name, typeof before === 'number' ? before : 0, value)
    else if (!Array.isArray(value)) {
      const branch = { ...(to[name] as Tree | undefined) }
      to[name] = branch
      addNumbers(branch, value)
    }
  }
}

const add = (name: string, a: number, b: number): number =>
  name === 'max_us' ? Math.max(a, b) : a + b

/** All zero: a server that never served. */
export const noStats = (): ServerStats => ({
  ...emptyStats(),
  handler_errors: 0,
  workers_lost: 0,
  log_dropped: 0,
})
