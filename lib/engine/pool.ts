// The part of an engine that hands requests to workers in other threads or processes: over shared memory (native/pool),
// or in messages (portable/pool). Who starts and replaces the workers: lib/dispatch/pool.

import type { Noted } from './notes.js'

export interface PoolSpec {
  /** Places for workers; each has its memory from the start, which costs nothing before it is used. */
  workers: number
  /** A connection stays with one worker, because the handler looks at it or frames its bytes. */
  sticky: boolean
  /** Workers do the framing: what one holds of a connection is gone when it is. */
  chunks: boolean
  /** A worker takes one request and ends. */
  oneShot: boolean
  /** Requests of a worker that died run again elsewhere. */
  idempotent: boolean
}

/** Descriptors that workers are given; they stay the engine's. */
export interface PoolDescriptors {
  memory: number
  /** eventfd of the server. */
  bell: number
  /** eventfds of the workers, by their place. */
  bells: readonly number[]
}

/** Where no memory is shared: what a pool and a worker say to each other in one message, once a turn each way. */
export interface Batch {
  type: 'batch'
  /** RECORD_WORDS words each (layout.ts); portable/pool/batch.ts says what they mean. */
  entries: Uint32Array
  /** What the entries' offsets refer to. */
  bytes: Uint8Array
  /** From a worker: the turn of the last batch that it got is over and took so many milliseconds. */
  over?: number | undefined
  /** From a worker: errors of its handler so far. */
  errors?: number
}

export interface WorkerState {
  live: boolean
  inFlight: number
  /** Errors of the handler in this worker so far. */
  handlerErrors: number
  /** Processor time of a request, smoothed, nanoseconds; 0: not known yet. */
  costNs: number
  /** Requests taken so far. */
  requests: number
  /** For how long its present turn has been running, milliseconds. */
  busyMs: number
  /** Time in turns that are over, nanoseconds. */
  busyNs: number
  /** One-shot: it has its request still, whose connection is gone. */
  orphaned: boolean
  /** Requests that wait for any worker. */
  waiting: number
}

export interface EnginePool {
  /**
   * Once, before the first worker.
   * @param noted where there is an access log: told what becomes of requests (lib/dispatch/journal.ts)
   * @returns what workers are given; undefined: nothing, they are reached by messages
   * @throws Error when the kernel refuses the memory or a descriptor
   */
  open(spec: PoolSpec, noted?: Noted): PoolDescriptors | undefined
  /** The worker at this place is ready and is given requests from now on; `post` sends it a message. */
  attach(index: number, post: (batch: Batch) => void): void
  /** It has sent a message. */
  receive?(index: number, batch: Batch): void
  /** It is gone: what it had is handed to others or ends with reason worker_lost. */
  detach(index: number): void
  /** It gets no more requests. */
  retire(index: number): void
  state(index: number): WorkerState
  /** Gives memory and descriptors back. Last, when the engine is closed and every worker is gone. */
  close(): void
}
