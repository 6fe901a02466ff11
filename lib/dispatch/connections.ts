// The connections that a handler has asked for, by the engine's slot, and those of which nothing more
// is handed over in the present turn.

import type { Engine } from '../engine/engine.js'
import { ClientConnection, type ConnectionHost } from './connection.js'

export class Connections implements ConnectionHost {
  readonly engine: Engine
  highWater: number
  tlsRefusal: string | undefined
  /** True while a connection was ended or closed in this turn: only then isStopped() need be asked. */
  anyStopped = false
  readonly #bySlot: (ClientConnection | undefined)[] = []
  readonly #stopped = new Set<number>()

  constructor(engine: Engine, highWater: number) {
    this.engine = engine
    this.highWater = highWater
  }

  /** The object of a connection, made and watched when there is none; a closed one when it is gone. */
  get(slot: number, generation: number): ClientConnection {
    const known = this.#bySlot[slot]
    if (known !== undefined && known.generation === generation) return known
    const gone = this.engine.info(slot, generation) === undefined
    const connection = new ClientConnection(this, slot, generation, gone)
    if (gone) return connection
    this.#bySlot[slot] = connection
    this.engine.watch(slot, generation)
    return connection
  }

  /** The object if there is one. */
  find(slot: number, generation: number): ClientConnection | undefined {
    const known = this.#bySlot[slot]
    return known !== undefined && known.generation === generation ? known : undefined
  }

  /** Forgets a connection whose `closed` record has come. */
  drop(slot: number, generation: number): void {
    if (this.find(slot, generation) !== undefined) this.#bySlot[slot] = undefined
  }

  stop(slot: number, generation: number): void {
    this.anyStopped = true
    this.#stopped.add(key(slot, generation))
  }

  isStopped(slot: number, generation: number): boolean {
    return this.#stopped.has(key(slot, generation))
  }

  endTurn(): void {
    if (!this.anyStopped) return
    this.anyStopped = false
    this.#stopped.clear()
  }
}

/** One number for both: slots stay far below 2^20. */
const key = (slot: number, generation: number): number => slot * 0x1_0000_0000 + generation
