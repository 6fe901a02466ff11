// What handle_batch is given: lazy requests on the records of a turn. A batch whose handle_batch is
// synchronous is pooled and answers into engine.replies; one that returns a promise keeps a copy of its
// records and answers through engine.reply(). Nothing here may be used after it settled.

import {
  ANSWER,
  KIND,
  RECORD,
  RECORD_BIG,
  RECORD_WORDS,
  REPLY_END,
  REPLY_WORDS,
} from '../engine/layout.js'
import { misuse } from '../errors.js'
import type { Batch, BatchRequest, Bytes, Connection } from '../handler/contract.js'
import { readView } from './codec.js'
import type { Replies } from './replies.js'
import { type RawBuffer, slabUse } from './view.js'

/** Records and where their bytes lie: those of the turn, or a copy that outlives it. */
export interface BatchSource {
  records: Uint32Array
  /** Answer kinds, REPLY_WORDS apart; 'failed' stands for not answered yet. */
  answers: Uint32Array
  slab: RawBuffer
  bigs: readonly Buffer[]
}

const UNANSWERED = ANSWER.failed

export class RequestBatch implements Batch {
  length = 0
  readonly replies: Replies
  /** The source of the present use, field by field: they are looked at for every request. */
  records: Uint32Array
  answers: Uint32Array
  slab: RawBuffer
  bigs: readonly Buffer[]
  /** False once handle_batch has settled. */
  live = false
  /** Answers go through engine.reply(). */
  detached = false
  /** A request that is its own reply needs nothing but a word in `answers`. */
  copiesNatively = false
  /** How many requests were answered, or closed. */
  answered = 0
  readonly #pool: LazyRequest[] = []
  /** Of the pool's first entries so many may have another index than their place. */
  #moved = 0

  constructor(replies: Replies, source: BatchSource) {
    this.replies = replies
    this.records = source.records
    this.answers = source.answers
    this.slab = source.slab
    this.bigs = source.bigs
  }

  /** Begins a use of this batch without requests. */
  open(source: BatchSource, detached: boolean): void {
    this.records = source.records
    this.answers = source.answers
    this.slab = source.slab
    this.bigs = source.bigs
    this.detached = detached
    this.copiesNatively = !detached && !this.replies.endsPlain
    this.live = true
    this.length = 0
    this.answered = 0
  }

