// Where node:net reports what happens on a connection.

import { parseProxyHeader } from '../../frame/proxyheader.js'
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
  /** Called when the PROXY header of a connection was taken. */
  onIntroduced: (connection: Connection) => void = () => {}
  /** What follows a PROXY header is TLS. */
  isSealed = false
  /** Called when bytes have come in plain although TLS was asked for. */
  onPlain: (connection: Connection) => void = () => {}

  constructor(context: Context, closing: Closing, replies: Replies, turns: Turns) {
    this.#context = context
    this.#closing = closing
    this.#replies = replies
    this.#turns = turns
  }

  /** Listens to its socket. */
  attach(connection: Connection): void {
    const { socket } = connection
    // One that TLS is spoken over tells its news to the one that speaks it.
    const own = (act: () => void) => () => void (connection.socket === socket && act())
    socket.on(
      'end',
      own(() => this.#end(connection)),
    )
    socket.on(
      'drain',
      own(() => this.#replies.flush(connection)),
    )
    socket.on(
      'close',
      own(() => this.#closing.closed(connection)),
    )
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (connection.socket === socket) this.#closing.error(connection, error)
    })
  }

  /** Takes what has come, which lies in `chunk` for as long as this call lasts. */
  received(connection: Connection, chunk: Buffer): void {
    if (connection.greeting !== undefined) {
      const rest = this.#greeted(connection, chunk)
      if (rest === undefined || rest.length === 0 || connection.dead) return
      chunk = rest
    }
    if (connection.upgrading) {
      this.onPlain(connection)
      return
    }
    const { counters, spool } = this.#context
    const { length } = chunk
    connection.touched = true
    // What is compressed is counted as what it becomes.
    if (connection.inflater === undefined) {
      counters.bytes_in += length
      connection.bytesIn += length
    }
    if (connection.ending !== undefined || connection.closing !== undefined) {
      this.#discard(connection, length)
      return
    }
    if (connection.inflater === undefined) connection.inbox.push(spool, chunk)
    else connection.inflater.push(chunk)
    this.#turns.pump(connection)
  }

  /** Takes the PROXY header. @returns what came behind it; undefined: it is not whole, or none */
  #greeted(connection: Connection, chunk: Buffer): Buffer | undefined {
    const { versions } = this.#context.options.proxy
    const greeting = connection.greeting
    if (greeting === undefined || versions === 'off') return chunk
    this.#context.counters.bytes_in += chunk.length
    greeting.held = Buffer.concat([greeting.held, chunk])
    const result = parseProxyHeader(greeting.held, versions)
    if (result.status === 'refused') this.#closing.close(connection, 'proxy_error')
    if (result.status !== 'done') return undefined
    const { header, used } = result
    const rest = greeting.held.subarray(used)
    this.#context.counters.bytes_in -= rest.length
    connection.greeting = undefined
    connection.acceptedAt = performance.now()
    connection.touched = true
    connection.proxy = { version: header.version, address: connection.remote, tlvs: header.tlvs }
    connection.remote = header.source ?? connection.remote
    connection.local = header.destination ?? connection.local
    const { isSealed } = this
    if (isSealed) {
      // What is TLS lies in the socket again, for who reads it next.
      connection.socket.pause().removeAllListeners('data')
      if (rest.length > 0) connection.socket.unshift(Buffer.from(rest))
    }
    this.onIntroduced(connection)
    if (isSealed) return undefined
    // It is heard of before its first request.
    if (this.#context.events.length > 0) this.#turns.tell()
    return rest
  }

  /** The peer has sent FIN. */
  #end(connection: Connection): void {
    if ((connection.greeting?.held.length ?? 0) > 0) {
      this.#closing.close(connection, 'proxy_error')
      return
    }
    if (connection.opening !== undefined) {
      this.#closing.closed(connection)
      return
    }
    connection.eof = true
    this.#turns.pump(connection)
  }

  /** Input that nobody waits for, until the peer's FIN comes. */
  #discard(connection: Connection, bytes: number): void {
    if (!connection.socket.writableFinished) return
    connection.discarded += bytes
    const most = this.#context.limits.lingerBytes
    if (most > 0 && connection.discarded > most)
      this.#closing.close(connection, connection.lingerReason)
  }
}
