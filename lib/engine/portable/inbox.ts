// Input of one connection that is not cut into requests yet. A received chunk is laid into the spool; only an
// unfinished frame that more bytes join is gathered, in memory that doubles. Bytes that were handed out are never
// rewritten.

import { View } from '../../dispatch/view.js'
import type { FrameState } from '../../frame/framer.js'
import type { Spool } from './spool.js'

const EMPTY = Buffer.alloc(0)
/** A rest this short is copied out of its slab, which would otherwise be kept alive for it. */
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
    // All buffers here begin where their memory does.
    return new View(buffer.buffer, start, end - start)
  }

  /** Takes a copy. */
  push(spool: Spool, chunk: Buffer): void {
    const { length } = chunk
    if (this.start === this.end) {
      spool.copy(chunk, 0, length)
      this.buffer = spool.buffer
      this.start = spool.start
      this.end = spool.end
      this.#owned = false
      return
    }
    if (!this.#owned || this.end + length > this.buffer.length) this.#grow(length)
    this.buffer.set(chunk, this.end)
    this.end += length
  }

  /** The first `bytes` are cut off. */
  consume(bytes: number): void {
    this.start += bytes
    if (this.start === this.end) this.clear()
  }

  /** What is left will wait for more input: do not keep a large slab alive for a short rest. */
  settle(): void {
    const rest = this.length
    if (rest === 0 || this.#owned || rest > REST_BYTES || rest * 4 > this.buffer.length) return
    this.#move(rest)
  }

  clear(): void {
    this.buffer = EMPTY
    this.start = 0
    this.end = 0
    this.#owned = false
    this.state.scanned = 0
    this.state.http = undefined
  }

  #grow(more: number): void {
    this.#move(Math.max(SMALLEST, 2 * (this.length + more)))
  }

  /** Gives the bytes memory of their own, of `size` bytes. */
  #move(size: number): void {
    const fresh = Buffer.allocUnsafeSlow(size)
    fresh.set(this.view())
    this.end = this.length
    this.start = 0
    this.buffer = fresh
    this.#owned = true
  }
}
