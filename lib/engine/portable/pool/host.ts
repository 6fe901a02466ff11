// The engine's host where there are workers: they get the records that are theirs, the dispatcher of the loop what is
// left.

import type { EngineHost } from '../../engine.js'
import { RECORD_WORDS, REPLY_WORDS } from '../../layout.js'
import type { PoolEngine, PortablePool } from './pool.js'

export class PoolHost implements EngineHost {
  readonly #engine: PoolEngine
  readonly #pool: PortablePool
  readonly #host: EngineHost

  constructor(engine: PoolEngine, pool: PortablePool, host: EngineHost) {
    this.#engine = engine
    this.#pool = pool
    this.#host = host
  }

  turn(count: number): boolean | undefined {
    if (!this.#pool.isOpen) return this.#host.turn(count)
    const left = this.#pool.dispatch(count)
    if (left.length === 0) return true
    return left.length === count ? this.#host.turn(count) : this.#show(left, count)
  }

  stalled(count: number, ms: number): void {
    this.#host.stalled(count, ms)
  }

  warned(text: string): void {
    this.#host.warned(text)
  }

  /** Shows the host a few records of a turn as if they were all. */
  #show(left: readonly number[], count: number): boolean | undefined {
    const { records, replies } = this.#engine
    const all = records.slice(0, count * RECORD_WORDS)
    const answers = replies.slice(0, count * REPLY_WORDS)
    left.forEach((index, shown) => {
      records.copyWithin(shown * RECORD_WORDS, index * RECORD_WORDS, (index + 1) * RECORD_WORDS)
    })
    const kept = this.#host.turn(left.length)
    left.forEach((index, shown) => {
      const given = replies.subarray(shown * REPLY_WORDS, (shown + 1) * REPLY_WORDS)
      answers.set(given, index * REPLY_WORDS)
    })
    records.set(all)
    replies.set(answers)
    return kept
  }
}
