// The engine over node:net: no addon, any system that Node runs on. The same seam and the same semantics as the
// native engine; one thread.

import type {
  Address,
  ConnectionInfo,
  ConnectionList,
  EngineHost,
  EngineOptions,
  EngineStats,
  Limits,
  ListenSpec,
  TlsOptions,
} from '../engine.js'
import type { CloseReason } from '../reasons.js'
import { Acceptor } from './acceptor.js'
import { Answers } from './answers.js'
import { Arrivals } from './arrivals.js'
import { Closing } from './closing.js'
import type { Connection } from './connection.js'
import { Context } from './context.js'
import { Http } from './http.js'
import { listConnections } from './list.js'
import { Listeners } from './listeners.js'
import { Opening } from './opening.js'
import { PoolHost } from './pool/host.js'
import { type PoolEngine, PortablePool } from './pool/pool.js'
import { Replies } from './replies.js'
import { Sweep } from './sweep.js'
import { Turns } from './turns.js'

const NO_BIGS: readonly Buffer[] = []

/** Why the handler's side ends a connection whose earlier replies still go out. */
const BEHIND_REPLIES: ReadonlySet<CloseReason> = new Set<CloseReason>([
  'handler_error',
  'split',
  'frame_size',
  'frame_error',
])

export class PortableEngine implements PoolEngine {
  readonly name = 'portable'
  readonly isDatagram = false
  readonly hasMessages = false
  readonly description = 'node:net'
  readonly bigs = NO_BIGS
  readonly records: Uint32Array
  readonly replies: Uint32Array
  readonly out: Buffer
  readonly pool: PortablePool

  readonly #context: Context
  readonly #closing: Closing
  readonly #replies: Replies
  readonly #turns: Turns
  readonly #sweep: Sweep
  readonly #opening: Opening
  readonly #acceptor: Acceptor
  readonly #listeners: Listeners
  /** Called when the last connection is gone. */
  readonly #idle: (() => void)[] = []

