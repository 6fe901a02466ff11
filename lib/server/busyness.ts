// How busy this process's loop is: the share of the time in which its main thread ran or waited for a core. The
// kernel counts both; node's own event loop utilization does not know that the native engine sleeps in its own
// poller, and CPU time alone would call a process idle that its neighbours starve.

import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

/** Milliseconds that the main thread ran or wanted to run; undefined where the kernel does not say. */
function wanted(): number | undefined {
  try {
    const [ran, waited] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number)
    return ran === undefined || waited === undefined ? undefined : (ran + waited) / 1e6
  } catch {
    return undefined
  }
}

export class Busyness {
  #at = performance.now()
  #wanted = wanted()
  #loop = performance.eventLoopUtilization()

  /** Since the process was started; undefined where the kernel does not say. */
  static seconds(): number | undefined {
    const ms = wanted()
    return ms === undefined ? undefined : ms / 1000
  }

  /** 0 to 1, since the last call. */
  share(): number {
    const now = performance.now()
    const ms = wanted()
    const loop = performance.eventLoopUtilization()
    const share =
      ms === undefined || this.#wanted === undefined
        ? performance.eventLoopUtilization(loop, this.#loop).utilization
        : (ms - this.#wanted) / Math.max(1, now - this.#at)
    this.#at = now
    this.#wanted = ms
    this.#loop = loop
    return Math.min(1, Math.max(0, share))
  }
}
