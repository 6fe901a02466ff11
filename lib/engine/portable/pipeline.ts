// The requests of one connection that are in flight, by sequence, and the replies that came before their turn.
// Sequences wrap at 2^32, so they are compared by distance only.

/** A reply that waits for the replies before it. */
export interface Held {
  pieces: Buffer[]
  bytes: number
  /** No further pieces follow. */
  done: boolean
  /** Close the connection behind it. */
  end: boolean
}

/** Weight of one reply in the moving average of their sizes: 1 / 8. */
const WEIGHT = 0.125

export class Pipeline {
  /** The oldest request that is not answered. */
  head = 0
  /** The number that the next request gets. */
  next = 0
  /** Pieces of the head's reply have been sent. */
  streaming = false
  /** Bytes of held replies. */
  heldBytes = 0
  /** Moving average of the bytes of a reply. */
  average: number

  #held: Map<number, Held> | undefined

  constructor(average: number) {
    this.average = average
  }

  get inFlight(): number {
    return (this.next - this.head) >>> 0
  }

  /** `count` requests were cut. */
  open(count: number): void {
    this.next = (this.next + count) >>> 0
  }

  /** False: answered already, or never asked. */
  has(sequence: number): boolean {
    return (sequence - this.head) >>> 0 < this.inFlight
  }

  /** The head is answered, and the requests behind it, `count` in all. */
  advance(count: number): void {
    this.head = (this.head + count) >>> 0
    this.streaming = false
  }

  measured(bytes: number): void {
    this.average += (bytes - this.average) * WEIGHT
  }

  hold(sequence: number, piece: Buffer | undefined, done: boolean, end: boolean): void {
    this.#held ??= new Map()
    let held = this.#held.get(sequence)
    if (held === undefined) {
      held = { pieces: [], bytes: 0, done: false, end: false }
      this.#held.set(sequence, held)
    }
    held.done = done
    held.end = end
    if (piece === undefined) return
    held.pieces.push(piece)
    held.bytes += piece.length
    this.heldBytes += piece.length
  }

  /** Takes what is held for the head. */
  take(): Held | undefined {
    const held = this.#held?.get(this.head)
    if (held === undefined) return undefined
    this.#held?.delete(this.head)
    this.heldBytes -= held.bytes
    return held
  }

  /** Nothing is in flight any more: what was asked will not be answered. */
  drop(): void {
    this.head = this.next
    this.#held = undefined
    this.heldBytes = 0
  }
}