  /** Adds records from the first on for as long as they are plain requests. @returns how many */
  fill(count: number): number {
    const { records, answers } = this
    const pool = this.#pool
    let index = 0
    for (; index < count && records[index * RECORD_WORDS] === KIND.request; index++)
      answers[index * REPLY_WORDS] = UNANSWERED
    for (let at = pool.length; at < index; at++) pool.push(new LazyRequest(this, at))
    while (this.#moved > 0) {
      this.#moved--
      ;(pool[this.#moved] as LazyRequest).index = this.#moved
    }
    this.length = index
    return index
  }

  /** Adds record `index` of the source. */
  add(index: number): void {
    const request = this.#pool[this.length]
    if (request === undefined) this.#pool.push(new LazyRequest(this, index))
    else request.index = index
    this.length++
    this.#moved = this.length
    this.answers[index * REPLY_WORDS] = UNANSWERED
  }

  at(index: number): LazyRequest {
    this.check()
    const request = index < this.length ? this.#pool[index] : undefined
    if (request !== undefined) return request
    throw Object.assign(
      new RangeError(`batch.at(${index}): wanted an index from 0 to ${this.length - 1}`),
      { code: 'ERR_GAIDAROS_STATE' },
    )
  }

  [Symbol.iterator](): Iterator<LazyRequest> {
    this.check()
    const pool = this.#pool
    let next = 0
    return {
      next: (): IteratorResult<LazyRequest> =>
        next < this.length
          ? { done: false, value: pool[next++] as LazyRequest }
          : { done: true, value: undefined },
    }
  }

  /** The requests that were not answered. */
  unanswered(): LazyRequest[] {
    if (this.answered === this.length) return []
    return this.#pool.slice(0, this.length).filter((request) => !request.isAnswered)
  }

  /** Keeps what the records say beyond their turn. */
  detach(): void {
    const highest = (this.#pool[this.length - 1]?.index ?? -1) + 1
    const kept = this.answers.slice(0, highest * REPLY_WORDS)
    for (const request of this.unanswered())
      this.answers[request.index * REPLY_WORDS] = ANSWER.later
    this.answers = kept
    this.records = this.records.slice(0, highest * RECORD_WORDS)
    this.bigs = [...this.bigs]
    this.detached = true
    this.copiesNatively = false
    slabUse.kept = true
  }

  /** @throws TypeError ERR_GAIDAROS_STATE when handle_batch has settled */
  check(): void {
    if (!this.live) throw usedTooLate()
  }
}

export class LazyRequest implements BatchRequest {
  /** Number of its record. */
  index: number
  readonly #batch: RequestBatch

  constructor(batch: RequestBatch, index: number) {
    this.#batch = batch
    this.index = index
  }

  get length(): number {
    return this.#word(RECORD.length)
  }

  get connection(): Connection {
    const connections = this.#batch.replies.connections
    return connections.get(this.#word(RECORD.slot), this.#word(RECORD.generation))
  }

  bytes(): Buffer {
    const [buffer, start] = this.#place()
    return readView(buffer, start, start + this.length)
  }

  text(encoding: BufferEncoding = this.#batch.replies.encoding): string {
    const [buffer, start] = this.#place()
    const end = start + this.length
    return encoding === 'latin1'
      ? buffer.latin1Slice(start, end)
      : buffer.toString(encoding, start, end)
  }

  reply(reply: Bytes | string | BatchRequest): void {
    const batch = this.#batch
    batch.check()
    const at = this.index * REPLY_WORDS
    if (batch.answers[at] !== UNANSWERED) throw answeredTwice(this)
    if (reply === this && batch.copiesNatively) batch.answers[at] = ANSWER.same
    else this.#answer(reply instanceof LazyRequest ? reply.bytes() : reply)
    batch.answered++
  }

  close(): void {
    const batch = this.#batch
    batch.check()
    const { replies, answers, detached } = batch
    const { slot, generation, sequence } = this.address()
    replies.connections.stop(slot, generation)
    const at = this.index * REPLY_WORDS
    const wasAnswered = this.isAnswered
    const kind = wasAnswered ? (answers[at] as number) : ANSWER.none
    if (!wasAnswered) batch.answered++
    // A reply that is on its way already cannot be marked any more: the connection is ended behind it.
    if (wasAnswered && (detached || (kind & 0xff) === ANSWER.later))
      replies.engine.end(slot, generation)
    else if (detached) {
      answers[at] = ANSWER.none
      replies.send(slot, generation, sequence, undefined, true)
    } else answers[at] = kind | REPLY_END
  }

  get isAnswered(): boolean {
    return this.#batch.answers[this.index * REPLY_WORDS] !== UNANSWERED
  }

  /** Which request of which connection this is. */
  address(): { slot: number; generation: number; sequence: number } {
    const { records } = this.#batch
    const at = this.index * RECORD_WORDS
    return {
      slot: records[at + RECORD.slot] as number,
      generation: records[at + RECORD.generation] as number,
      sequence: records[at + RECORD.sequence] as number,
    }
  }

  #answer(value: unknown): void {
    const { replies, answers, detached } = this.#batch
    if (!detached) {
      replies.place(this.index, checked(value), replies.endsPlain)
      return
    }
    const bytes = replies.bytes(checked(value))
    answers[this.index * REPLY_WORDS] = ANSWER.later
    const { slot, generation, sequence } = this.address()
    replies.send(slot, generation, sequence, bytes, replies.endsPlain)
  }

  #word(word: number): number {
    this.#batch.check()
    return this.#batch.records[this.index * RECORD_WORDS + word] as number
  }

  #place(): [buffer: RawBuffer, start: number] {
    const { slab, bigs } = this.#batch
    const offset = this.#word(RECORD.offset)
    if ((this.#word(RECORD.kind) & RECORD_BIG) === 0) return [slab, offset]
    return [bigs[offset] as RawBuffer, this.#word(RECORD.extra)]
  }
}

/** handle_batch answers each request itself, so undefined is no answer here. */
function checked(value: unknown): unknown {
  if (value !== undefined) return value
  throw misuse(
    'ERR_GAIDAROS_REPLY',
    'request.reply(undefined): wanted bytes, a string or a request',
  )
}

function answeredTwice(request: LazyRequest): Error {
  const { slot, generation, sequence } = request.address()
  return misuse(
    'ERR_GAIDAROS_STATE',
    `request.reply(): request ${sequence} of connection ${slot}.${generation} was answered before`,
  )
}

function usedTooLate(): Error {
  return misuse(
    'ERR_GAIDAROS_STATE',
    'batch: used after handle_batch had returned or its promise had settled',
  )
}
