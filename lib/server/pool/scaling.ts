// server_type proc: how many server processes the load asks for. One decision a second, from what the processes
// say of themselves; the supervisor acts upon it.

/** Share of the time that a process's loop ran or waited for a core. */
const BUSY = 0.8
const IDLE = 0.3
/** So many seconds above BUSY, below IDLE, before it counts: starting a process costs more than a short peak. */
const BUSY_FOR_S = 2
const IDLE_FOR_S = 30

/** What was seen so far; start with CALM. */
export interface Trend {
  busySeconds: number
  idleSeconds: number
}
export const CALM: Trend = { busySeconds: 0, idleSeconds: 0 }

export type Step = 'grow' | 'shrink' | 'stay'

/**
 * Decides once a second.
 * @param shares busy share of each process that accepts
 * @param most processes that may be
 * @example
 * decide([0.95], { busySeconds: 1, idleSeconds: 0 }, 4).step // 'grow'
 */
export function decide(
  shares: readonly number[],
  trend: Trend,
  most: number,
): { step: Step; trend: Trend } {
  if (shares.length === 0) return { step: 'stay', trend: CALM }
  const busySeconds = Math.max(...shares) > BUSY ? trend.busySeconds + 1 : 0
  const idleSeconds = couldShrink(shares) ? trend.idleSeconds + 1 : 0
  if (busySeconds >= BUSY_FOR_S && shares.length < most) return { step: 'grow', trend: CALM }
  if (idleSeconds >= IDLE_FOR_S && shares.length > 1) return { step: 'shrink', trend: CALM }
  return { step: 'stay', trend: { busySeconds, idleSeconds } }
}

/** One is idle, and what it does would not make the others busy. */
function couldShrink(shares: readonly number[]): boolean {
  const sum = shares.reduce((a, b) => a + b, 0)
  return Math.min(...shares) < IDLE && sum / Math.max(1, shares.length - 1) < BUSY
}
