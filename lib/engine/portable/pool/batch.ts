// What a pool and a worker say to each other in one message: a table of entries, and behind it their bytes. An entry
// is a record (layout.ts) whose spare word holds a ticket; what is no record of the engine has a kind of its own.

import { KIND, RECORD, RECORD_WORDS } from '../../layout.js'
import type { Batch } from '../../pool.js'

/** To a worker, besides the engine's records. */
export const TOLD = {
  /** Bytes: the connection's ConnectionInfo as JSON. */
  info: 0x80,
  /** Bytes that the worker gave are taken: extra says how many, sequence how many wait now (GONE: for ever). */
  taken: 0x81,
} as const

/** In place of the bytes that wait: the connection is gone. */
export const GONE = 0xffff_ffff

/** From a worker. */
export const SAID = {
  /** Flags in extra: REPLY_FLAG. */
  reply: 0,
  write: 1,
  end: 2,
  /** The reason's number in extra. */
  close: 3,
  pause: 4,
  resume: 5,
  /** How many in sequence; extra: an unfinished frame is at hand. */
  framed: 6,
  /** It has cut what came before the end of input. */
  ended: 7,
  watch: 8,
  /** The handler failed. */
  fail: 9,
  /** For the access log: what in ticket, its value in extra; bytes: when, milliseconds since the epoch, as a double. */
  note: 10,
} as const

/** Of what concerns no request. */
export const NO_TICKET = 0xffff_ffff

export interface Entry {
  kind: number
  slot: number
  generation: number
  sequence: number
  extra: number
  ticket: number
  bytes: Uint8Array
}

/** A request, whatever its framer says of it besides. */
export const isRequest = ({ kind }: Pick<Entry, 'kind'>): boolean => (kind & 0xff) === KIND.request

const FIRST_ENTRIES = 64
const FIRST_BYTES = 16 * 1024
/** More than this is given back once it was needed. */
const MOST_BYTES = 1024 * 1024
const EMPTY = new Uint8Array(0)

/** Gathers entries; bytes are copied. */
export class BatchWriter {
  count = 0
  #words = new Uint32Array(FIRST_ENTRIES * RECORD_WORDS)
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  #used = 0

  add(
    kind: number,
    slot: number,
    generation: number,
    sequence: number,
    extra: number,
    ticket: number,
    bytes: Uint8Array = EMPTY,
  ): void {
    const word = this.count++ * RECORD_WORDS
    const offset = this.#used
    this.#used += bytes.length
    if (word === this.#words.length) this.#words = grown(this.#words, 2 * word)
    if (this.#used > this.#bytes.length) this.#bytes = grown(this.#bytes, 2 * this.#used)
    this.#bytes.set(bytes, offset)
    const words = this.#words
    words[word + RECORD.kind] = kind
    words[word + RECORD.slot] = slot
    words[word + RECORD.generation] = generation
    words[word + RECORD.sequence] = sequence
    words[word + RECORD.offset] = offset
    words[word + RECORD.length] = bytes.length
    words[word + RECORD.extra] = extra
    words[word + RECORD.spare] = ticket
  }

  /** What was gathered, in memory of its own that can be transferred; begins anew. */
  take(): Pick<Batch, 'entries' | 'bytes'> {
    const entries = this.#words.slice(0, this.count * RECORD_WORDS)
    const bytes = this.#bytes.slice(0, this.#used)
    this.count = 0
    this.#used = 0
    if (this.#bytes.length > MOST_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES)
    return { entries, bytes }
  }
}

function grown<A extends Uint8Array | Uint32Array>(array: A, length: number): A {
  const fresh = new (array.constructor as new (length: number) => A)(length)
  fresh.set(array)
  return fresh
}

/** The entries of a batch, one after the other. */
export function* entriesOf({ entries, bytes }: Batch): Generator<Entry> {
  for (let word = 0; word < entries.length; word += RECORD_WORDS) {
    const at = (place: number): number => entries[word + place] as number
    const offset = at(RECORD.offset)
    yield {
      kind: at(RECORD.kind),
      slot: at(RECORD.slot),
      generation: at(RECORD.generation),
      sequence: at(RECORD.sequence),
      extra: at(RECORD.extra),
      ticket: at(RECORD.spare),
      bytes: bytes.subarray(offset, offset + at(RECORD.length)),
    }
  }
}
