// Follows a server from snapshot to snapshot, over its restarts too.

import { ControlClient } from '../../control/client.js'
import type { Snapshot } from '../../control/snapshot.js'
import { ratesOf } from './rates.js'

/** Pictures that the sparkline remembers. */
const HISTORY = 200

export class Watch {
  readonly #path: string
  #client: ControlClient | undefined
  before: Snapshot | undefined
  now: Snapshot | undefined
  readonly history: number[] = []

  constructor(path: string) {
    this.#path = path
  }

  /** Takes the next snapshot. @throws ControlError when nobody answers; the next call tries again */
  async look(): Promise<void> {
    try {
      this.#client ??= await ControlClient.open(this.#path)
      this.#take((await this.#client.ask('stats')) as unknown as Snapshot)
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#client?.close()
    this.#client = undefined
  }

  #take(next: Snapshot): void {
    // Another server, in the place of the one before, has counted from nothing.
    const same = this.now?.pid === next.pid && next.uptime >= this.now.uptime
    this.before = same ? this.now : next
    this.now = next
    if (!same || this.before === undefined) return
    this.history.push(ratesOf(this.before, next).requests)
    if (this.history.length > HISTORY) this.history.shift()
  }
}
