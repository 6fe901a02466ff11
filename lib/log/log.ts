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
  /** How the lines of this kind look that were withheld last. */
  level: LogLevel
  message: string
}

export class Log {
  readonly logger: Logger
  readonly #rates = new Map<string, Rate>()
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined

  /** @param now milliseconds; only differences count */
  constructor(logger: Logger, now: () => number = performance.now.bind(performance)) {
    this.logger = logger
    this.#now = now
  }

  /** Logs one event. */
  at(level: LogLevel, message: string, fields: LogFields = {}): void {
    const { logger } = this
    if (level === 'fatal') (logger.fatal ?? logger.error).call(logger, message, fields)
    else if (level === 'trace') (logger.trace ?? logger.debug).call(logger, message, fields)
    else logger[level](message, fields)
  }

  /**
   * Logs unless ten lines of this `kind` stand in this second. How many were left out is said by the next line, or
   * by one of its own when the second is over.
   */
  limited(kind: string, level: LogLevel, message: string, fields: LogFields): void {
    const rate = this.#rate(kind, level, message)
    if (rate.lines >= BURST) {
      rate.withheld++
      this.#timer ??= setTimeout(() => this.#windowEnds(), WINDOW_MS).unref()
      return
    }
    rate.lines++
    const more = rate.withheld > 0 ? { withheld: rate.withheld } : undefined
    rate.withheld = 0
    this.at(level, message, more ? { ...fields, ...more } : fields)
  }

  /** Says what was withheld; called before the last line. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const [kind, rate] of this.#rates) {
      if (rate.withheld === 0) continue
      this.at(rate.level, rate.message, { kind, withheld: rate.withheld })
      rate.withheld = 0
    }
  }

  /** What a kind is withheld since its last second ended is said; the others' seconds go on. */
  #windowEnds(): void {
    this.flush()
    const now = this.#now()
    for (const [kind, rate] of this.#rates)
      if (now - rate.since >= WINDOW_MS) this.#rates.delete(kind)
  }

  #rate(kind: string, level: LogLevel, message: string): Rate {
    const now = this.#now()
    let rate = this.#rates.get(kind)
    if (rate === undefined) {
      rate = { since: now, lines: 0, withheld: 0, level, message }
      this.#rates.set(kind, rate)
    } else if (now - rate.since >= WINDOW_MS) {
      rate.since = now
      rate.lines = 0
    }
    return Object.assign(rate, { level, message })
  }
}
