// What serves in one process: an engine and the dispatcher that its requests go to, made of the settings and the
// handler's plan. Decides nothing about when and where; knows nothing of other processes.

import { Dispatcher } from '../dispatch/dispatcher.js'
import { type HandlerPlan, planFor } from '../dispatch/plan.js'
import {
  type HandlerPool,
  type HandlerWorker,
  makeHandlerPool,
  planForLoop,
} from '../dispatch/pool/index.js'
import type {
  Address,
  EngineStats,
  Limits,
  ListenSpec,
  ServingEngine,
  TlsOptions,
} from '../engine/engine.js'
import { createEngine } from '../engine/index.js'
import { type HandlerSettings, resolveHandler } from '../handler/resolve.js'
import type { Logs } from '../log/logs.js'
import type { Settings } from '../options/settings.js'
import { engineOptions, hasMessages, isDatagram } from './engineoptions.js'
import { handlerName } from './handlername.js'
import type { ServerStats } from './stats.js'

/** How often a drain looks whether the last connection has ended. */
const DRAIN_LOOK_MS = 25

export interface ServiceOptions {
  settings: Settings
  limits: Limits
  tls: TlsOptions | undefined
  plan: HandlerPlan
  logs: Logs
  /** Where relative module paths begin. */
  base: string
  /** Called with an error of the handler under die_on_error. */
  fatal: (error: unknown) => void
  warn: (text: string) => void
}

const allowsCode = ({ allowCode }: Settings): boolean => allowCode || process.geteuid?.() !== 0

/** Loads the handler that the settings name. @param base where relative module paths begin */
export async function loadPlan(
  settings: Settings,
  base: string,
  fresh = false,
): Promise<HandlerPlan> {
  const allowCode = allowsCode(settings)
  const plan = await resolveHandler(settings as HandlerSettings, { allowCode, base, fresh })
  return planFor(plan, { datagrams: isDatagram(settings), messages: hasMessages(settings) })
}

export class Service {
  readonly engine: ServingEngine
  readonly dispatcher: Dispatcher
  readonly #options: ServiceOptions
  #pool: HandlerPool | undefined
  #last: EngineStats | undefined
  #listeners = 0

  constructor(options: ServiceOptions) {
    this.#options = options
    const { settings, limits, tls, plan, logs, fatal, warn } = options
    const { log, access } = logs
    this.#nameHandler(plan)
    this.dispatcher = new Dispatcher({
      plan: planForLoop(plan, settings),
      log,
      nameOf: (each) => handlerName(settings, each),
      access,
      fatal: settings.dieOnError ? fatal : undefined,
      startsTls: tls?.implicit === false,
      ...limits,
    })
    const wanted = { ...engineOptions(settings, plan, access !== undefined, tls), limits }
    this.engine = createEngine(settings.engine, wanted, this.dispatcher, warn)
    this.dispatcher.attach(this.engine)
  }

  /**
   * Serves: the workers of handler_type first, then what is listened on.
   * @throws what workers cannot be had for, or why they cannot handle; close() is the caller's then
   */
  async start(): Promise<void> {
    const { settings, plan, logs, base, fatal } = this.#options
    this.#pool = makeHandlerPool({
      settings,
      plan,
      engine: this.engine,
      base,
      allowCode: allowsCode(settings),
      log: logs.log,
      fatal,
      noted: logs.access && ((...told) => this.dispatcher.noted(...told)),
    })
    await this.#pool?.start()
    this.engine.start()
  }

  /** Workers of handler_type, and the requests that wait for one. */
  get workers(): HandlerWorker[] {
    return this.#pool?.workers() ?? []
  }

  get waiting(): number {
    return this.#pool?.waiting ?? 0
  }

  /** Whether the handler runs in workers, which keep the one that they were started with. */
  get hasWorkers(): boolean {
    return this.#pool !== undefined
  }

  /** Hands the next requests to another handler. @returns hooks that are not called, see Dispatcher.replace() */
  replace(plan: HandlerPlan): string[] {
    this.#nameHandler(plan)
    return this.dispatcher.replace(planForLoop(plan, this.#options.settings))
  }

  #nameHandler(plan: HandlerPlan): void {
    const { settings, logs } = this.#options
    if (logs.access) logs.access.handler = handlerName(settings, plan)
  }

  async listen(spec: ListenSpec): Promise<Address> {
    const address = await this.engine.listen(spec)
    this.#listeners++
    return address
  }

  stats(): ServerStats {
    const engine = this.#last ?? this.engine.stats()
    return {
      ...engine,
      handler_errors: this.dispatcher.failures.count + (this.#pool?.handlerErrors ?? 0),
      workers_lost: this.#pool?.lost ?? 0,
      log_dropped: this.#options.logs.dropped(),
    }
  }

  /** For new connections. */
  setTls(tls: TlsOptions): void {
    this.engine.setTls?.(tls)
  }

  setLimits(limits: Limits): void {
    this.engine.setLimits(limits)
    this.dispatcher.setLimits(limits)
  }

  /**
   * Accepts no more and keeps every connection, idle ones too, until it ends by itself.
   * @param graceMs at most so long; 0: no limit. What is left then is close()'s.
   */
  async drain(graceMs: number): Promise<void> {
    const until = graceMs > 0 ? performance.now() + graceMs : Number.POSITIVE_INFINITY
    await this.#stopAccepting()
    while (this.engine.stats().active > 0 && performance.now() < until) await look()
  }

  /** Ends what is idle, lets what is in flight (and behind a response) finish for graceMs, closes the rest. */
  async close(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs
    await this.#stopAccepting()
    await this.engine.close(graceMs)
    this.#last = this.engine.stats()
    const left = Math.max(0, until - performance.now())
    await Promise.all([this.dispatcher.finish(left), this.#pool?.close(left)])
  }

  /** What the kernel has accepted for us already is served: nobody else would. */
  async #stopAccepting(): Promise<void> {
    for (let i = 0; i < this.#listeners; i++) this.engine.unwatchListener(i)
    while (this.engine.accepting) await look()
  }
}

const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
