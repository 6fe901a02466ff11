// Turns: input is cut into records, the host answers them in one call, and the answers are put on their way.
// Each received chunk is a turn of its own, and its slab is the chunk itself: nothing is copied.

import type { Frame, JsFramer } from '../../frame/framer.js'
import type { EngineHost } from '../engine.js'
import { ANSWER, KIND, RECORD, RECORD_WORDS, REPLY, REPLY_END, REPLY_WORDS } from '../layout.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context, Event } from './context.js'
import type { Replies } from './replies.js'

export const MAX_RECORDS = 1024
const OUT_BYTES = 256 * 1024
const EMPTY = Buffer.alloc(0)

export class Turns {
  readonly records = new Uint32Array(MAX_RECORDS * RECORD_WORDS)
  readonly replies = new Uint32Array(MAX_RECORDS * REPLY_WORDS)
  readonly out = Buffer.allocUnsafeSlow(OUT_BYTES)
  slab: Buffer = EMPTY

  readonly #context: Context
  readonly #replies: Replies
  readonly #closing: Closing
  readonly #host: EngineHost

  constructor(context: Context, replies: Replies, closing: Closing, host: EngineHost) {
    this.#context = context
    this.#replies = replies
    this.#closing = closing
    this.#host = host
  }

  /** A chunk was received. */
  input(connection: Connection, chunk: Buffer): void {
    this.#context.counters.bytes_in += chunk.length
    connection.bytesIn += chunk.length
    connection.touched = true
    if (connection.ending !== undefined || connection.closing !== undefined) {
      this.#discard(connection, chunk.length)
      return
    }
    connection.inbox.push(chunk)
    this.pump(connection)
  }

  /** The peer has sent FIN. */
  ended(connection: Connection): void {
    connection.eof = true
    this.pump(connection)
  }

  /** Cuts what can be cut of the input at hand, hands it up, and sends the answers. */
  pump(connection: Connection): void {
    const context = this.#context
    const { framer } = context
    context.counters.turns++
    context.current = connection
    if (framer === undefined) this.#chunk(connection)
    else while (this.#step(connection, framer));
    if (connection.eof && !connection.finished) this.#finish(connection)
    context.current = undefined
    if (connection.dead) return
    this.#replies.flush(connection)
    if (connection.closing === undefined) this.#rest(connection)
  }

  /** Hands up the events that wait. */
  tell(): void {
    const { events } = this.#context
    this.#context.events = []
    for (let at = 0; at < events.length; at += MAX_RECORDS) {
      this.#tell(events.slice(at, at + MAX_RECORDS))
    }
  }

  /** Requests may be cut: nobody has stopped it, and there is room. */
  #room(connection: Connection): number {
    const { dead, closing, ending, paused, blocked } = connection
    if (dead || closing !== undefined || ending !== undefined || paused || blocked) return 0
    return connection.room(this.#context.limits)
  }

  /** One turn of requests. True: there may be another one. */
  #step(connection: Connection, framer: JsFramer): boolean {
    const { inbox } = connection
    connection.stalled = false
    if (inbox.length === 0) return false
    const room = this.#room(connection)
    connection.stalled = room <= 0
    if (connection.stalled) return false
    const cut = framer.cut(inbox.view(), this.#context.limits.maxFrameSize, room, inbox.state)
    const { buffer, start } = inbox
    inbox.consume(cut.consumed)
    this.#unfinished(connection, cut.status === 'more' && inbox.length > 0, cut.frames.length > 0)
    if (cut.frames.length > 0) this.#requests(connection, buffer, start, cut.frames)
    if (cut.status === 'too_long') this.#closing.fail(connection, 'frame_size')
    else if (cut.status === 'malformed') this.#closing.fail(connection, 'frame_error')
    return cut.status === 'room'
  }

  #requests(connection: Connection, slab: Buffer, base: number, frames: readonly Frame[]): void {
    const { records } = this
    const count = frames.length
    const first = connection.pipeline.next
    for (let i = 0; i < count; i++) {
      const { offset, length, head, tail } = frames[i] as Frame
      const word = i * RECORD_WORDS
      records[word + RECORD.kind] = KIND.request
      records[word + RECORD.slot] = connection.slot
      records[word + RECORD.generation] = connection.generation
      records[word + RECORD.sequence] = first + i
      records[word + RECORD.offset] = base + offset + head
      records[word + RECORD.length] = length - head - tail
      records[word + RECORD.extra] = 0
    }
    this.opened(connection, count)
    this.#turn(slab, count)
    for (let i = 0; i < count && !connection.dead && connection.closing === undefined; i++) {
      this.#answer(connection, i, (first + i) >>> 0)
    }
  }