  constructor(options: EngineOptions, host: EngineHost) {
    this.#context = new Context(options)
    this.#closing = new Closing(this.#context)
    this.#replies = new Replies(this.#context, this.#closing)
    const answers = new Answers(this.#context, this.#replies, this.#closing)
    this.pool = new PortablePool(this)
    const shared = new PoolHost(this, this.pool, host)
    const http = new Http(this.#context, this.#replies, this.#closing)
    this.#turns = new Turns(this.#context, this.#replies, this.#closing, answers, http, shared)
    this.#sweep = new Sweep(this.#context, this.#closing, this.#replies, http)
    const arrivals = new Arrivals(this.#context, this.#closing, this.#replies, this.#turns)
    this.#opening = new Opening(this.#context, this.#closing, arrivals)
    arrivals.isSealed = this.#opening.isImplicit
    arrivals.onPlain = (connection) => this.#opening.refuse(connection)
    this.#replies.onFlushed = (connection) => this.#opening.flushed(connection)
    this.#acceptor = new Acceptor(this.#context, this.#closing, arrivals, this.#opening)
    this.#listeners = new Listeners(this.#context, (socket, path) => {
      this.#sweep.start()
      this.#acceptor.accept(socket, path)
    })
    this.#closing.onGone = (connection) => this.#gone(connection)
    this.#context.settle = () => this.#settle()
    this.records = this.#turns.records.words
    this.replies = answers.words
    this.out = answers.out
  }

  get slab(): Buffer {
    return this.#turns.slab
  }

  listen(spec: ListenSpec): Promise<Address> {
    return this.#listeners.listen(spec)
  }

  start(): void {
    this.#listeners.start()
  }

  reply(
    slot: number,
    generation: number,
    sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number {
    const connection = this.#open(slot, generation)
    return connection === undefined ? -1 : this.#replies.piece(connection, sequence, data, flags)
  }

  write(slot: number, generation: number, data: Uint8Array): number {
    const connection = this.#open(slot, generation)
    return connection === undefined ? -1 : this.#replies.write(connection, data)
  }

  end(slot: number, generation: number): void {
    const connection = this.#open(slot, generation)
    if (connection !== undefined) this.#closing.end(connection, 'done')
  }

  close(slot: number, generation: number, reason: CloseReason): void
  close(graceMs: number): Promise<void>
  close(first: number, generation?: number, reason?: CloseReason): Promise<void> | void {
    if (generation === undefined || reason === undefined) return this.#shutDown(first)
    const connection = this.#context.table.get(first, generation)
    if (connection === undefined) return
    if (BEHIND_REPLIES.has(reason)) this.#closing.fail(connection, reason)
    else this.#closing.close(connection, reason)
  }

  pause(slot: number, generation: number): void {
    const connection = this.#open(slot, generation)
    if (connection === undefined) return
    connection.paused = true
    connection.steer()
  }

  resume(slot: number, generation: number): void {
    const connection = this.#open(slot, generation)
    if (connection === undefined) return
    connection.paused = false
    if (connection.hasInput) this.#context.wake(connection)
    connection.steer()
  }

  framed(slot: number, generation: number, count: number, partial: boolean): void {
    const connection = this.#open(slot, generation)
    if (connection === undefined) return
    this.#turns.opened(connection, count)
    this.#turns.unfinished(connection, partial, count > 0)
    if (connection.endTold) this.#turns.drop(connection)
    if (this.#context.limits.handlerTimeout > 0) connection.mark()
  }

  heardEnd(slot: number, generation: number): void {
    const connection = this.#open(slot, generation)
    if (connection !== undefined) this.#turns.heardEnd(connection)
  }

  chunkTaken(slot: number, generation: number): void {
    const connection = this.#open(slot, generation)
    if (connection !== undefined) this.#turns.chunkTaken(connection)
  }

  watch(slot: number, generation: number): void {
    const connection = this.#context.table.get(slot, generation)
    if (connection !== undefined) connection.watched = true
  }

  isOpen(slot: number, generation: number): boolean {
    return this.#open(slot, generation) !== undefined
  }

  isKnown(slot: number, generation: number): boolean {
    return this.#context.table.get(slot, generation) !== undefined
  }

  info(slot: number, generation: number): ConnectionInfo | undefined {
    return this.#context.table.get(slot, generation)?.info
  }

  stats(): EngineStats {
    const { counters, table, timing } = this.#context
    let unsent = 0
    for (const { dead, output } of table) if (!dead) unsent += output.unsent
    return {
      ...counters,
      bytes_out: counters.bytes_out - unsent,
      closed: { ...counters.closed },
      latency: timing.latency.distribution,
      lag: timing.lag.distribution,
    }
  }

  connections(limit: number): ConnectionList {
    return listConnections(this.#context.table, limit)
  }

  setTls(tls: TlsOptions): void {
    this.#opening.set(tls)
  }

  startTls(slot: number, generation: number, sequence: number | undefined): boolean {
    const connection = this.#open(slot, generation)
    return connection !== undefined && this.#opening.start(connection, sequence)
  }

  setLimits(limits: Limits): void {
    this.#context.limit(limits)
    this.#sweep.adapt()
  }

  stopListening(): void {
    this.#listeners.stop()
  }

  watchListener(listener: number): Promise<void> {
    return this.#listeners.watch(listener)
  }

  unwatchListener(listener: number): void {
    this.#listeners.unwatch(listener)
  }

  get accepting(): boolean {
    return this.#listeners.accepting
  }

  /** The connection of that name while it can still be written to. */
  #open(slot: number, generation: number): Connection | undefined {
    const connection = this.#context.table.get(slot, generation)
    return connection?.dead || connection?.closing !== undefined ? undefined : connection
  }

  #settle(): void {
    const { dirty, ready } = this.#context
    if (dirty.length > 0) this.#context.dirty = []
    for (const connection of dirty) {
      connection.dirty = false
      if (!connection.dead) this.#replies.flush(connection)
    }
    if (ready.length > 0) this.#context.ready = []
    for (const connection of ready) {
      connection.ready = false
      this.#turns.pump(connection)
    }
    if (this.#context.events.length > 0) this.#turns.tell()
  }

  #gone(connection: Connection): void {
    this.#acceptor.gone(connection)
    if (connection.sampled !== undefined) this.#context.timing.drop(connection)
    if (this.#context.counters.active > 0) return
    this.#sweep.stop()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#listeners.stop()
    for (const connection of this.#context.table) this.#retire(connection)
    const closeAll = () => {
      for (const connection of this.#context.table) this.#closing.close(connection, 'shutdown')
    }
    if (graceMs <= 0) closeAll()
    const timer = setTimeout(closeAll, graceMs)
    await this.#listeners.closed()
    // A listener is closed with the sockets it accepted, just before these say so themselves.
    if (this.#context.counters.active > 0)
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    clearTimeout(timer)
    // The last closed records are handed up in the tick that follows the last close.
    await new Promise(setImmediate)
  }

  /** An idle connection goes at once: there is nothing of which the peer has to acknowledge the receipt. */
  #retire(connection: Connection): void {
    const { closing, isWaiting, queued } = connection
    if (closing !== undefined) return
    if (queued === 0 && !isWaiting && connection.unread === 0) {
      this.#context.counters.bytes_out += connection.output.end()
      this.#closing.close(connection, 'shutdown')
    } else this.#closing.end(connection, 'shutdown')
  }
}
