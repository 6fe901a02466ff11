// Memory that received chunks and copied replies are laid into, one behind the other, so that the replies of a turn
// leave in one write. Bytes are handed to handlers and sockets by reference: a full slab is replaced, never rewritten.

const SLAB_BYTES = 64 * 1024
/** Longer pieces get memory of their own, or each would throw a half-used slab away. */
const OWN_BYTES = SLAB_BYTES / 4

/** Where the last copied piece lies. */
export class Spool {
  buffer: Buffer = Buffer.alloc(0)
  start = 0
  end = 0

  #slab: Buffer = Buffer.alloc(0)
  #used = 0

  /** Copies source[from..to) to bytes [start, end) of `buffer`. */
  copy(source: Uint8Array, from: number, to: number): void {
    const length = to - from
    if (length >= OWN_BYTES) this.#own(length)
    else this.#next(length)
    const part = from === 0 && to === source.length ? source : source.subarray(from, to)
    this.buffer.set(part, this.start)
  }

  #own(length: number): void {
    this.buffer = Buffer.allocUnsafeSlow(length)
    this.start = 0
    this.end = length
  }

  #next(length: number): void {
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
    }
    this.buffer = this.#slab
    this.start = this.#used
    this.#used += length
    this.end = this.#used
  }
}