  /** Input that nobody waits for, until the peer's FIN comes. */
  #discard(connection: Connection, bytes: number): void {
    if (!connection.socket.writableFinished) return
    connection.discarded += bytes
    const most = this.#context.limits.lingerBytes
    if (most > 0 && connection.discarded > most) this.#closing.close(connection, 'linger')
  }

  /** `count` further requests are in flight. */
  opened(connection: Connection, count: number): void {
    connection.pipeline.open(count)
    connection.requests += count
    this.#context.counters.requests += count
  }

  #turn(slab: Buffer, count: number): void {
    const { counters } = this.#context
    counters.batches++
    counters.records += count
    this.slab = slab
    this.#host.turn(count)
  }

  #answer(connection: Connection, index: number, sequence: number): void {
    const word = index * REPLY_WORDS
    const kind = this.replies[word + REPLY.kind] as number
    const start = this.replies[word + REPLY.offset] as number
    const end = start + (this.replies[word + REPLY.length] as number)
    const last = (kind & REPLY_END) !== 0
    switch (kind & 0xff) {
      case ANSWER.none:
        this.#replies.whole(connection, sequence, EMPTY, 0, 0, last)
        break
      case ANSWER.same:
        this.#same(connection, index, sequence, last)
        break
      case ANSWER.slab:
        this.#replies.whole(connection, sequence, this.slab, start, end, last)
        break
      case ANSWER.out:
        this.#replies.copied(connection, sequence, this.out, start, end, last)
        break
      case ANSWER.failed:
        this.#closing.fail(connection, 'handler_error')
    }
  }

  #same(connection: Connection, index: number, sequence: number, last: boolean): void {
    const word = index * RECORD_WORDS
    const start = this.records[word + RECORD.offset] as number
    const end = start + (this.records[word + RECORD.length] as number)
    const framer = this.#context.framer as JsFramer
    if (!framer.strips) {
      this.#replies.whole(connection, sequence, this.slab, start, end, last)
      return
    }
    const framed = framer.wrap(this.slab.subarray(start, end))
    this.#replies.whole(connection, sequence, framed, 0, framed.length, last)
  }

  /** A turn of bytes that are cut above. */
  #chunk(connection: Connection): void {
    const { inbox, pipeline } = connection
    const length = inbox.length
    connection.stalled = false
    if (length === 0) return
    connection.stalled = this.#room(connection) <= 0
    if (connection.stalled) return
    const { buffer, start } = inbox
    inbox.clear()
    this.#record(0, connection, KIND.chunk, start, length)
    this.records[RECORD.sequence] = pipeline.next
    this.#turn(buffer, 1)
    this.#heed(connection, 0)
  }

  #record(
    index: number,
    connection: Connection,
    kind: number,
    offset: number,
    length: number,
  ): void {
    const word = index * RECORD_WORDS
    this.records.fill(0, word, word + RECORD_WORDS)
    this.records[word + RECORD.kind] = kind
    this.records[word + RECORD.slot] = connection.slot
    this.records[word + RECORD.generation] = connection.generation
    this.records[word + RECORD.sequence] = connection.pipeline.next
    this.records[word + RECORD.offset] = offset
    this.records[word + RECORD.length] = length
  }

  /** What the answer to a record that is no request may ask for. */
  #heed(connection: Connection, index: number): void {
    const kind = this.replies[index * REPLY_WORDS + REPLY.kind] as number
    if ((kind & 0xff) === ANSWER.failed) this.#closing.fail(connection, 'handler_error')
    else if ((kind & REPLY_END) !== 0) this.#closing.end(connection, 'done')
  }

  #tell(events: readonly Event[]): void {
    events.forEach(({ kind, connection, extra }, index) => {
      this.#record(index, connection, kind, 0, 0)
      this.records[index * RECORD_WORDS + RECORD.extra] = extra
    })
    this.#turn(EMPTY, events.length)
    events.forEach(({ kind, connection }, index) => {
      if (kind === KIND.closed) this.#context.table.release(connection)
      else this.#heed(connection, index)
      if (kind === KIND.ended) this.#drained(connection)
    })
  }

  /** All input before FIN is cut: what is left is the last frame, or no frame at all. */
  #finish(connection: Connection): void {
    const { inbox } = connection
    if (connection.dead || connection.stalled || connection.closing !== undefined) return
    connection.finished = true
    if (this.#context.framer === undefined) {
      this.#context.tell(KIND.ended, connection, 0)
      return
    }
    const rest = inbox.view()
    const last = rest.length > 0 ? this.#context.framer.finish(rest) : undefined
    inbox.clear()
    if (last !== undefined) {
      connection.partial = false
      this.#requests(connection, rest, 0, [last])
    }
    this.#drained(connection)
  }

  /** No input is to come. */
  #drained(connection: Connection): void {
    if (connection.dead) return
    if (connection.partial) this.#context.counters.dropped_frames++
    connection.partial = false
    this.#closing.whenAnswered(connection)
  }

  /** Notes whether a frame is unfinished; its time runs from its first byte. */
  #unfinished(connection: Connection, partial: boolean, cut: boolean): void {
    if (partial && (cut || !connection.partial)) connection.frameAt = performance.now()
    connection.partial = partial
  }

  /** The same, told by what cuts above. */
  framed(connection: Connection, count: number, partial: boolean): void {
    this.opened(connection, count)
    this.#unfinished(connection, partial, count > 0)
  }

  /** After a turn: keeps what is left, and notes since when requests are in flight. */
  #rest(connection: Connection): void {
    if (connection.partial) connection.inbox.settle()
    connection.steer()
    if (this.#context.limits.handlerTimeout > 0) connection.mark()
  }
}
