// The input of one connection that no request was cut from yet. Bytes handed to a handler are never
// written again: the buffer is only appended to, and a full one is replaced.

import { readView } from './codec.js'
import type { RawBuffer } from './view.js'

const EMPTY = Buffer.alloc(0)

export class Accumulator {
  /** What is there; the handler may keep it, or parts of it. */
  bytes: Buffer = EMPTY
  /** Grown for this connection: `bytes` is its part up to #end. Otherwise `bytes` lie in a slab. */
  #grown: Buffer | undefined
  #end = 0

  get length(): number {
    return this.bytes.length
  }

  /** Adds bytes [start, end) of `buffer`, which may be kept: nothing is copied while the rest is empty. */
  append(buffer: RawBuffer, start: number, end: number): void {
    const added = readView(buffer, start, end)
    if (this.bytes.length === 0) {
      this.bytes = added
      this.#grown = undefined
      return
    }
    const grown = this.#roomFor(added.length)
    grown.set(added, this.#end)
    const first = this.#end - this.bytes.length
    this.#end += added.length
    this.bytes = grown.subarray(first, this.#end)
  }

  /** Leaves `rest`: the end of what is there, or any other bytes, which are then copied. */
  keep(rest: Uint8Array): void {
    const { bytes } = this
    if (rest.length === 0) this.clear()
    else if (
      rest.buffer === bytes.buffer &&
      rest.byteOffset + rest.length === bytes.byteOffset + bytes.length
    )
      this.bytes = bytes.subarray(bytes.length - rest.length)
    else {
      this.bytes = Buffer.from(rest)
      this.#grown = undefined
    }
  }

  clear(): void {
    this.bytes = EMPTY
    this.#grown = undefined
  }

  /** A buffer with `more` free bytes behind the rest; doubling keeps the copying linear. */
  #roomFor(more: number): Buffer {
    if (this.#grown !== undefined && this.#end + more <= this.#grown.length) return this.#grown
    const grown = Buffer.allocUnsafeSlow(Math.max(1024, 2 * (this.bytes.length + more)))
    grown.set(this.bytes, 0)
    this.#end = this.bytes.length
    this.#grown = grown
    return grown
  }
}
