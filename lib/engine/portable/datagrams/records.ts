// The table that datagrams stand in until the host has them (Engine.records), and the slab that their bytes lie in.

import { KIND, RECORD, RECORD_WORDS } from '../../layout.js'
import { MAX_RECORDS } from '../records.js'

const SLAB_BYTES = 256 * 1024
/** Longer ones lie in memory of their own, which node:dgram has given them, and are a turn by themselves. */
const OWN_BYTES = 16 * 1024

/** What a record names. */
type Named = { readonly slot: number; readonly generation: number }

export class DatagramRecords {
  readonly words = new Uint32Array(MAX_RECORDS * RECORD_WORDS)
  slab: Buffer = Buffer.alloc(0)
  count = 0
  #shared: Buffer = Buffer.alloc(0)
  #used = 0
  #isAlone = false

  /** The host has those that were here. */
  clear(): void {
    this.count = 0
    this.#isAlone = false
  }

  get room(): number {
    return MAX_RECORDS - this.count
  }

  /** Whether a datagram of `length` bytes can join those that are here. */
  fits(length: number): boolean {
    if (this.count === 0) return true
    if (this.room === 0 || this.#isAlone || length > OWN_BYTES) return false
    return this.#used + length <= this.#shared.length
  }

  /** Only where it fits. Bytes that were handed out are never written over. */
  request(named: Named, bytes: Buffer): void {
    const { length } = bytes
    this.#isAlone = length > OWN_BYTES
    if (this.#isAlone) {
      this.slab = bytes
      this.#put(KIND.request, named, 0, length, 0)
      return
    }
    if (this.#used + length > this.#shared.length) {
      this.#shared = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
    }
    this.slab = this.#shared
    this.slab.set(bytes, this.#used)
    this.#put(KIND.request, named, this.#used, length, 0)
    this.#used += length
  }

  closed(named: Named, reason: number): void {
    this.#put(KIND.closed, named, 0, 0, reason)
  }

  #put(kind: number, { slot, generation }: Named, offset: number, length: number, extra: number) {
    const { words } = this
    const word = this.count++ * RECORD_WORDS
    words[word + RECORD.kind] = kind
    words[word + RECORD.slot] = slot
    words[word + RECORD.generation] = generation
    words[word + RECORD.sequence] = 0
    words[word + RECORD.offset] = offset
    words[word + RECORD.length] = length
    words[word + RECORD.extra] = extra
  }
}
