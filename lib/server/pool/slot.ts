// One place of a pool: the process that serves in it, its next one after a death, and the wait between them.

import { Crashes, type Death } from './crashes.js'
import type { ServerProcess } from './process.js'

export interface SlotHost {
  /** Starts a process for a slot. */
  spawn(slot: number): ServerProcess
  /** The process of a slot is ready, or is there no more: sockets are to be assigned anew. */
  shifted(): void
  warn(message: string): void
  /** It died too often. */
  giveUp(message: string): void
}

export class Slot {
  readonly number: number
  readonly #host: SlotHost
  readonly #crashes = new Crashes()
  #process: ServerProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #starts = 0

  /** @param process one that is ready already, after a reload */
  constructor(number: number, host: SlotHost, process?: ServerProcess) {
    this.number = number
    this.#host = host
    this.#process = process
    if (process !== undefined) this.#starts = 1
  }

  /** Processes that were in it before the present one. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1)
  }

  get process(): ServerProcess | undefined {
    return this.#process
  }

  /** Starts a process. Settles when it is ready; rejects with why it is not. */
  async start(): Promise<void> {
    this.#starts++
    const process = this.#host.spawn(this.number)
    this.#process = process
    await process.ready
    this.#host.shifted()
  }

  /** Its process has ended. */
  died(process: ServerProcess, death: Death, how: string): void {
    if (this.#closed || process !== this.#process) return
    this.#process = undefined
    this.#host.shifted()
    const what = `server process ${this.number} (pid ${process.pid}) ${how}`
    const delay = this.#crashes.record(death, performance.now())
    if (delay === undefined) {
      this.#closed = true
      this.#host.giveUp(
        `${what}; it died ${this.#crashes.count} times within a minute: the server gives up`,
      )
      return
    }
    const next = delay === 0 ? 'at once' : `in ${Math.round(delay) / 1000} s`
    this.#host.warn(`${what}; the next one is started ${next}`)
    this.#timer = setTimeout(() => this.#restart(), delay)
  }

  /** Empties the slot for good. @returns its process, whose end is the caller's */
  close(): ServerProcess | undefined {
    this.#closed = true
    clearTimeout(this.#timer)
    return this.#process
  }

  #restart(): void {
    if (this.#closed) return
    this.start().catch((error: Error) => {
      if (!this.#closed) this.#host.warn(`server process ${this.number}: ${error.message}`)
    })
  }
}
