// One worker as the pool sees it: what waits for it, what it has and has not answered, and the turn that it is in.
// It is sent a batch when it has said that the turn of the one before is over: what it was not sent is not lost with it.

import { KIND, RECORD_WORDS } from '../../layout.js'
import type { Batch } from '../../pool.js'
import { MAX_RECORDS } from '../records.js'
import { BatchWriter, type Entry, isRequest } from './batch.js'

/** A turn of so many milliseconds is long enough: what waits behind it is for whoever is free first. */
const TURN_MS = 1
/** Bytes of one batch, unless its first entry alone is longer. */
const TURN_BYTES = 256 * 1024
/** Of a request that nobody has measured yet. */
const UNKNOWN_COST_MS = 0.05
const EMPTY = new Uint8Array(0)

export class Member {
  /** Its place in the pool. */
  readonly index: number
  live = false
  retiring = false
  /** One-shot: it has had its request. */
  spent = false
  post: (batch: Batch) => void = () => undefined
  pending: Entry[] = []
  /** By their tickets: requests that it was sent and has not answered. */
  readonly flights = new Map<number, Entry>()
  /** Chunks of the turn that it is in. */
  chunks: Entry[] = []
  /** When the turn that it is in was sent. */
  sentAt: number | undefined
  /** Requests so far, and milliseconds in turns that are over. */
  requests = 0
  busyMs = 0
  errors = 0
  /** Milliseconds a request, smoothed; 0: unknown. */
  cost = 0

  readonly #writer = new BatchWriter()
  /** Requests and chunks of the turn that it is in. */
  #measured = 0

  constructor(index: number) {
    this.index = index
  }

  /** How many requests it may be sent at once: dear ones are left for others, cheap ones share a turn. */
  get room(): number {
    if (this.cost === 0) return 1
    return Math.min(MAX_RECORDS, Math.max(1, Math.floor(TURN_MS / this.cost)))
  }

  /** Milliseconds: what waits for it, and for how long its turn has been running, which may never end. */
  get load(): number {
    const turn = this.sentAt === undefined ? 0 : performance.now() - this.sentAt
    return turn + this.pending.length * (this.cost || UNKNOWN_COST_MS)
  }

  /** Sends what waits, as much as is a turn. @param keep what was sent may be needed again */
  send(keep: boolean): void {
    const count = this.#fitting()
    if (count === 0) return
    const entries = this.pending.splice(0, count)
    this.#measured = 0
    this.chunks = []
    for (const entry of entries) this.#put(entry, keep)
    this.sentAt = performance.now()
    this.post({ type: 'batch', ...this.#writer.take() })
  }

  #put(entry: Entry, keep: boolean): void {
    const { kind, slot, generation, sequence, extra, ticket, bytes } = entry
    this.#writer.add(kind, slot, generation, sequence, extra, ticket, bytes)
    if (isRequest(entry)) {
      this.flights.set(ticket, entry)
      this.requests++
    } else if (kind === KIND.chunk) this.chunks.push(entry)
    if (isWork(entry)) this.#measured++
    if (!keep) entry.bytes = EMPTY
  }

  #fitting(): number {
    const { room } = this
    let work = 0
    let bytes = 0
    let count = 0
    for (const entry of this.pending) {
      bytes += entry.bytes.length + RECORD_WORDS * 4
      if (isWork(entry)) work++
      if (count === MAX_RECORDS || work > room || (count > 0 && bytes > TURN_BYTES)) break
      count++
    }
    return count
  }

  /** The turn is over and took so long. @returns the chunks that it took */
  turned(ms: number): Entry[] {
    this.sentAt = undefined
    this.busyMs += ms
    if (this.#measured > 0) {
      const each = ms / this.#measured
      this.cost = this.cost === 0 ? each : (this.cost * 7 + each) / 8
    }
    const { chunks } = this
    this.chunks = []
    return chunks
  }
}

/** What takes time; the rest is news. */
const isWork = (entry: Entry): boolean => isRequest(entry) || entry.kind === KIND.chunk
