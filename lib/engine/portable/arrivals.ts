// Where node:net reports what happens on a connection.

import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'
import type { Replies } from './replies.js'
import type { Turns } from './turns.js'

export class Arrivals {
  readonly #context: Context
  readonly #closing: Closing
  readonly #replies: Replies
  readonly #turns: Turns

  constructor(context: Context, closing: Closing, replies: Replies, turns: Turns) {
    this.#context = context
    this.#closing = closing
    this.#replies = replies
    this.#turns = turns
  }

  /** Listens to its socket. */
  attach(connection: Connection): void {
    const { socket } = connection
    socket.on('end', () => this.#end(connection))
    socket.on('drain', () => this.#replies.flush(connection))
    socket.on('error', ({ code }: NodeJS.ErrnoException) => this.#closing.error(connection, code))
    socket.on('close', () => this.#closing.closed(connection))
  }

  /** Takes what has come, which lies in `chunk` for as long as this call lasts. */
  received(connection: Connection, chunk: Buffer): void {
    const { counters, spool } = this.#context
    const { length } = chunk
    counters.bytes_in += length
    connection.bytesIn += length
    connection.touched = true
    if (connection.ending !== undefined || connection.closing !== undefined) {
      this.#discard(connection, length)
      return
    }
    connection.inbox.push(spool, chunk)
    this.#turns.pump(connection)
  }

  /** The peer has sent FIN. */
  #end(connection: Connection): void {
    connection.eof = true
    this.#turns.pump(connection)
  }

  /** Input that nobody waits for, until the peer's FIN comes. */
  #discard(connection: Connection, bytes: number): void {
    if (!connection.socket.writableFinished) return
    connection.discarded += bytes
    const most = this.#context.limits.lingerBytes
    if (most > 0 && connection.discarded > most) this.#closing.close(connection, 'linger')
  }
}
