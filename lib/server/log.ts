// What the server itself logs with: a Logger, and lines of one kind limited in their rate, so that a
// thousand bad peers a second do not fill a disk.

import type { LogFields, Logger, LogLevel } from './logger.js'

/** Lines of one kind in one window of time. */
const BURST = 10
const WINDOW_MS = 1000

interface Rate {
  since: number
  lines: number
  withheld: number
}

export class Log {
  /** Replaced when its level changes. */
  logger: Logger
  readonly #rates = new Map<string, Rate>()
  readonly #now: () => number

  /** @param now milliseconds; only differences count */
  constructor(logger: Logger, now: () => number = performance.now.bind(performance)) {
    this.logger = logger
    this.#now = now
  }

  /** Logs unless ten lines of this `kind` stand in this second; the next line says how many were left out. */
  limited(kind: string, level: LogLevel, message: string, fields: LogFields): void {
    const rate = this.#rate(kind)
    if (rate.lines >= BURST) {
      rate.withheld++
      return
    }
    rate.lines++
    const more = rate.withheld > 0 ? { withheld: rate.withheld } : undefined
    rate.withheld = 0
    this.logger[level](message, more ? { ...fields, ...more } : fields)
  }

  #rate(kind: string): Rate {
    const now = this.#now()
    let rate = this.#rates.get(kind)
    if (rate === undefined) {
      rate = { since: now, lines: 0, withheld: 0 }
      this.#rates.set(kind, rate)
    } else if (now - rate.since >= WINDOW_MS) {
      rate.since = now
      rate.lines = 0
    }
    return rate
  }
}
