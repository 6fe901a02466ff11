// All timers of all connections: one coarse sweep over them, not a JS timer each. A timer fires up to two sweeps
// late, never early.

import type { Limits } from '../engine.js'
import type { CloseReason } from '../reasons.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'
import type { Http } from './http.js'
import type { Replies } from './replies.js'

/** Sweeps in the shortest timeout, and bounds of the time between two, in milliseconds. */
const SWEEPS = 8
const SHORTEST = 5
const LONGEST = 500

/** The time between two sweeps under these limits. */
function intervalOf(limits: Limits, proxyTimeout: number, hasTls: boolean): number {
  const { firstByteTimeout, frameTimeout, idleTimeout, writeTimeout, handlerTimeout } = limits
  const { lingerIdleTimeout, lingerTimeout } = limits
  const timeouts = [firstByteTimeout, frameTimeout, idleTimeout, writeTimeout, handlerTimeout]
  const shortest = Math.min(
    ...[
      ...timeouts,
      lingerIdleTimeout,
      lingerTimeout,
      proxyTimeout,
      hasTls ? limits.tlsHandshakeTimeout : 0,
    ].filter((ms) => ms > 0),
  )
  return Math.min(LONGEST, Math.max(SHORTEST, Math.floor(shortest / SWEEPS)))
}

const over = (limit: number, since: number, now: number): boolean =>
  limit > 0 && now - since >= limit

/**
 * Bytes that libuv still has to send; shows progress within one long write. Unknown: 0. TLS has a queue of its own that
 * does not move before all of a write is sent: the one beneath it does.
 */
function kernelQueue(connection: Connection): number {
  const { _handle: handle } = connection.raw as unknown as {
    _handle?: { writeQueueSize?: number } | null
  }
  return handle?.writeQueueSize ?? 0
}

export class Sweep {
  readonly #context: Context
  readonly #closing: Closing
  readonly #replies: Replies
  readonly #http: Http
  #timer: NodeJS.Timeout | undefined
  #due: NodeJS.Immediate | undefined

  constructor(context: Context, closing: Closing, replies: Replies, http: Http) {
    this.#context = context
    this.#closing = closing
    this.#replies = replies
    this.#http = http
  }

  /** There are connections. */
  start(): void {
    this.#timer ??= setInterval(() => this.#schedule(), this.#interval())
  }

  stop(): void {
    clearInterval(this.#timer)
    clearImmediate(this.#due)
    this.#timer = undefined
    this.#due = undefined
  }

  #interval(): number {
    const { limits, options } = this.#context
    const proxyTimeout = options.proxy.versions === 'off' ? 0 : options.proxy.timeout
    return intervalOf(limits, proxyTimeout, options.tls !== undefined)
  }

  /** Limits were swapped. */
  adapt(): void {
    if (this.#timer === undefined) return
    this.stop()
    this.start()
  }

  /** A loop that was busy for long runs its timers before it reads: what has come meanwhile is read first. */
  #schedule(): void {
    this.#due ??= setImmediate(() => {
      this.#due = undefined
      this.#sweep()
    })
  }

  #sweep(): void {
    const now = performance.now()
    for (const connection of this.#context.table) {
      if (!connection.dead) this.#visit(connection, now)
    }
  }

  #visit(connection: Connection, now: number): void {
    this.#look(connection, now)
    const reason =
      connection.closing === undefined ? this.#open(connection, now) : this.#last(connection, now)
    if (reason === 'frame_timeout' && this.#http.isFramer && connection.closing === undefined)
      this.#http.late(connection)
    else if (reason !== undefined) this.#closing.close(connection, reason)
    else if (connection.blocked) this.#replies.level(connection)
  }

  /** Notes what has moved since the last sweep. */
  #look(connection: Connection, now: number): void {
    const { output, socket } = connection
    // Moves with each byte that libuv gets rid of, and not with new output.
    const progress = output.written - socket.writableLength - kernelQueue(connection)
    if (connection.touched || progress !== connection.progress) connection.idleAt = now
    if (progress !== connection.progress || socket.writableLength === 0) connection.progressAt = now
    // The peer cannot finish a frame that is not read.
    if (!connection.reading) connection.frameAt = now
    connection.touched = false
    connection.progress = progress
  }

  #open(connection: Connection, now: number): CloseReason | undefined {
    const { limits, options } = this.#context
    const { acceptedAt, bytesIn, frameAt, idleAt, partial, progressAt, waitingSince } = connection
    if (over(limits.writeTimeout, progressAt, now)) return 'write_timeout'
    if (waitingSince !== undefined && over(limits.handlerTimeout, waitingSince, now))
      return 'handler_timeout'
    if (connection.greeting !== undefined)
      return over(options.proxy.timeout, connection.greeting.since, now)
        ? 'proxy_timeout'
        : undefined
    if (connection.opening !== undefined)
      return over(limits.tlsHandshakeTimeout, connection.opening.since, now)
        ? 'tls_timeout'
        : undefined
    if (bytesIn === 0)
      return over(limits.firstByteTimeout, acceptedAt, now) ? 'first_byte_timeout' : undefined
    // Who speaks HTTP is told so, once there is no other answer to come.
    if (partial && !(connection.isWaiting && this.#http.isFramer))
      return over(limits.frameTimeout, frameAt, now) ? 'frame_timeout' : undefined
    if (connection.isWaiting || connection.queued > 0) return undefined
    return over(limits.idleTimeout, idleAt, now) ? 'idle_timeout' : undefined
  }

  /** FIN is on its way, or sent and not answered. */
  #last(connection: Connection, now: number): CloseReason | undefined {
    const { limits } = this.#context
    const { finAt, idleAt, progressAt, socket } = connection
    if (!socket.writableFinished)
      return over(limits.writeTimeout, progressAt, now) ? 'write_timeout' : undefined
    if (finAt === 0) {
      connection.finAt = now
      return undefined
    }
    const idle = over(limits.lingerIdleTimeout, Math.max(finAt, idleAt), now)
    return idle || over(limits.lingerTimeout, finAt, now) ? connection.lingerReason : undefined
  }
}
