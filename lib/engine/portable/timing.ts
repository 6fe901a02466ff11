// What the portable engine measures of itself, as native/loop/timing.cc does: how long the loop was kept by turns, and
// how long requests take.

import { Durations } from '../distribution.js'
import type { Connection } from './connection.js'

/** Of requests that are not answered in their turn one in so many is timed. */
const SAMPLE_EVERY = 64
/** Whose answer is waited for at once. */
const MOST_SAMPLES = 1024

interface Sample {
  connection: Connection
  sequence: number
  /** Requests that it stands for. */
  weight: number
  began: number
}

export class Timing {
  readonly latency = new Durations()
  readonly lag = new Durations()
  /** Of the turn in hand, and of its requests those that are answered. */
  #began = 0
  #answered = 0
  #late = 0
  #sampleAt = 1
  #samples: Sample[] = []

  /** A turn is over. @returns how long it took, milliseconds */
  turned(began: number): number {
    if (this.#answered === 0) this.#began = began
    const ms = performance.now() - began
    this.lag.add(ms)
    return ms
  }

  /** `count` requests were answered in their turn; `sent()` says when the answers have left. */
  answeredNow(count: number): void {
    this.#answered += count
  }

  sent(): void {
    if (this.#answered === 0) return
    this.latency.add(performance.now() - this.#began, this.#answered)
    this.#answered = 0
  }

  /** `count` requests, the last of which is `sequence`, are answered by calls. */
  expectLate(connection: Connection, sequence: number, count: number): void {
    this.#late += count
    if (this.#late < this.#sampleAt || this.#samples.length >= MOST_SAMPLES) return
    const weight = this.#late
    this.#samples.push({ connection, sequence, weight, began: performance.now() })
    connection.sampled = true
    this.#late = 0
    this.#sampleAt = SAMPLE_EVERY
  }

  /** Some requests of a connection were answered. */
  settle(connection: Connection): void {
    const now = performance.now()
    connection.sampled = false
    this.#samples = this.#samples.filter((sample) => {
      if (sample.connection !== connection) return true
      if (connection.pipeline.has(sample.sequence)) {
        connection.sampled = true
        return true
      }
      this.latency.add(now - sample.began, sample.weight)
      return false
    })
  }

  /** It is gone: what was not answered has no time. */
  drop(connection: Connection): void {
    connection.sampled = false
    this.#samples = this.#samples.filter((sample) => sample.connection !== connection)
  }
}
