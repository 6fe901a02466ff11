// How connections come to TLS: at their beginning, or when the handler asks for it.

import type { TLSSocket } from 'node:tls'
import type { TlsOptions } from '../engine.js'
import type { Arrivals } from './arrivals.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'
import { factsOf, Security } from './security.js'

export class Opening {
  readonly #context: Context
  readonly #closing: Closing
  readonly #arrivals: Arrivals
  readonly #security: Security | undefined
  /** Called when the handshake of a connection is over. */
  onOpened: (connection: Connection) => void = () => {}

  constructor(context: Context, closing: Closing, arrivals: Arrivals) {
    this.#context = context
    this.#closing = closing
    this.#arrivals = arrivals
    const { tls } = context.options
    this.#security = tls && new Security(tls)
  }

  /** Connections speak TLS from their first byte. */
  get isImplicit(): boolean {
    return this.#security?.implicit === true
  }

  /** Connections speak TLS, at some time. */
  get isPossible(): boolean {
    return this.#security !== undefined
  }

  set(tls: TlsOptions): void {
    this.#security?.set(tls)
  }

  /** What comes next on the connection is TLS. */
  begin(connection: Connection): void {
    const security = this.#security
    if (security === undefined) return
    connection.opening = { since: performance.now() }
    const socket = security.over(connection.socket)
    connection.turnTo(socket)
    this.#arrivals.attach(connection)
    socket.on('data', (chunk) => this.#arrivals.received(connection, chunk))
    // Errors behind the handshake; those of it come as 'error'. Only a server of node:tls would pass them on.
    socket.on('_tlsError', (error: Error) => this.#closing.error(connection, error))
    socket.once('secure', () => this.#secure(connection, socket, security))
  }

  #secure(connection: Connection, socket: TLSSocket, security: Security): void {
    if (connection.dead) return
    const refusal = security.refusal(socket)
    if (refusal !== undefined) {
      connection.fault = refusal
      this.#closing.close(connection, 'tls_error')
      return
    }
    const { counters } = this.#context
    connection.opening = undefined
    connection.tls = factsOf(socket)
    counters.tls_handshakes++
    if (connection.tls.resumed) counters.tls_resumed++
    connection.acceptedAt = performance.now()
    connection.touched = true
    this.onOpened(connection)
  }

  /** Engine.startTls() on a live connection. */
  start(connection: Connection, sequence: number | undefined): boolean {
    const { pipeline } = connection
    if (!this.isPossible || connection.tls || connection.opening || connection.upgrading)
      return false
    const next = sequence === undefined ? pipeline.next : (sequence + 1) >>> 0
    connection.upgrading = true
    // Without its number only one that is alone can be the one that asks.
    const isUnclear = sequence === undefined && pipeline.inFlight > 1
    if (isUnclear || pipeline.next !== next || connection.inbox.length > 0 || connection.partial) {
      this.refuse(connection)
      return false
    }
    this.#context.soil(connection)
    return true
  }

  /** Bytes in plain behind the request that asked for TLS: who has sent them is not known. */
  refuse(connection: Connection): void {
    connection.fault = 'bytes in plain behind the request that asked for TLS'
    this.#closing.close(connection, 'tls_error')
  }

  /** Output was given to the socket: if the reply in front of TLS was in it, TLS is next. */
  flushed(connection: Connection): void {
    if (!connection.upgrading || connection.dead || connection.pipeline.inFlight > 0) return
    connection.upgrading = false
    this.begin(connection)
  }
}
