// Turns: input is cut into records, the host answers them in one call, and the answers are put on their way.
// Each received chunk is a turn of its own; requests are cut where the chunk lies in the spool.

import type { Frame, JsFramer } from '../../frame/framer.js'
import type { EngineHost } from '../engine.js'
import { KIND } from '../layout.js'
import type { Answers } from './answers.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context, Event } from './context.js'
import { type Http, reasonOf } from './http.js'
import { MAX_RECORDS, Records } from './records.js'
import type { Replies } from './replies.js'

const EMPTY = Buffer.alloc(0)
/** What some compressed input has become. */
const PLAIN = Buffer.allocUnsafeSlow(64 * 1024)

export class Turns {
  readonly records = new Records()
  slab: Buffer = EMPTY

  readonly #context: Context
  readonly #replies: Replies
  readonly #closing: Closing
  readonly #answers: Answers
  readonly #http: Http
  readonly #host: EngineHost
  /** The turn whose promises run: its records, 0 where it is several turns, and when it began. */
  #behind: { count: number; began: number } | undefined

  constructor(
    context: Context,
    replies: Replies,
    closing: Closing,
    answers: Answers,
    http: Http,
    host: EngineHost,
  ) {
    this.#context = context
    this.#replies = replies
    this.#closing = closing
    this.#answers = answers
    this.#http = http
    this.#host = host
  }

  /** Cuts what can be cut of the input at hand, hands it up, and sends the answers. */
  pump(connection: Connection): void {
    const context = this.#context
    const { framer } = context
    context.counters.turns++
    context.current = connection
    do {
      if (framer === undefined) this.#chunk(connection)
      else while (this.#step(connection, framer));
    } while (this.#inflate(connection))
    if (connection.eof && !connection.finished) this.#finish(connection)
    context.current = undefined
    if (!connection.dead) this.#replies.flush(connection)
    context.timing.sent()
    if (connection.dead) return
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

  /** `count` further requests were cut above, and are in flight. */
  opened(connection: Connection, count: number): void {
    this.#context.opened(connection, count)
    const last = (connection.pipeline.next - 1) >>> 0
    if (count > 0) this.#context.timing.expectLate(connection, last, count)
  }

  /** Notes whether a frame is unfinished; its time runs from its first byte. */
  unfinished(connection: Connection, partial: boolean, cut: boolean): void {
    if (partial && (cut || !connection.partial)) connection.frameAt = performance.now()
    connection.partial = partial
  }

  /** How many requests may be cut now; none while anything holds them up. */
  #room(connection: Connection): number {
    const { dead, closing, ending, paused, blocked, handed } = connection
    const open = !dead && closing === undefined && ending === undefined
    const room = open && !paused && !blocked && !handed ? connection.room(this.#context.limits) : 0
    connection.stalled = room <= 0
    return room
  }

  /** Where input is compressed: inflates some of it, once what it has become so far is taken. True: there is more to cut. */
  #inflate(connection: Connection): boolean {
    const { inflater, dead, closing, ending, paused, blocked, stalled, handed } = connection
    if (inflater === undefined || dead || closing !== undefined || ending !== undefined)
      return false
    if (!inflater.holds || paused || blocked || stalled || handed) return this.#heed(connection)
    const { counters, limits, spool } = this.#context
    const before = inflater.used
    const made = inflater.take(PLAIN, limits)
    counters.compressed_bytes_in += inflater.used - before
    counters.bytes_in += made
    connection.bytesIn += made
    if (made > 0) connection.inbox.push(spool, PLAIN.subarray(0, made))
    return made > 0 || this.#heed(connection)
  }

  /** What was asked before something that is not understood is answered. */
  #heed(connection: Connection): false {
    const { inflater, stalled } = connection
    if (inflater?.refusal !== undefined && !stalled) this.#closing.end(connection, inflater.refusal)
    return false
  }

  /** One turn of requests. True: there may be another one. */
  #step(connection: Connection, framer: JsFramer): boolean {
    const { inbox } = connection
    connection.stalled = false
    if (inbox.start === inbox.end) return false
    const room = this.#room(connection)
    if (room <= 0) return false
    const { buffer, start } = inbox
    const { maxFrameSize } = this.#context.limits
    const cut = framer.cut(inbox.view(), maxFrameSize, room, inbox.state)
    const { frames, status } = cut
    inbox.consume(cut.consumed)
    this.unfinished(connection, status === 'more' && inbox.length > 0, frames.length > 0)
    if (frames.length > 0) this.#requests(connection, buffer, start, frames)
    if (status === 'room') return true
    if (this.#http.isFramer) this.#http.heed(connection, cut)
    else if (status !== 'more') this.#closing.fail(connection, reasonOf(cut))
    return false
  }

  #requests(connection: Connection, slab: Buffer, base: number, frames: readonly Frame[]): void {
    const { records } = this
    const count = frames.length
    const first = connection.pipeline.next
    records.requests(connection, first, base, frames)
    this.#context.opened(connection, count)
    connection.expects = false
    this.#turn(slab, count)
    const { words } = records
    for (let i = 0; i < count && !connection.dead && connection.closing === undefined; )
      i += this.#answers.take(connection, i, count, (first + i) >>> 0, slab, words)
  }

