// The workers of one server process: starts them, replaces those that end, and ends them with the server.
// The requests go past here, through the engine's pool.

import type { EnginePool, PoolDescriptors } from '../../engine/pool.js'
import { GaidarosError } from '../../errors.js'
import type { Log } from '../../log/log.js'
import { deferred } from '../deferred.js'
import type { WorkerJob, WorkerNews } from './job.js'
import { type PoolWorker, startProcess, startThread } from './worker.js'

export interface HandlerPoolOptions {
  pool: EnginePool
  kind: 'thread' | 'process'
  /** Most workers at once. */
  size: number
  /** A fresh worker for each request. */
  oneShot: boolean
  sticky: boolean
  chunks: boolean
  idempotent: boolean
  /** Milliseconds; a worker whose turn takes longer is replaced. 0: never. */
  handlerTimeout: number
  job: Omit<WorkerJob, 'spec'> & {
    spec: Pick<
      WorkerJob['spec'],
      'framer' | 'highWater' | 'stallWarning' | 'datagrams' | 'messages'
    >
  }
  log: Log
  fatal: (error: Error) => void
  /** Where there is an access log: told what becomes of requests, and how the worker at a place is called. */
  noted?: ((notes: Uint32Array, nameOf: (place: number) => string) => void) | undefined
}

/** One worker at this moment. */
export interface HandlerWorker {
  /** Process or thread, and its number. */
  id: string
  state: 'starting' | 'ready' | 'leaving'
  /** Seconds. */
  uptime: number
  /** How many were in its place before it. */
  restarts: number
  requests: number
  in_flight: number
  /** Time in turns so far, and in the present one, milliseconds; 0: it is in none. */
  busy_seconds: number
  turn_ms: number
}

/** One place of the pool and who is in it. */
interface Place {
  index: number
  state: 'empty' | 'starting' | 'ready' | 'leaving'
  worker: PoolWorker | undefined
  startedAt: number
  /** Deaths in a row of workers that lived only briefly. */
  deaths: number
  /** Workers that were started here. */
  starts: number
  /** One-shot: since when nobody waits for its answer, as performance.now(). */
  orphanedAt: number | undefined
  timer: NodeJS.Timeout | undefined
}

/** A worker that is asked to end gets so long. */
const LEAVE_MS = 1000
const LOOK_MS = 25
/** Fresh workers that stand ready, so that a request need not wait for one to start. */
const SPARE = 2
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000
/** A worker that has lived so long was well. */
const HEALTHY_MS = 5_000

export class HandlerPool {
  readonly #options: HandlerPoolOptions
  /** undefined: workers are reached by messages. */
  readonly #descriptors: PoolDescriptors | undefined
  readonly #places: Place[]
  readonly #first = deferred()
  #timer: NodeJS.Timeout | undefined
  #ready = 0
  #closing = false
  #errorsOfDead = 0
  #lost = 0

