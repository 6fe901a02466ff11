// Lets go of datagrams that nobody answers within handler_timeout: one timer, for the one that has waited for longest.

import type { Flight, Flights } from './flights.js'

export class Expiry {
  readonly #flights: Flights
  readonly #drop: (flight: Flight) => void
  /** Milliseconds; 0 is off. */
  #limit: number
  #timer: NodeJS.Timeout | undefined

  constructor(flights: Flights, limit: number, drop: (flight: Flight) => void) {
    this.#flights = flights
    this.#limit = limit
    this.#drop = drop
  }

  /** Something is waited for. */
  start(): void {
    const { oldest } = this.#flights
    if (this.#limit === 0 || oldest === undefined || this.#timer !== undefined) return
    const ms = Math.max(1, oldest.lateSince + this.#limit - performance.now())
    // A loop that was busy for long runs its timers before it reads: what was answered meanwhile counts.
    this.#timer = setTimeout(() => setImmediate(() => this.#look()), ms)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  set limit(ms: number) {
    this.#limit = ms
    this.stop()
    this.start()
  }

  #look(): void {
    const now = performance.now()
    for (;;) {
      const { oldest } = this.#flights
      if (oldest === undefined || this.#limit === 0) break
      if (now - oldest.lateSince < this.#limit) break
      this.#drop(oldest)
    }
    this.stop()
    this.start()
  }
}
