// The object that stands for one client connection, made when a handler first asks for it. Everything
// is harmless once the connection is gone: writes return false, numbers keep their last values.

import type { Address, ConnectionInfo, Credentials, Engine, ProxyInfo } from '../engine/engine.js'
import { misuse } from '../errors.js'
import { asMessage } from '../frame/message.js'
import type { Bytes, Connection } from '../handler/contract.js'
import { bytesOf } from './codec.js'
import { type Deferred, deferred } from './deferred.js'
import { TlsInfo } from './tlsinfo.js'

/** What a connection needs of the table that it stands in. */
export interface ConnectionHost {
  readonly engine: Engine
  /** Bytes above which write() says false; 0: never. */
  readonly highWater: number
  /** Why TLS cannot begin in mid-connection; undefined: it can. */
  readonly tlsRefusal: string | undefined
  /** No further request of this connection is handed over in this turn. */
  stop(slot: number, generation: number): void
}

const UNKNOWN: Address = { address: '', family: 'IPv4', port: 0 }
const GONE: ConnectionInfo = {
  remote: UNKNOWN,
  local: UNKNOWN,
  bytesIn: 0,
  bytesOut: 0,
  requests: 0,
}

export class ClientConnection implements Connection {
  readonly slot: number
  readonly generation: number
  data: unknown
  readonly #host: ConnectionHost
  #closed = false
  #stopped = false
  #last: ConnectionInfo | undefined
  #abort: AbortController | undefined
  #above = false
  #drain: Deferred | undefined
  #onClosed: Set<() => void> | undefined
  #pausedBy = 0
  #tls: TlsInfo | undefined
  /** Number of the request of it that was handed over last; with tls_mode starttls only while it is handled. */
  request: number | undefined

  constructor(host: ConnectionHost, slot: number, generation: number, closed: boolean) {
    this.#host = host
    this.slot = slot
    this.generation = generation
    this.#closed = closed
  }

  get id(): string {
    return `${this.slot}.${this.generation}`
  }

  get remote(): Address {
    return this.#info().remote
  }

  get local(): Address {
    return this.#info().local
  }

  get protocol(): Connection['protocol'] {
    // A proxy may have said another address of the peer, but never of ours.
    const { remote, proxy } = this.#info()
    if (remote.family === 'zmq') return 'zmq'
    if (this.#host.engine.isDatagram) return remote.family === 'unix' ? 'unixdgram' : 'UDP'
    if (this.#host.engine.hasMessages) return 'unixseqpacket'
    const { family } = proxy?.address ?? remote
    return family === 'vsock' ? family : family === 'unix' ? 'unixsocket' : 'TCP'
  }

  get credentials(): Credentials | undefined {
    return this.#info().credentials
  }

  get proxy(): ProxyInfo | undefined {
    return this.#info().proxy
  }

  get tls(): TlsInfo | undefined {
    if (this.#tls !== undefined) return this.#tls
    const facts = this.#info().tls
    if (facts !== undefined) this.#tls = new TlsInfo(facts)
    return this.#tls
  }

  startTls(): void {
    const { engine, tlsRefusal } = this.#host
    if (tlsRefusal !== undefined)
      throw misuse('ERR_GAIDAROS_STATE', `connection.startTls(): ${tlsRefusal}`)
    if (this.#closed || this.#stopped) return
    if (this.tls !== undefined)
      throw misuse('ERR_GAIDAROS_STATE', 'connection.startTls(): the connection has TLS already')
    if (engine.startTls?.(this.slot, this.generation, this.request)) return
    this.#stopped = true
    this.#host.stop(this.slot, this.generation)
  }

  get bytesIn(): number {
    return this.#info().bytesIn
  }

  get bytesOut(): number {
    return this.#info().bytesOut
  }

  get requests(): number {
    return this.#info().requests
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** No further request of it is handled: it was ended or closed here, or is gone. */
  get isStopped(): boolean {
    return this.#stopped || this.#closed
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#closed) this.#abort.abort()
    }
    return this.#abort.signal
  }

  write(data: Bytes | string): boolean {
    const bytes = bytesOf(data, 'utf8')
    if (this.#closed || bytes === undefined) return false
    const { engine } = this.#host
    const piece = engine.hasMessages ? asMessage(bytes) : bytes
    return this.noteWaiting(engine.write(this.slot, this.generation, piece))
  }

  drained(): Promise<void> {
    if (this.#closed || !this.#above) return Promise.resolve()
    this.#drain ??= deferred()
    return this.#drain.promise
  }

  end(data?: Bytes | string): void {
    if (data !== undefined) this.write(data)
    if (this.#closed) return
    this.#stopped = true
    this.#host.engine.end(this.slot, this.generation)
    this.#host.stop(this.slot, this.generation)
  }

  close(): void {
    if (this.#closed) return
    this.#stopped = true
    this.#host.engine.close(this.slot, this.generation, 'closed')
    this.#host.stop(this.slot, this.generation)
  }

  pause(): void {
    this.hold(HOLD.user)
  }

  resume(): void {
    this.release(HOLD.user)
  }

  /** Stops reading for `who`; reading goes on when nobody holds it any more. */
  hold(who: number): void {
    if (this.#closed) return
    if (this.#pausedBy === 0) this.#host.engine.pause(this.slot, this.generation)
    this.#pausedBy |= who
  }

  release(who: number): void {
    if (this.#closed || (this.#pausedBy & who) === 0) return
    this.#pausedBy &= ~who
    if (this.#pausedBy === 0) this.#host.engine.resume(this.slot, this.generation)
  }

  /** Takes what engine.write() or reply() returned; false when a writer should wait for drained(). */
  noteWaiting(waiting: number): boolean {
    if (waiting < 0) return false
    this.#above = this.#host.highWater !== 0 && waiting > this.#host.highWater
    return !this.#above
  }

  /** Calls `callback` when the connection is gone. @returns what takes that back */
  onClosed(callback: () => void): () => void {
    this.#onClosed ??= new Set()
    this.#onClosed.add(callback)
    return () => this.#onClosed?.delete(callback)
  }

  /** The engine's `drained` record. */
  noteDrained(): void {
    this.#above = false
    this.#settleDrain()
  }

  /** The engine's `closed` record: reads the numbers a last time, wakes whoever waits. */
  noteClosed(): void {
    this.#last = this.#info()
    this.#closed = true
    this.#settleDrain()
    for (const callback of this.#onClosed ?? []) callback()
    this.#onClosed = undefined
    this.#abort?.abort()
  }

  #settleDrain(): void {
    this.#drain?.resolve()
    this.#drain = undefined
  }

  #info(): ConnectionInfo {
    if (this.#closed) return this.#last ?? GONE
    const info = this.#host.engine.info(this.slot, this.generation)
    // The last numbers known stay when the engine has forgotten it before the record came.
    if (info !== undefined) this.#last = info
    return this.#last ?? GONE
  }
}

/** Who may hold a connection's reading. */
export const HOLD = { user: 1, framing: 2 } as const
