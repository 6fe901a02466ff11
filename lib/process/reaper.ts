// Process 1 of a container inherits every orphan; one that nobody waits for stays a zombie and keeps its number for
// ever. libuv waits for its own children by number and leaves all others alone, so these are waited for here.

import type { ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { native } from '../native.js'
import { processes, processState } from './proc.js'

/** A child of a worker thread is not known here: whoever waits for it is given this long. */
const PATIENCE_MS = 1000
const CHANNEL = 'child_process'

/**
 * Reaps orphans until the returned function is called. Children that this thread started are never touched, those of
 * other threads only when nobody has waited for them for a second. Does not keep the process alive.
 * @example
 * if (process.pid === 1) reapOrphans()
 */
export function reapOrphans(): () => void {
  if (native === undefined) return () => undefined
  const { reap } = native
  const own = new Set<ChildProcess>()
  const seen = new Map<number, number>()
  let timer: NodeJS.Timeout | undefined

  const started = (message: unknown): void => {
    const child = (message as { process: ChildProcess }).process
    own.add(child)
    child.once('exit', () => own.delete(child)).once('error', () => own.delete(child))
  }
  const zombies = (): number[] => {
    const mine = new Set([...own].map((child) => child.pid))
    return processes().filter((pid) => {
      const found = processState(pid)
      return found?.state === 'Z' && found.parent === process.pid && !mine.has(pid)
    })
  }
  const sweep = (): void => {
    timer = undefined
    const now = performance.now()
    const waiting = zombies().filter((pid) => {
      const since = seen.get(pid) ?? now
      return now - since < PATIENCE_MS || !reap(pid)
    })
    const times = waiting.map((pid) => [pid, seen.get(pid) ?? now] as const)
    seen.clear()
    for (const [pid, since] of times) seen.set(pid, since)
    if (waiting.length > 0) later(PATIENCE_MS)
  }
  const later = (ms: number): void => {
    timer ??= setTimeout(sweep, ms).unref()
  }
  const died = (): void => later(0)

  subscribe(CHANNEL, started)
  process.on('SIGCHLD', died)
  died()
  return () => {
    unsubscribe(CHANNEL, started)
    process.off('SIGCHLD', died)
    clearTimeout(timer)
  }
}
