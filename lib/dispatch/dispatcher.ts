// Takes the records of each turn from the engine, calls the handler, gives the answers back: the
// EngineHost of a server whose handler runs in the loop itself (handler_type "").

import { endpoint } from '../engine/endpoint.js'
import type { Engine, EngineHost } from '../engine/engine.js'
import {
  ANSWER,
  HTTP_FLAGS,
  KIND,
  RECORD,
  RECORD_BIG,
  RECORD_WORDS,
  REPLY_WORDS,
} from '../engine/layout.js'
import { ABNORMAL, type CloseReason, REASONS } from '../engine/reasons.js'
import { misuse } from '../errors.js'
import { type Background, settle } from '../frontend/background.js'
import type { AccessLog } from '../log/access.js'
import type { Log } from '../log/log.js'
import { knowingWhoAsks } from './asking.js'
import { type BatchParts, batchLoop } from './batchloop.js'
import { type ReadRequest, readView, responseEncoder, textEncoding } from './codec.js'
import { Connections } from './connections.js'
import { Failures } from './failures.js'
import { Framing } from './framing.js'
import { tellLedger, type WorkerJournal } from './journal.js'
import { Ledger } from './ledger.js'
import { loggedBatchLoop, loggedLoop } from './loggedloops.js'
import { bytesLoop, decodedLoop, type Loop, type LoopParts } from './loops.js'
import { type HandlerPlan, readerOf } from './plan.js'
import { Replies } from './replies.js'
import { reportStall } from './stalls.js'
import { type RawBuffer, slabUse } from './view.js'
import { Wrapping } from './wrapping.js'

export interface DispatcherOptions {
  plan: HandlerPlan
  log: Log
  /** What the log calls the handler. */
  nameOf: (plan: HandlerPlan) => string
  /** Where each request and each connection is written down, if that is wanted. */
  access?: AccessLog | undefined
  /** In a worker: who tells the server's access log what the server cannot see. */
  journal?: WorkerJournal | undefined
  /** Called with each error of the handler when die_on_error is set. */
  fatal?: ((error: unknown) => void) | undefined
  /** Connections may turn to TLS. */
  startsTls?: boolean
  /** Told how many errors the handler has had, after each. */
  onFailure?: (count: number) => void
  /** Bytes; see Limits. */
  outputHighWater: number
  maxFrameSize: number
  maxPipelined: number
}

const NOTHING: RawBuffer = Buffer.alloc(0) as RawBuffer

