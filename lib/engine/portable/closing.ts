// How connections end: at once, or with everything sent, FIN, and a wait for the peer's FIN. close() with unread
// input would make the kernel send RST, which takes with it what the peer has not read yet.

import { KIND } from '../layout.js'
import { ABNORMAL, type CloseReason, REASONS } from '../reasons.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'
import { faultOf, isOfTls } from './security.js'

const OF_TLS: ReadonlySet<CloseReason> = new Set<CloseReason>(['tls_error', 'tls_timeout'])
/** Where a peer earns a reset: it did not read. */
const RESETS: ReadonlySet<CloseReason> = new Set<CloseReason>(['output_limit', 'write_timeout'])

export class Closing {
  readonly #context: Context
  /** Called for each connection once it is gone. */
  onGone: (connection: Connection) => void = () => {}

  constructor(context: Context) {
    this.#context = context
  }

  /** Sends what is answered and FIN; the connection is gone when the peer has sent its own. */
  conclude(connection: Connection, reason: CloseReason): void {
    if (connection.dead || connection.closing !== undefined) return
    connection.closing = reason
    connection.inbox.clear()
    connection.pipeline.drop()
    connection.partial = false
    this.#context.counters.bytes_out += connection.output.end()
    connection.socket.end()
    connection.steer()
  }

  /** Cuts no further requests; concludes once those in flight are answered. */
  end(connection: Connection, reason: CloseReason): void {
    if (connection.dead || connection.ending !== undefined) return
    connection.ending = reason
    connection.inbox.clear()
    connection.partial = false
    connection.expects = false
    connection.stalled = false
    connection.steer()
    this.whenAnswered(connection)
  }

  /** Concludes a connection that will have no further requests, if all are answered. */
  whenAnswered(connection: Connection): void {
    if (connection.isWaiting) return
    if (connection.ending !== undefined) this.conclude(connection, connection.ending)
    else if (connection.finished && !this.#holdsInput(connection)) this.conclude(connection, 'end')
  }

  /** Who frames in JS has not heard of the end yet, and may cut further requests. */
  #holdsInput(connection: Connection): boolean {
    return this.#context.framer === undefined && !connection.endTold
  }

  /** Closes now, behind the replies that were given before; one that was given in part is broken off. */
  fail(connection: Connection, reason: CloseReason): void {
    if (connection.dead) return
    if (!connection.pipeline.streaming)
      this.#context.counters.bytes_out += connection.output.flush()
    this.close(connection, reason)
  }

  /** Closes now. */
  close(connection: Connection, reason: CloseReason): void {
    if (connection.dead) return
    connection.dead = true
    this.#forget(connection)
    const { counters } = this.#context
    if (connection.opening !== undefined && OF_TLS.has(reason)) counters.tls_failed++
    // Only TCP has resets; a unix socket that is closed with unsent bytes has none to lose. A proxy says what is behind
    // it, not what it came by.
    const { family } = connection.proxy?.address ?? connection.local
    if (RESETS.has(reason) && family !== 'unix') connection.raw.resetAndDestroy()
    connection.socket.destroy()
    this.#report(connection, reason)
    this.onGone(connection)
  }

  /** node:net has closed it, on an error or because both sides have sent FIN. */
  closed(connection: Connection): void {
    this.close(connection, connection.closing ?? this.#early(connection) ?? 'io_error')
  }

  /** Why one leaves whose TLS handshake is not over: who has said nothing is a peer like any other. */
  #early(connection: Connection): CloseReason | undefined {
    if (connection.opening === undefined) return undefined
    if (connection.raw.bytesRead === 0) return 'end'
    connection.fault ??= 'the peer left during the handshake'
    return 'tls_error'
  }

  error(connection: Connection, error: NodeJS.ErrnoException): void {
    const { code } = error
    if (isOfTls(error)) {
      connection.fault = faultOf(error)
      this.close(connection, 'tls_error')
      return
    }
    // Everything was sent: how the peer leaves no longer matters.
    if (connection.closing !== undefined && connection.socket.writableFinished)
      this.closed(connection)
    else this.close(connection, code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'io_error')
  }

  #forget(connection: Connection): void {
    connection.unsent = connection.output.unsent
    this.#context.counters.bytes_out -= connection.unsent
    connection.inbox.clear()
    connection.inflater?.close()
    connection.output.drop()
    connection.output.deflater?.close()
    connection.pipeline.drop()
    connection.marks = undefined
  }

  #report(connection: Connection, reason: CloseReason): void {
    const { counters, options, table } = this.#context
    counters.active--
    counters.closed[reason]++
    const wanted = connection.watched || options.wantClosed || ABNORMAL.has(reason)
    if (wanted) this.#context.tell(KIND.closed, connection, REASONS.indexOf(reason))
    else table.release(connection)
  }
}
