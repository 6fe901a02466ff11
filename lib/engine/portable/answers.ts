// What the host wrote in answer to the records of a turn, put on its way.

import type { JsFramer } from '../../frame/framer.js'
import { ANSWER, RECORD, RECORD_WORDS, REPLY, REPLY_END, REPLY_WORDS } from '../layout.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'
import { MAX_RECORDS } from './records.js'
import type { Replies } from './replies.js'

const OUT_BYTES = 256 * 1024
const EMPTY = Buffer.alloc(0)

export class Answers {
  /** Engine.replies and Engine.out. */
  readonly words = new Uint32Array(MAX_RECORDS * REPLY_WORDS)
  readonly out = Buffer.allocUnsafeSlow(OUT_BYTES)

  readonly #context: Context
  readonly #replies: Replies
  readonly #closing: Closing

  constructor(context: Context, replies: Replies, closing: Closing) {
    this.#context = context
    this.#replies = replies
    this.#closing = closing
  }

  /**
   * Takes the answer to record `index` of `count`, which is request `sequence` and lies in `slab`, with the ones
   * behind it that can be taken at once.
   * @returns how many were taken
   */
  take(
    connection: Connection,
    index: number,
    count: number,
    sequence: number,
    slab: Buffer,
    records: Uint32Array,
  ): number {
    const echoed = this.#echoed(connection, index, count, sequence)
    if (echoed === 0) {
      this.#time(connection, index, sequence)
      this.#one(connection, index, sequence, slab, records)
      return 1
    }
    const first = index * RECORD_WORDS
    const last = (index + echoed - 1) * RECORD_WORDS
    const start = records[first + RECORD.offset] as number
    const end =
      (records[last + RECORD.offset] as number) + (records[last + RECORD.length] as number)
    this.#context.timing.answeredNow(echoed)
    this.#replies.run(connection, echoed, slab, start, end)
    return echoed
  }

  /** Whether the request is answered now, or whose answer is waited for. */
  #time(connection: Connection, index: number, sequence: number): void {
    const { timing } = this.#context
    const { pipeline } = connection
    const kind = (this.words[index * REPLY_WORDS + REPLY.kind] as number) & 0xff
    if (kind === ANSWER.failed) return
    // A call may have answered it before the turn was over.
    if (!pipeline.has(sequence) || (kind !== ANSWER.later && sequence === pipeline.head))
      timing.answeredNow(1)
    else timing.expectLate(connection, sequence, 1)
  }

  #one(
    connection: Connection,
    index: number,
    sequence: number,
    slab: Buffer,
    records: Uint32Array,
  ): void {
    const word = index * REPLY_WORDS
    const kind = this.words[word + REPLY.kind] as number
    const last = (kind & REPLY_END) !== 0
    switch (kind & 0xff) {
      case ANSWER.same:
        this.#same(connection, sequence, slab, records, index * RECORD_WORDS, last)
        break
      case ANSWER.none:
        this.#replies.whole(connection, sequence, EMPTY, 0, 0, last)
        break
      case ANSWER.slab:
        this.#replies.whole(connection, sequence, slab, this.#start(word), this.#end(word), last)
        break
      case ANSWER.out:
        this.#copied(connection, sequence, this.#start(word), this.#end(word), last)
        break
      case ANSWER.failed:
        this.#closing.fail(connection, 'handler_error')
    }
  }

  /**
   * How many answers from record `index` on, of `count` records, are the requests themselves, as they stand in the
   * slab: they leave as one. 0: not even the first, or they are to be framed anew.
   */
  #echoed(connection: Connection, index: number, count: number, sequence: number): number {
    const { framer } = this.#context
    if (framer?.strips || sequence !== connection.pipeline.head) return 0
    // Blank lines may stand between requests of HTTP.
    if (framer?.refusal !== undefined) return 0
    let at = index
    while (at < count && this.words[at * REPLY_WORDS + REPLY.kind] === ANSWER.same) at++
    return at - index
  }

  /** Whether the answer to record `index` comes by a call. */
  isLater(index: number): boolean {
    return ((this.words[index * REPLY_WORDS + REPLY.kind] as number) & 0xff) === ANSWER.later
  }

  /** What the answer to a record that is no request may ask for. */
  heed(connection: Connection, index: number): void {
    const kind = this.words[index * REPLY_WORDS + REPLY.kind] as number
    if ((kind & 0xff) === ANSWER.failed) this.#closing.fail(connection, 'handler_error')
    else if ((kind & REPLY_END) !== 0) this.#closing.end(connection, 'done')
  }

  #start(word: number): number {
    return this.words[word + REPLY.offset] as number
  }

  #end(word: number): number {
    return this.#start(word) + (this.words[word + REPLY.length] as number)
  }

  #same(
    connection: Connection,
    sequence: number,
    slab: Buffer,
    records: Uint32Array,
    word: number,
    last: boolean,
  ): void {
    const start = records[word + RECORD.offset] as number
    const end = start + (records[word + RECORD.length] as number)
    const framer = this.#context.framer as JsFramer
    if (!framer.strips) {
      this.#replies.whole(connection, sequence, slab, start, end, last)
      return
    }
    const framed = framer.wrap(slab.subarray(start, end))
    this.#replies.whole(connection, sequence, framed, 0, framed.length, last)
  }

  /** `out` is written anew in each turn. */
  #copied(
    connection: Connection,
    sequence: number,
    start: number,
    end: number,
    last: boolean,
  ): void {
    const { spool } = this.#context
    spool.copy(this.out, start, end)
    this.#replies.whole(connection, sequence, spool.buffer, spool.start, spool.end, last)
  }
}
