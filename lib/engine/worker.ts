// The engine of a worker: the addon's WorkerEngine behind the Engine interface, or the one that is reached by messages
// (portable/pool), so that the dispatcher runs in a thread or a process as it does in the loop. It has no sockets:
// records come from the server's pool.

import { type Addon, native, nativeError, type WorkerCore, type WorkerSpec } from '../native.js'
import { emptyStats } from './counters.js'
import type { ConnectionInfo, ConnectionList, Engine, EngineHost, EngineStats } from './engine.js'
import type { Batch } from './pool.js'
import { MessageEngine, type Post } from './portable/pool/worker.js'
import { type CloseReason, REASONS } from './reasons.js'

const NOTHING: readonly Buffer[] = Object.freeze([])

export interface WorkerEngine extends Engine {
  /** For the server's access log; see lib/dispatch/journal.ts. */
  note(kind: number, slot: number, generation: number, sequence: number, value: number): void
  /** Tells the server how many errors its handler has had. */
  countErrors(count: number): void
  /** A message has come, where no memory is shared. */
  take?(batch: Batch): void
}

/** What a worker's engine is made from where it shares no memory with the server. */
export type MessageSpec = Omit<WorkerSpec, 'memory' | 'bell' | 'serverBell'>

/**
 * Makes it.
 * @param spent called when a one-shot worker has answered its request
 * @param post sends a message to the server, where no memory is shared
 * @throws Error when the addon cannot be loaded here, or the memory cannot be mapped
 */
export function createWorkerEngine(
  spec: WorkerSpec | MessageSpec,
  host: EngineHost,
  spent: () => void,
  post: Post,
): WorkerEngine {
  if (!('memory' in spec)) return new MessageEngine(spec, host, spent, post)
  if (native === undefined) throw new Error(`no addon in the worker: ${nativeError?.message}`)
  return new SharedMemoryEngine(native, spec, host, spent)
}

class SharedMemoryEngine implements WorkerEngine {
  readonly name = 'native'
  readonly description = 'worker'
  readonly isDatagram: boolean
  readonly hasMessages: boolean
  readonly records: Uint32Array
  readonly replies: Uint32Array
  readonly out: Buffer
  slab: Buffer = Buffer.alloc(0)
  bigs: readonly Buffer[] = NOTHING
  readonly #core: WorkerCore

  constructor(addon: Addon, spec: WorkerSpec, host: EngineHost, spent: () => void) {
    this.isDatagram = spec.datagrams
    this.hasMessages = spec.messages
    this.#core = new addon.WorkerEngine(
      spec,
      (count, slab, bigs) => {
        if (slab !== undefined) this.slab = slab
        if (bigs !== undefined) this.bigs = bigs
        const kept = host.turn(count)
        if (bigs !== undefined) this.bigs = NOTHING
        return kept
      },
      spent,
      (count, ms) => host.stalled(count, ms),
    )
    this.records = new Uint32Array(this.#core.records)
    this.replies = new Uint32Array(this.#core.replies)
    this.out = Buffer.from(this.#core.out)
  }

  /** The server's business. */
  listen(): never {
    throw new Error('a worker does not listen')
  }

  start(): void {
    this.#core.start()
  }

  reply(
    slot: number,
    generation: number,
    sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number {
    return this.#core.reply(slot, generation, sequence, data, flags)
  }

  write(slot: number, generation: number, data: Uint8Array): number {
    return this.#core.write(slot, generation, data)
  }

  end(slot: number, generation: number): void {
    this.#core.end(slot, generation)
  }

  close(graceMs: number): Promise<void>
  close(slot: number, generation: number, reason: CloseReason): void
  close(slot: number, generation?: number, reason?: CloseReason): Promise<void> | void {
    if (generation !== undefined && reason !== undefined)
      return this.#core.closeConnection(slot, generation, REASONS.indexOf(reason))
    this.#core.close()
    return Promise.resolve()
  }

  pause(slot: number, generation: number): void {
    this.#core.pause(slot, generation)
  }

  resume(slot: number, generation: number): void {
    this.#core.resume(slot, generation)
  }

  framed(slot: number, generation: number, count: number, partial: boolean): void {
    this.#core.framed(slot, generation, count, partial)
  }

  watch(slot: number, generation: number): void {
    this.#core.watch(slot, generation)
  }

  info(slot: number, generation: number): ConnectionInfo | undefined {
    return this.#core.info(slot, generation)
  }

  /** For the server's access log; see lib/dispatch/journal.ts. */
  note(kind: number, slot: number, generation: number, sequence: number, value: number): void {
    this.#core.note(kind, slot, generation, sequence, value)
  }

  countErrors(count: number): void {
    this.#core.setErrors(count)
  }

  stats(): EngineStats {
    return emptyStats()
  }

  /** The server's business. */
  connections(): ConnectionList {
    return { connections: 0, in_flight: 0, queued_bytes: 0, paused: 0, list: [] }
  }

  setLimits(): void {}

  stopListening(): void {}

  watchListener(): void {}

  unwatchListener(): void {}

  readonly accepting = false
}