  /** @throws GaidarosError ERR_GAIDAROS_ENGINE when the kernel refuses memory or descriptors */
  constructor(options: HandlerPoolOptions) {
    this.#options = options
    const { pool, size, sticky, chunks, oneShot, idempotent, noted } = options
    const nameOf = (place: number): string => this.#places[place]?.worker?.id ?? ''
    try {
      this.#descriptors = pool.open(
        { workers: size, sticky, chunks, oneShot, idempotent },
        noted && ((notes) => noted(notes, nameOf)),
      )
    } catch (error) {
      throw new GaidarosError(
        'ERR_GAIDAROS_ENGINE',
        `handler_pool_size ${size}: ${(error as Error).message}`,
        {},
        error,
      )
    }
    this.#places = Array.from({ length: size }, (_, index) => ({
      index,
      state: 'empty',
      worker: undefined,
      startedAt: 0,
      deaths: 0,
      starts: 0,
      orphanedAt: undefined,
      timer: undefined,
    }))
  }

  /** Resolves when the first worker is ready. @throws GaidarosError ERR_GAIDAROS_HANDLER when it cannot start */
  async start(): Promise<void> {
    const { oneShot, size } = this.#options
    for (const place of this.#places.slice(0, oneShot ? Math.min(size, SPARE) : size))
      this.#start(place)
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
    await this.#first.promise
  }

  /**
   * Ends every worker; the engine is closed by then. Resolves when they are gone.
   * @param graceMs what handlers go on with behind their responses gets so long
   */
  async close(graceMs: number): Promise<void> {
    const { frontend } = this.#options.job.handler
    const grace = frontend === 'fetch' ? graceMs : 0
    this.#closing = true
    clearInterval(this.#timer)
    const workers = this.#places.flatMap(({ worker, timer }) => {
      clearTimeout(timer)
      return worker === undefined ? [] : [worker]
    })
    for (const worker of workers) worker.stop(grace)
    const late = setTimeout(() => {
      for (const worker of workers) worker.kill()
    }, grace + LEAVE_MS)
    await Promise.all(workers.map((worker) => worker.gone))
    clearTimeout(late)
    this.#options.pool.close()
  }

  get handlerErrors(): number {
    const { pool } = this.#options
    return this.#places.reduce(
      (sum, { index, state }) =>
        state === 'ready' || state === 'leaving' ? sum + pool.state(index).handlerErrors : sum,
      this.#errorsOfDead,
    )
  }

  /** For people and statistics. */
  workers(): HandlerWorker[] {
    const { pool } = this.#options
    const now = performance.now()
    return this.#places.flatMap(({ worker, state, index, startedAt, starts }) => {
      if (worker === undefined || state === 'empty') return []
      const { requests, inFlight, busyMs, busyNs } = pool.state(index)
      return [
        {
          id: worker.id,
          state,
          uptime: (now - startedAt) / 1000,
          restarts: starts - 1,
          requests,
          in_flight: inFlight,
          busy_seconds: busyNs / 1e9 + busyMs / 1000,
          turn_ms: busyMs,
        },
      ]
    })
  }

  /** Requests that wait for any worker. */
  get waiting(): number {
    return this.#options.pool.state(0).waiting
  }

  /** Workers that ended without being asked. */
  get lost(): number {
    return this.#lost
  }

  #start(place: Place): void {
    const { kind, job, size, oneShot, sticky } = this.#options
    const { index } = place
    const shared = this.#descriptors && {
      memory: this.#descriptors.memory,
      bell: this.#descriptors.bells[index] as number,
      serverBell: this.#descriptors.bell,
    }
    const spec = { ...job.spec, ...shared, workers: size, index, oneShot, sticky }
    place.state = 'starting'
    place.orphanedAt = undefined
    place.startedAt = performance.now()
    place.starts++
    const events = {
      news: (news: WorkerNews) => this.#news(place, news),
      gone: (why: string) => this.#gone(place, why),
    }
    const whole: WorkerJob = { ...job, spec }
    place.worker =
      kind === 'thread'
        ? startThread(whole, events)
        : startProcess(whole, this.#descriptors, events)
  }

  #news(place: Place, news: WorkerNews): void {
    if (this.#closing && news.type !== 'log') return
    switch (news.type) {
      case 'ready':
        place.state = 'ready'
        this.#ready++
        this.#options.pool.attach(place.index, (batch) => place.worker?.post(batch))
        this.#first.resolve()
        break
      case 'failed':
        if (this.#ready > 0)
          this.#options.log.limited('worker', 'error', 'a worker cannot start', {
            why: news.message,
          })
        else this.#first.reject(new GaidarosError('ERR_GAIDAROS_HANDLER', news.message))
        break
      case 'log':
        this.#options.log.logger[news.level]?.(news.message, {
          ...news.fields,
          worker: place.worker?.id ?? '',
        })
        break
      case 'batch':
        this.#options.pool.receive?.(place.index, news)
        break
      case 'fatal':
        this.#options.fatal(news.error)
    }
  }

  #gone(place: Place, why: string): void {
    const { pool, oneShot, log } = this.#options
    const { worker, state } = place
    const lived = performance.now() - place.startedAt
    if (state === 'ready' || state === 'leaving')
      this.#errorsOfDead += pool.state(place.index).handlerErrors
    if (state !== 'starting') pool.detach(place.index)
    place.state = 'empty'
    place.worker = undefined
    if (this.#closing) return
    const isDone = state === 'leaving' ? place.orphanedAt !== undefined : why === 'exit status 0'
    const isSpent = oneShot && state !== 'starting' && isDone
    if (!isSpent) {
      this.#lost++
      log.limited('worker', 'error', 'a worker is gone', { worker: worker?.id ?? '', why })
      if (this.#ready === 0) this.#first.reject(notStarted(why))
    }
    place.deaths = isSpent || lived > HEALTHY_MS ? 0 : place.deaths + 1
    if (oneShot && isSpent) this.#look()
    else this.#startAgain(place)
  }

  /** At once after a first death, then later and later. */
  #startAgain(place: Place): void {
    if (place.deaths <= 1) {
      this.#start(place)
      return
    }
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (place.deaths - 2))
    place.timer = setTimeout(
      () => {
        if (place.state === 'empty' && !this.#closing) this.#start(place)
      },
      delay * (0.75 + Math.random() / 2),
    ).unref()
  }

  /** Now and then: who hangs, and whether more are wanted. */
  #look(): void {
    if (this.#closing) return
    if (this.#options.handlerTimeout > 0) this.#endOverdue()
    if (!this.#options.oneShot) return
    this.#endOrphans()
    this.#startWanted()
  }

  #endOverdue(): void {
    const { pool, handlerTimeout } = this.#options
    for (const place of this.#places) {
      if (place.state !== 'ready' || place.worker === undefined) continue
      const { busyMs } = pool.state(place.index)
      if (busyMs <= handlerTimeout) continue
      place.state = 'leaving'
      void this.#endOne(place.worker, busyMs)
    }
  }

  async #endOne(worker: PoolWorker, busyMs: number): Promise<void> {
    const stack = await worker.stack()
    const overrun = 'a handler overran handler_timeout, its worker is replaced'
    this.#options.log.limited('worker', 'error', overrun, {
      worker: worker.id,
      busy_ms: busyMs,
      ...(stack && { stack }),
    })
    worker.kill()
  }

  /** A request whose connection is gone has so long to end by itself: its place is for others. */
  #endOrphans(): void {
    const now = performance.now()
    for (const place of this.#places) {
      if (place.state !== 'ready' || !this.#options.pool.state(place.index).orphaned) continue
      place.orphanedAt ??= now
      if (now - place.orphanedAt < LEAVE_MS) continue
      place.state = 'leaving'
      place.worker?.kill()
    }
  }

  #startWanted(): void {
    const { pool, size } = this.#options
    const waiting = pool.state(0).waiting
    const idle = this.#places.filter(
      ({ state, index }) =>
        state === 'starting' || (state === 'ready' && pool.state(index).requests === 0),
    ).length
    let more = Math.min(size, waiting + SPARE) - idle
    for (const place of this.#places)
      if (more > 0 && place.state === 'empty' && place.timer === undefined) {
        this.#start(place)
        more--
      }
  }
}

const notStarted = (why: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_HANDLER', `a worker ended before it was ready: ${why}`)