  #turn(slab: Buffer, count: number): void {
    const { counters } = this.#context
    counters.batches++
    counters.records += count
    this.slab = slab
    const began = performance.now()
    this.#host.turn(count)
    const ms = this.#context.timing.turned(began)
    const { stallWarning } = this.#context.limits
    if (stallWarning === 0) return
    if (ms >= stallWarning) this.#host.stalled(count, ms)
    else if (this.#answers.isLater(count - 1)) this.#watchPromises(count, began)
  }

  // Node runs the promises of a turn behind it, where the native engine does so within.
  #watchPromises(count: number, began: number): void {
    if (this.#behind !== undefined) {
      this.#behind.count = 0
      return
    }
    this.#behind = { count, began }
    // Ticks of a microtask come when no further one is left.
    queueMicrotask(() => process.nextTick(this.#promisesDone))
  }

  readonly #promisesDone = (): void => {
    const { count, began } = this.#behind as { count: number; began: number }
    this.#behind = undefined
    const ms = performance.now() - began
    if (ms >= this.#context.limits.stallWarning) this.#host.stalled(count, ms)
  }

  /** A turn of bytes that are cut above. */
  #chunk(connection: Connection): void {
    const { inbox } = connection
    const { buffer, start, length } = inbox
    connection.stalled = false
    if (length === 0 || this.#room(connection) <= 0) return
    inbox.clear()
    this.records.event(0, connection, KIND.chunk, start, length, 0)
    this.#turn(buffer, 1)
    if (this.#answers.isLater(0)) connection.handed = !connection.dead
    else this.#answers.heed(connection, 0)
  }

  /** Whoever has the last chunk has counted what is in it. */
  chunkTaken(connection: Connection): void {
    connection.handed = false
    this.#closing.whenAnswered(connection)
    this.#context.wake(connection)
  }

  #tell(events: readonly Event[]): void {
    events.forEach(({ kind, connection, extra }, index) => {
      this.records.event(index, connection, kind, 0, 0, extra)
    })
    this.#turn(EMPTY, events.length)
    events.forEach(({ kind, connection }, index) => {
      if (kind === KIND.closed) this.#context.table.release(connection)
      else this.#answers.heed(connection, index)
      if (kind === KIND.ended && !this.#answers.isLater(index)) this.heardEnd(connection)
    })
  }

  /** All input before FIN is cut: what is left is the last frame, or no frame at all. */
  #finish(connection: Connection): void {
    const { inbox } = connection
    const { framer } = this.#context
    const { blocked, closing, dead, paused, stalled } = connection
    if (dead || closing !== undefined || paused || blocked || stalled) return
    if (connection.inflater?.holds) return
    connection.finished = true
    if (connection.inflater?.finish() === false) return void this.#heed(connection)
    if (framer === undefined) {
      this.#context.tell(KIND.ended, connection, 0)
      return
    }
    const rest = inbox.view()
    const last = rest.length > 0 ? framer.finish(rest) : undefined
    inbox.clear()
    if (last !== undefined) {
      connection.partial = false
      this.#requests(connection, rest, 0, [last])
    }
    this.#drained(connection)
  }

  /** Who frames in JS was told; what max_pipelined kept it from cutting it cuts later. */
  heardEnd(connection: Connection): void {
    connection.endTold = true
    this.#drained(connection)
  }

  /** No input is to come. */
  #drained(connection: Connection): void {
    if (connection.dead) return
    this.drop(connection)
    this.#closing.whenAnswered(connection)
  }

  /** Nothing will finish a frame that the end of input left unfinished. */
  drop(connection: Connection): void {
    if (connection.partial) this.#context.counters.dropped_frames++
    connection.partial = false
  }

  /** After a turn: keeps what is left, and notes since when requests are in flight. */
  #rest(connection: Connection): void {
    if (connection.partial) connection.inbox.settle()
    connection.steer()
    if (this.#context.limits.handlerTimeout > 0) connection.mark()
  }
}
