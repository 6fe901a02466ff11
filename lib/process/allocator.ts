// Memory of a process that is ours alone. A program that uses Gaidaros as a library keeps its own settings.

import { native } from '../native.js'

const LOOK_MS = 5_000
/** Less than this much of a core is rest. */
const REST = 0.05

/**
 * Gives free memory back to the kernel whenever the process comes to rest. Slabs, long requests and long replies come
 * and go in the C library's heap, which keeps what they leave: three times of what is in use after mixed load. It is
 * not told to map each of them by itself instead (M_MMAP_THRESHOLD): the page faults of that cost an echo a fifth of
 * its rate. Source: malloc_trim(3), mallopt(3).
 */
export function releaseMemoryAtRest(): void {
  if (native === undefined) return
  const { trimHeap } = native
  const spent = (): number => {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  let before = spent()
  let hasWorked = true
  const look = (): void => {
    const now = spent()
    const rests = now - before < REST * LOOK_MS * 1000
    before = now
    if (rests && hasWorked) trimHeap()
    hasWorked = !rests
  }
  setInterval(look, LOOK_MS).unref()
}
