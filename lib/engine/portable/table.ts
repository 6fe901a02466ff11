// Places for connections. A slot is used again, with a new generation: the two together name one connection for ever.

import type { Connection } from './connection.js'

export class Table {
  readonly #slots: (Connection | undefined)[] = []
  readonly #generations: number[] = []
  readonly #free: number[] = []

  /** Puts what `make` returns into a free place. */
  claim(make: (slot: number, generation: number) => Connection): Connection {
    const slot = this.#free.pop() ?? this.#slots.length
    const connection = make(slot, this.#generations[slot] ?? 0)
    this.#slots[slot] = connection
    this.#generations[slot] = connection.generation
    return connection
  }

  /** The connection of that name, unless its place was released. */
  get(slot: number, generation: number): Connection | undefined {
    const connection = this.#slots[slot]
    return connection !== undefined && connection.generation === generation ? connection : undefined
  }

  release(connection: Connection): void {
    const { slot, generation } = connection
    if (this.get(slot, generation) !== connection) return
    this.#slots[slot] = undefined
    this.#generations[slot] = (generation + 1) >>> 0
    this.#free.push(slot)
  }

  *[Symbol.iterator](): Generator<Connection> {
    for (const connection of this.#slots) if (connection !== undefined) yield connection
  }
}
