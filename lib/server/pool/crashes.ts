// Deaths of the processes in one slot: how long to wait before the next one, and when to give up.

const WINDOW_MS = 60_000
/** More than so many deaths in the window are a crash loop. */
const MOST = 5
const FIRST_MS = 100
const LONGEST_MS = 30_000
/** Who served so long was in order: its end is no sign of a loop. */
const PROVEN_MS = 5_000

/** How a process ended. */
export interface Death {
  /** Milliseconds that it had served; undefined: it never was ready. */
  servedMs: number | undefined
  signal: NodeJS.Signals | null
}

/**
 * True when the next process may come at once: this one had been serving. SIGKILL comes from outside (an operator,
 * the kernel out of memory) and says nothing about what the process would do again.
 */
export function hadServed({ servedMs, signal }: Death): boolean {
  return servedMs !== undefined && (servedMs >= PROVEN_MS || signal === 'SIGKILL')
}

export class Crashes {
  readonly #random: () => number
  #deaths: number[] = []

  /** @param random for the jitter, 0 to 1 */
  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /**
   * Counts a death.
   * @param now milliseconds
   * @returns milliseconds until the next process may start; undefined: too many, give up
   */
  record(death: Death, now: number): number | undefined {
    if (hadServed(death)) return 0
    this.#deaths = [...this.#deaths.filter((at) => now - at < WINDOW_MS), now]
    const count = this.#deaths.length
    if (count > MOST) return undefined
    // Half to the whole of it, so that the processes of a pool do not come back all at the same moment.
    const delay = Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1))
    return delay * (0.5 + this.#random() / 2)
  }

  /** Deaths within the last minute. */
  get count(): number {
    return this.#deaths.length
  }
}
