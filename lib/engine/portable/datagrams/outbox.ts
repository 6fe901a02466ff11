// What one peer of a ROUTER socket is still to be sent: in order, and bounded where the peer does not read.

/** A reply with its envelope, and who is told of its end. */
export interface Parcel {
  readonly frames: readonly Uint8Array[]
  readonly done: (bytes: number | undefined) => void
}

/** Milliseconds between tries while libzmq has no room for the peer. Nothing tells of room for one of many. */
const FIRST_PAUSE = 1
const LONGEST_PAUSE = 50
/** What a message weighs here besides its bytes. */
const WEIGHT = 256

export type Verdict = 'sent' | 'full' | 'gone'

export interface OutboxOptions {
  /** Gives one message to libzmq. */
  give: (frames: readonly Uint8Array[]) => Promise<Verdict>
  /** Bytes that may wait while libzmq has no room; 0: no limit. */
  limit: () => number
  /** Milliseconds that libzmq may have no room at a stretch; 0: no limit. */
  timeout: () => number
  /** Nothing waits any more. */
  empty: () => void
}

export class Outbox {
  readonly #options: OutboxOptions
  #parcels: Parcel[] = []
  #weight = 0
  /** Since when libzmq has no room for it; 0: it has, as far as is known. */
  #fullSince = 0
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** The first one is on its way when this returns. */
  put(parcel: Parcel): void {
    const weight = weigh(parcel)
    const limit = this.#options.limit()
    if (this.#fullSince > 0 && limit > 0 && this.#weight + weight > limit) {
      queueMicrotask(() => parcel.done(undefined))
      return
    }
    this.#weight += weight
    if (this.#parcels.push(parcel) === 1) void this.#deliver()
  }

  /** None of them is sent. */
  drop(): void {
    const dropped = this.#parcels
    this.#parcels = []
    this.#weight = 0
    this.#fullSince = 0
    for (const { done } of dropped) done(undefined)
    clearTimeout(this.#timer)
    this.#wake?.()
  }

  async #deliver(): Promise<void> {
    for (let next = this.#parcels[0]; next !== undefined; next = this.#parcels[0]) {
      const verdict = await this.#options.give(next.frames)
      if (this.#parcels[0] !== next) break // dropped meanwhile
      if (verdict === 'full') await this.#rest()
      else this.#leave(next, verdict)
    }
    this.#options.empty()
  }

  #leave(parcel: Parcel, verdict: Verdict): void {
    this.#fullSince = 0
    this.#parcels.shift()
    this.#weight -= weigh(parcel)
    parcel.done(verdict === 'sent' ? parcel.frames.at(-1)?.length : undefined)
  }

  /** Waits for room, a little longer each time; not for ever. */
  async #rest(): Promise<void> {
    const now = performance.now()
    this.#fullSince ||= now
    const waited = now - this.#fullSince
    const timeout = this.#options.timeout()
    if (timeout > 0 && waited >= timeout) return this.drop()
    const pause = Math.min(Math.max(waited, FIRST_PAUSE), LONGEST_PAUSE)
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#timer = setTimeout(resolve, pause)
    })
  }
}

const weigh = ({ frames }: Parcel): number =>
  frames.reduce((sum, { length }) => sum + length, WEIGHT)
