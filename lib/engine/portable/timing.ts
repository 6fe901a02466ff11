// What the portable engine measures of itself, as native/loop/timing.cc does: how long the loop was kept by turns, and
// how long requests take.

import { Durations } from '../distribution.js'
import type { Connection } from './connection.js'

/** Of requests that are not answered in their turn one in so many is timed. */
const SAMPLE_EVERY = 64
/** Of the chunks whose requests are answered in their turn, one in so many is timed; the others took as long. */
const CHUNK_EVERY = 8
/** Whose answer is waited for at once. */
const MOST_SAMPLES = 1024

interface Sample {
  connection: Connection
  /** Requests that it stands for. */
  weight: number
  began: number
}

export class Timing {
  readonly lag = new Durations()
  readonly #latency = new Durations()
  /** Of the turns in hand, when the first began; undefined: there is none. */
  #began: number | undefined
  /** Requests that were answered in their turn since one was timed, and how long that took. */
  #answered = 0
  #lastMs = 0
  #chunks = 0
  #late = 0
  #sampleAt = 1
  /** One of a connection at a time. */
  #samples: Sample[] = []

  /** A turn is over. @returns how long it took, milliseconds */
  turned(began: number): number {
    this.#began ??= began
    const ms = performance.now() - began
    this.lag.add(ms)
    return ms
  }

  /** `count` requests were answered in their turn; `sent()` says when the answers have left. */
  answeredNow(count: number): void {
    this.#answered += count
  }

  sent(): void {
    const began = this.#began
    this.#began = undefined
    if (began === undefined || this.#answered === 0 || this.#chunks++ % CHUNK_EVERY !== 0) return
    this.#lastMs = performance.now() - began
    this.#count()
  }

  get latency(): Durations {
    if (this.#answered > 0) this.#count()
    return this.#latency
  }

  #count(): void {
    this.#latency.add(this.#lastMs, this.#answered)
    this.#answered = 0
  }

  /** `count` requests, the last of which is `sequence`, are answered by calls. */
  expectLate(connection: Connection, sequence: number, count: number): void {
    this.#late += count
    if (this.#late < this.#sampleAt || this.#samples.length >= MOST_SAMPLES) return
    if (connection.sampled !== undefined) return
    this.#samples.push({ connection, weight: this.#late, began: performance.now() })
    connection.sampled = sequence
    this.#late = 0
    this.#sampleAt = SAMPLE_EVERY
  }

  /** Some requests of a connection were answered, perhaps the one that is timed. */
  settle(connection: Connection, sequence: number): void {
    if (connection.pipeline.has(sequence)) return
    const sample = this.#samples.find((each) => each.connection === connection)
    if (sample !== undefined) this.#latency.add(performance.now() - sample.began, sample.weight)
    this.drop(connection)
  }

  /** It is answered, or gone: what was not answered has no time. */
  drop(connection: Connection): void {
    connection.sampled = undefined
    this.#samples = this.#samples.filter((sample) => sample.connection !== connection)
  }
}
