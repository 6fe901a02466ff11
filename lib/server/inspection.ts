// What a running server is asked, process by process: the questions, and the answers of one process. They go over the
// messages of a pool, or stay in the process; who asks is lib/control.

import type { HandlerWorker } from '../dispatch/pool/pool.js'
import type { ConnectionState, Levels } from '../engine/engine.js'
import { Busyness } from './busyness.js'
import { Profiler } from './profiler.js'
import type { Service } from './service.js'
import type { ProcessStats, ServerStats } from './stats.js'

export type Question =
  | { about: 'stats' }
  | { about: 'connections'; limit: number }
  | { about: 'profile'; action: 'start' }
  /** The first of the folders that can be written to gets the file. */
  | { about: 'profile'; action: 'stop'; folders: readonly string[] }

/** One process, in numbers. */
export interface ProcessInsight {
  stats: ServerStats
  levels: Levels
  /** Requests that wait for a handler worker. */
  waiting: number
  handlers: readonly HandlerWorker[]
  /** Seconds since it began to serve. */
  uptime: number
  /** Seconds in which its main thread ran or wanted to; undefined where the kernel does not say. */
  busy_seconds: number | undefined
  /** Resident memory. */
  rss_bytes: number
}

export interface ConnectionsInsight extends Levels {
  list: readonly ConnectionState[]
}

/** stop: where the profile lies. */
export interface ProfileInsight {
  profile: 'started' | 'stopped'
  file?: string
}

export type Insight = ProcessInsight | ConnectionsInsight | ProfileInsight

/** Answers of one process that serves. */
export class Inspector {
  readonly #service: () => Service | undefined
  readonly #began = performance.now()
  readonly #profiler = new Profiler()

  constructor(service: () => Service | undefined) {
    this.#service = service
  }

  /** @throws Error in words that are meant for whoever asked */
  async answer(question: Question): Promise<Insight> {
    const service = this.#service()
    if (service === undefined) throw new Error('it does not serve yet')
    switch (question.about) {
      case 'stats':
        return this.#stats(service)
      case 'connections':
        return service.engine.connections(question.limit)
      case 'profile':
        if (question.action === 'stop')
          return { profile: 'stopped', file: await this.#profiler.stop(question.folders) }
        await this.#profiler.start()
        return { profile: 'started' }
    }
  }

  #stats(service: Service): ProcessInsight {
    const { list: _, ...levels } = service.engine.connections(0)
    return {
      stats: service.stats(),
      levels,
      waiting: service.waiting,
      handlers: service.workers,
      uptime: (performance.now() - this.#began) / 1000,
      busy_seconds: Busyness.seconds(),
      rss_bytes: process.memoryUsage.rss(),
    }
  }
}

/** What became of a question to one process. */
export interface Inspected
  extends Pick<ProcessStats, 'slot' | 'pid' | 'generation' | 'state' | 'busy'> {
  /** Processes that were in its slot before it. */
  restarts: number
  answer?: Insight
  /** Why there is no answer. */
  error?: string
  /** What it said last of itself, unasked. */
  last?: ServerStats
}

/** What became of a question to a server. */
export interface Inspection {
  processes: readonly Inspected[]
  /** Counters of the processes that are gone. */
  departed: ServerStats
}
