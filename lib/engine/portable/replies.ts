// Replies on their way out: in order of their requests, gathered, and held back where the peer does not read.

import { KIND, REPLY_FLAG } from '../layout.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'

/** Gathered bytes that are flushed without waiting for more, where there is no high-water mark. */
const GATHER_BYTES = 64 * 1024
/** An interim response (RFC 9110, 15.2.1): no reply, so it is not counted as one. */
const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')

export class Replies {
  readonly #context: Context
  readonly #closing: Closing
  /** Called after each flush of a connection that is about to turn to TLS. */
  onFlushed: (connection: Connection) => void = () => {}

  constructor(context: Context, closing: Closing) {
    this.#context = context
    this.#closing = closing
  }

  /** A whole reply of a turn: buffer[start..end) by reference; it is never rewritten. */
  whole(
    connection: Connection,
    sequence: number,
    buffer: Buffer,
    start: number,
    end: number,
    last: boolean,
  ): void {
    const { pipeline } = connection
    if (sequence !== pipeline.head) {
      pipeline.hold(sequence, buffer.subarray(start, end), true, last)
      return
    }
    this.#whole(connection, 1, buffer, start, end, last)
  }

  /** Whole replies to the head and the requests behind it, `count` in all, which lie side by side. */
  run(connection: Connection, count: number, buffer: Buffer, start: number, end: number): void {
    this.#whole(connection, count, buffer, start, end, false)
  }

  /** Engine.reply() on a live connection. */
  piece(
    connection: Connection,
    sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number {
    if (!connection.pipeline.has(sequence)) return connection.queued
    const more = (flags & REPLY_FLAG.more) !== 0
    if (more && this.#overrun(connection)) return -1
    const bytes = data === undefined ? undefined : this.#framed(connection, data, flags)
    if (connection.dead) return -1
    const end = (flags & REPLY_FLAG.end) !== 0
    if (sequence === connection.pipeline.head) this.#ofHead(connection, bytes, more, end)
    else {
      connection.pipeline.hold(sequence, bytes && Buffer.from(bytes), !more, end)
      this.level(connection)
      return connection.queued
    }
    return this.#waiting(connection)
  }

  /** Engine.write() on a live connection. */
  write(connection: Connection, data: Uint8Array): number {
    if (this.#overrun(connection)) return -1
    connection.output.copy(this.#context.spool, data, 0, data.length)
    this.#gathered(connection)
    return this.#waiting(connection)
  }

  /** Tells a client that waits for it to send its body, unless replies to earlier requests are still to come. */
  invite(connection: Connection): void {
    if (!connection.expects || connection.pipeline.inFlight > 0) return
    connection.expects = false
    connection.output.add(CONTINUE, 0, CONTINUE.length)
    this.#gathered(connection)
  }

  flush(connection: Connection): void {
    const bytes = connection.output.flush()
    if (bytes > 0) {
      this.#context.counters.bytes_out += bytes
      connection.touched = true
    }
    this.level(connection)
    if (connection.upgrading) this.onFlushed(connection)
  }

  /** Above the high-water mark, writers and reading stop; both go on at half of it. */
  level(connection: Connection): void {
    const mark = this.#context.limits.outputHighWater
    if (connection.high && connection.output.queued <= mark / 2) {
      connection.high = false
      if (connection.watched) this.#context.tell(KIND.drained, connection, connection.output.queued)
    } else if (mark !== 0 && connection.output.queued > mark) connection.high = true
    if (connection.blocked) {
      if (mark === 0 || connection.queued <= mark / 2) this.#unblock(connection)
    } else if (mark !== 0 && connection.queued > mark) {
      connection.blocked = true
      connection.steer()
    }
  }

  #unblock(connection: Connection): void {
    connection.blocked = false
    if (connection.hasInput) this.#context.wake(connection)
    connection.steer()
  }

  #whole(
    connection: Connection,
    count: number,
    buffer: Buffer,
    start: number,
    end: number,
    last: boolean,
  ): void {
    connection.output.add(buffer, start, end)
    this.#gathered(connection)
    connection.pipeline.measured((end - start) / count)
    this.#advance(connection, count, last)
  }

  #ofHead(
    connection: Connection,
    bytes: Uint8Array | undefined,
    more: boolean,
    end: boolean,
  ): void {
    const { output, pipeline } = connection
    if (bytes !== undefined) {
      output.copy(this.#context.spool, bytes, 0, bytes.length)
      this.#gathered(connection)
    }
    connection.touched = true
    if (more) {
      pipeline.streaming = true
      return
    }
    if (!pipeline.streaming) pipeline.measured(bytes?.length ?? 0)
    this.#advance(connection, 1, end)
  }

  /** The head and the requests behind it are answered, `count` in all: what was held for the next ones follows. */
  #advance(connection: Connection, count: number, last: boolean): void {
    const { pipeline } = connection
    this.#answered(connection, count)
    let end = last
    while (!end) {
      const held = pipeline.take()
      if (held === undefined) break
      for (const piece of held.pieces) connection.output.add(piece, 0, piece.length)
      this.#gathered(connection)
      pipeline.streaming = !held.done
      if (!held.done) {
        // Its writer may have stopped for what was in front of it.
        connection.high = this.#context.limits.outputHighWater !== 0
        break
      }
      pipeline.measured(held.bytes)
      this.#answered(connection, 1)
      end = held.end
    }
    if (end) this.#closing.conclude(connection, 'done')
    else if (pipeline.inFlight === 0) {
      if (connection.expects) this.invite(connection)
      this.#closing.whenAnswered(connection)
    }
    if (connection.stalled) this.#context.wake(connection)
  }

  #answered(connection: Connection, count: number): void {
    connection.pipeline.advance(count)
    this.#context.counters.replies += count
    const { sampled } = connection
    if (sampled !== undefined) this.#context.timing.settle(connection, sampled)
  }

  #gathered(connection: Connection): void {
    const { limits, options } = this.#context
    const most = limits.outputHighWater === 0 ? GATHER_BYTES : limits.outputHighWater
    if (options.tcpNodelay || connection.output.gathered > most) this.flush(connection)
    else this.#context.soil(connection)
  }

  #framed(connection: Connection, data: Uint8Array, flags: number): Uint8Array {
    const { framer } = this.#context
    if ((flags & REPLY_FLAG.frame) === 0 || framer === undefined) return data
    try {
      return framer.wrap(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
    } catch {
      // Longer than its length field can say: the only thing that wrap() throws for.
      this.#closing.fail(connection, 'handler_error')
      return data
    }
  }

  /** True: bytes from earlier that wait unsent are beyond the limit, and the connection is closed. */
  #overrun(connection: Connection): boolean {
    const limit = this.#context.limits.outputLimit
    if (limit === 0 || connection.output.queued <= limit) return false
    this.flush(connection)
    if (connection.output.queued <= limit) return false
    this.#closing.close(connection, 'output_limit')
    return true
  }

  #waiting(connection: Connection): number {
    if (connection.dead) return -1
    const mark = this.#context.limits.outputHighWater
    if (mark !== 0 && connection.output.queued > mark) this.flush(connection)
    return connection.output.queued
  }
}