export class Dispatcher implements EngineHost {
  readonly failures: Failures
  readonly #options: DispatcherOptions
  #plan: HandlerPlan
  #read: ReadRequest
  #engine: Engine | undefined
  #connections: Connections | undefined
  #replies: Replies | undefined
  #framing: Framing | undefined
  #ledger: Ledger | undefined
  #loop: Loop = () => undefined
  /** Of the present handler, and of those before it that are not done. */
  readonly #backgrounds = new Set<Background>()

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#plan = this.#asked(options.plan)
    this.#read = readerOf(options.plan) ?? readView
    this.failures = new Failures(options.log, options.fatal, options.onFailure)
  }

  /** Gives the engine that was made with this host. Call it once, before the engine starts. */
  attach(engine: Engine): void {
    this.#engine = engine
    this.#ledger = this.#makeLedger(engine)
    this.#connections = new Connections(engine, this.#options.outputHighWater)
    this.#connections.tlsRefusal = this.#tlsRefusal(engine)
    this.#begin(engine, this.#connections)
  }

  /**
   * Hands the next requests to another handler; those in flight are finished by the present one. Connections and
   * what they hold stay. Not from within a turn.
   * @returns hooks that the engine was not made for: they are not called
   * @throws TypeError ERR_GAIDAROS_HANDLER when requests would be framed otherwise
   */
  replace(plan: HandlerPlan): string[] {
    if (framingOf(plan) !== framingOf(this.#plan))
      throw misuse(
        'ERR_GAIDAROS_HANDLER',
        'end_request, split_request: the handler frames its requests otherwise than before; that needs a restart',
      )
    const before = this.#plan
    this.#plan = this.#asked(plan)
    this.#read = readerOf(plan) ?? readView
    if (this.#engine && this.#connections) this.#begin(this.#engine, this.#connections)
    return (['opened', 'closed'] as const).filter((hook) => plan[hook] && !before[hook])
  }

  #asked(plan: HandlerPlan): HandlerPlan {
    return this.#options.startsTls ? knowingWhoAsks(plan) : plan
  }

  /** Why a connection cannot turn to TLS. */
  #tlsRefusal(engine: Engine): string | undefined {
    if (engine.isDatagram) return 'datagrams have no TLS'
    if (engine.startTls === undefined)
      return 'wanted a handler in the loop: handler_type "", gthread or gthreadpool'
    if (this.#plan.handleBatch !== undefined) return 'wanted handle_request, not handle_batch'
    return this.#options.startsTls ? undefined : 'wanted tls_cert, and tls_mode = starttls'
  }

  #begin(engine: Engine, connections: Connections): void {
    const plan = this.#plan
    if (plan.background !== undefined) this.#attend(plan.background)
    this.#replies = new Replies({
      engine,
      connections,
      failures: this.failures,
      encode: responseEncoder(plan.encodeResponse),
      encoding: textEncoding(plan.decodeRequest, plan.encodeResponse),
      wrapping: wrappingOf(plan),
      keepalive: plan.keepalive,
      apology: plan.apology,
    })
    this.#loop = this.#chooseLoop(connections, this.#replies)
  }

  /** Waits for what handlers go on with behind their responses. @param graceMs at most so long; 0: not at all */
  finish(graceMs: number): Promise<void> {
    return settle(this.#backgrounds, graceMs)
  }

  #attend(background: Background): void {
    for (const before of this.#backgrounds) if (before.isIdle) this.#backgrounds.delete(before)
    background.onFailure = (error, slot, generation) =>
      this.failures.report(error, 'waitUntil', slot, generation)
    this.#backgrounds.add(background)
  }

  /** Takes over changed limits while running. */
  setLimits(limits: { outputHighWater: number; maxFrameSize: number; maxPipelined: number }): void {
    if (this.#connections) this.#connections.highWater = limits.outputHighWater
    this.#framing?.setLimits(limits)
  }

  turn(count: number): boolean {
    slabUse.kept = false
    try {
      this.#replies?.begin()
      this.#loop(count)
      this.#connections?.endTurn()
    } catch (error) {
      // The loops catch what a handler throws; this is a fault of the library. The engine must go on.
      this.#options.log.limited('internal_error', 'error', 'internal error in a turn', {
        error: String(error instanceof Error ? error.stack : error),
      })
      return true
    }
    return slabUse.kept
  }

  /** What became of requests that workers have, for the access log. @param nameOf what the worker at a place is called */
  noted(notes: Uint32Array, nameOf: (place: number) => string): void {
    if (this.#ledger !== undefined) tellLedger(this.#ledger, notes, nameOf)
  }

  stalled(count: number, ms: number): void {
    const { log, nameOf } = this.#options
    reportStall(log, this.#engine as Engine, nameOf(this.#plan), this.#plan, count, ms)
  }

  warned(text: string): void {
    this.#options.log.limited('engine', 'warn', text, {})
  }

  #chooseLoop(connections: Connections, replies: Replies): Loop {
    const { handleRequest, handleBatch, framing, seesConnection } = this.#plan
    const other = (index: number) => this.#other(index)
    if (framing !== undefined) this.#frame(connections, replies)
    const ledger = this.#ledger
    if (handleBatch !== undefined) {
      const parts: BatchParts = { replies, connections, handleBatch, other }
      return ledger === undefined ? batchLoop(parts) : loggedBatchLoop(parts, ledger)
    }
    if (handleRequest === undefined) throw new TypeError('plan without a handler')
    if (ledger !== undefined) return loggedLoop({ ledger, connections, other })
    const parts: LoopParts = { replies, connections, handle: handleRequest, seesConnection, other }
    const read = readerOf(this.#plan)
    return read === undefined ? bytesLoop(parts) : decodedLoop(parts, read)
  }

  #makeLedger(engine: Engine): Ledger | undefined {
    const { access, journal } = this.#options
    if (journal !== undefined) this.failures.onFailed = (...request) => journal.failed(...request)
    if (access === undefined) return undefined
    const ledger = new Ledger(access, engine, wrappingOf(this.#plan))
    this.failures.onFailed = (...request) => ledger.failed(...request)
    return ledger
  }

  #frame(connections: Connections, replies: Replies): void {
    const { framing, handleRequest, handleBatch } = this.#plan
    if (framing === undefined) throw new TypeError('plan without framing')
    const options = {
      framing,
      connections,
      replies,
      handleRequest,
      handleBatch,
      ledger: this.#ledger ?? this.#options.journal,
      read: this.#read,
      ...this.#options,
    }
    if (this.#framing === undefined) this.#framing = new Framing(options)
    else this.#framing.replace(options)
  }

  /** Records other than a request in the slab, and every record after a connection was stopped. */
  #other(index: number): void {
    const engine = this.#engine as Engine
    const connections = this.#connections as Connections
    const { records } = engine
    const at = index * RECORD_WORDS
    const kind = records[at] as number
    const slot = records[at + RECORD.slot] as number
    const generation = records[at + RECORD.generation] as number
    engine.replies[index * REPLY_WORDS] = ANSWER.none
    if (connections.anyStopped && connections.isStopped(slot, generation))
      if ((kind & 0xff) === KIND.request || (kind & 0xff) === KIND.chunk) return
    switch (kind & 0xff) {
      case KIND.request:
        this.#request(index, at, slot, generation)
        break
      case KIND.chunk:
        this.#framing?.chunk(slot, generation, ...this.#bytesOf(at))
        break
      case KIND.ended:
        this.#framing?.ended(slot, generation)
        break
      case KIND.opened:
        this.#opened(slot, generation)
        break
      case KIND.drained:
        connections.find(slot, generation)?.noteDrained()
        break
      case KIND.closed:
        this.#closed(slot, generation, REASONS[records[at + RECORD.extra] ?? 0] ?? 'io_error')
    }
  }

  #request(index: number, at: number, slot: number, generation: number): void {
    const replies = this.#replies as Replies
    const { handleRequest, seesConnection } = this.#plan
    if (handleRequest === undefined) return
    try {
      const flags = (this.#engine?.records[at] ?? 0) & HTTP_FLAGS
      const request = this.#read(...this.#bytesOf(at), flags)
      const connection = seesConnection ? this.#connections?.get(slot, generation) : undefined
      if (connection) connection.request = this.#engine?.records[at + RECORD.sequence]
      // A handler that never looks at its connection is called without one.
      replies.answer(index, handleRequest(request, connection as never))
    } catch (error) {
      replies.fail(index, error, 'handle_request')
    }
  }

  /** The buffer that holds the bytes of a record, and where. */
  #bytesOf(at: number): [buffer: RawBuffer, start: number, end: number] {
    const { records, slab, bigs } = this.#engine as Engine
    const offset = records[at + RECORD.offset] as number
    const length = records[at + RECORD.length] as number
    if (((records[at] as number) & RECORD_BIG) === 0)
      return [slab as RawBuffer, offset, offset + length]
    const start = records[at + RECORD.extra] as number
    return [(bigs[offset] ?? NOTHING) as RawBuffer, start, start + length]
  }

  #opened(slot: number, generation: number): void {
    this.#ledger?.opened(slot, generation)
    if (this.#plan.opened === undefined) return
    const connection = (this.#connections as Connections).get(slot, generation)
    this.#hook('opened', slot, generation, () => this.#plan.opened?.(connection))
  }

  #closed(slot: number, generation: number, reason: CloseReason): void {
    const connections = this.#connections as Connections
    const hook = this.#plan.closed
    const connection = hook ? connections.get(slot, generation) : connections.find(slot, generation)
    if (ABNORMAL.has(reason)) this.#logClosed(slot, generation, reason)
    this.#framing?.closed(slot, generation)
    connection?.noteClosed()
    if (hook && connection) this.#hook('closed', slot, generation, () => hook(connection, reason))
    this.#ledger?.closed(slot, generation, reason)
    connections.drop(slot, generation)
  }

  #logClosed(slot: number, generation: number, reason: CloseReason): void {
    const info = this.#engine?.info(slot, generation)
    this.#options.log.limited(reason, 'warn', `connection closed: ${reason}`, {
      reason,
      connection: `${slot}.${generation}`,
      ...(info?.fault && { fault: info.fault }),
      ...(info && {
        remote: endpoint(info.remote),
        requests: info.requests,
      }),
    })
  }

  /** Calls a hook; what it throws, or rejects with, is an error of the handler. */
  #hook(name: string, slot: number, generation: number, call: () => unknown): void {
    const failed = (error: unknown) => {
      this.failures.report(error, name, slot, generation)
      this.#engine?.close(slot, generation, 'handler_error')
      this.#connections?.stop(slot, generation)
    }
    try {
      const result = call()
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}

/** What tells whether two plans cut alike. Functions of the handler count as the same: they are swapped. */
const framingOf = ({ framer, framing }: HandlerPlan): string =>
  JSON.stringify([framer, framing], (_, value) =>
    typeof value === 'function' ? 'function' : value,
  )

function wrappingOf(plan: HandlerPlan): Wrapping {
  const { framer, framing } = plan
  if (framer.kind !== 'chunk') return new Wrapping(framer, true)
  const split = framing?.splitRequest
  return new Wrapping(typeof split === 'object' ? split : undefined, false)
}
