// Input of one connection that is not cut into requests yet. A received chunk is used as it is; only an unfinished
// frame that more bytes join is copied, into memory that doubles. Bytes that were handed out are never rewritten.

import type { FrameState } from '../../frame/framer.js'

const EMPTY = Buffer.alloc(0)
/** A rest this short is copied out of its chunk, which would otherwise be kept alive for it. */
const REST_BYTES = 4096
const SMALLEST = 1024

export class Inbox {
  /** The bytes are buffer[start..end); what lies behind `end` was never handed out. */
  buffer: Buffer = EMPTY
  start = 0
  end = 0
  readonly state: FrameState = { scanned: 0 }
  /** `buffer` is memory of our own with room behind `end`. */
  #owned = false

  get length(): number {
    return this.end - this.start
  }

  /** The bytes, beginning at the first that is not cut. */
  view(): Buffer {
    const { buffer, start, end } = this
    return start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)
  }

  push(chunk: Buffer): void {
    if (this.start === this.end) {
      this.#take(chunk)
      return
    }
    if (!this.#owned || this.end + chunk.length > this.buffer.length) this.#grow(chunk.length)
    this.buffer.set(chunk, this.end)
    this.end += chunk.length
  }

  /** The first `bytes` are cut off. */
  consume(bytes: number): void {
    this.start += bytes
    if (this.start === this.end) this.clear()
  }

  /** What is left will wait for more input: do not keep a large chunk alive for a short rest. */
  settle(): void {
    const rest = this.length
    if (this.#owned || rest > REST_BYTES || rest * 4 > this.buffer.length) return
    this.#take(Buffer.from(this.view()))
  }

  clear(): void {
    this.#take(EMPTY)
    this.state.scanned = 0
  }

  #take(buffer: Buffer): void {
    this.buffer = buffer
    this.start = 0
    this.end = buffer.length
    this.#owned = false
  }

  #grow(more: number): void {
    const rest = this.view()
    const wanted = rest.length + more
    const fresh = Buffer.allocUnsafeSlow(Math.max(SMALLEST, 2 * wanted))
    fresh.set(rest)
    this.buffer = fresh
    this.start = 0
    this.end = rest.length
    this.#owned = true
  }
}
