// Which worker a connection's own records go to: the one whose handler looks at it, or frames its bytes.

import type { Member } from './member.js'

interface Home {
  slot: number
  generation: number
  member: Member
}

export class Homes {
  readonly #bySlot = new Map<number, Home>()

  find(slot: number, generation: number): Member | undefined {
    const home = this.#bySlot.get(slot)
    return home?.generation === generation ? home.member : undefined
  }

  settle(slot: number, generation: number, member: Member): void {
    this.#bySlot.set(slot, { slot, generation, member })
  }

  /** The connection is gone. */
  delete(slot: number): void {
    this.#bySlot.delete(slot)
  }

  /** The worker is gone. @returns the connections that it was home to */
  leave(member: Member): Home[] {
    const left = [...this.#bySlot.values()].filter((home) => home.member === member)
    for (const { slot } of left) this.#bySlot.delete(slot)
    return left
  }
}
