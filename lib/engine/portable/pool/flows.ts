// Output of connections as far as a worker knows: it sees no socket, so it counts what it gave, and what its server says
// that it has taken and still holds.

import { GONE } from './batch.js'

interface Flow {
  generation: number
  /** Bytes that the server has not spoken of yet. */
  given: number
  /** Bytes that wait at the server, when it last said. */
  waiting: number
  above: boolean
}

export class Flows {
  readonly #bySlot = new Map<number, Flow>()
  readonly #highWater: number

  /** @param highWater bytes; 0: no mark */
  constructor(highWater: number) {
    this.#highWater = highWater
  }

  /** Bytes are on their way. @returns bytes that wait, -1: the connection is gone */
  give(slot: number, generation: number, bytes: number): number {
    let flow = this.#bySlot.get(slot)
    if (flow === undefined || flow.generation !== generation) {
      flow = { generation, given: 0, waiting: 0, above: false }
      this.#bySlot.set(slot, flow)
    }
    if (flow.waiting === GONE) return -1
    flow.given += bytes
    const waiting = flow.given + flow.waiting
    flow.above = this.#highWater > 0 && waiting > this.#highWater
    return waiting
  }

  /**
   * The server has taken so many bytes and holds `waiting` now.
   * @returns bytes that wait, where somebody may wait for them to be few and they are now; otherwise undefined
   */
  taken(slot: number, generation: number, bytes: number, waiting: number): number | undefined {
    const flow = this.#bySlot.get(slot)
    if (flow === undefined || flow.generation !== generation) return undefined
    flow.given -= Math.min(flow.given, bytes)
    flow.waiting = waiting
    const left = waiting === GONE ? 0 : flow.given + waiting
    if (!flow.above || left > this.#highWater / 2) return undefined
    flow.above = false
    return left
  }

  /** The connection is gone. */
  delete(slot: number, generation: number): void {
    if (this.#bySlot.get(slot)?.generation === generation) this.#bySlot.delete(slot)
  }
}
