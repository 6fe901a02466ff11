// What serves in one process: an engine and the dispatcher that its requests go to, made of the settings and the
// handler's plan. Decides nothing about when and where; knows nothing of other processes.

import { Dispatcher } from '../dispatch/dispatcher.js'
import type { HandlerPlan } from '../dispatch/plan.js'
import type { Address, Engine, EngineStats, Limits, ListenSpec } from '../engine/engine.js'
import { createEngine } from '../engine/index.js'
import { type HandlerSettings, resolveHandler } from '../handler/resolve.js'
import type { Settings } from '../options/settings.js'
import { engineOptions } from './engineoptions.js'
import type { Log } from './log.js'
import type { ServerStats } from './stats.js'

/** How often a drain looks whether the last connection has ended. */
const DRAIN_LOOK_MS = 25

export interface ServiceOptions {
  settings: Settings
  limits: Limits
  plan: HandlerPlan
  log: Log
  /** Called with an error of the handler under die_on_error. */
  fatal: (error: unknown) => void
  warn: (text: string) => void
}

/** Loads the handler that the settings name. @param base where relative module paths begin */
export function loadPlan(settings: Settings, base: string, fresh = false): Promise<HandlerPlan> {
  const allowCode = settings.allowCode || process.geteuid?.() !== 0
  return resolveHandler(settings as HandlerSettings, { allowCode, base, fresh })
}

export class Service {
  readonly engine: Engine
  readonly dispatcher: Dispatcher
  #last: EngineStats | undefined
  #listeners = 0

  constructor({ settings, limits, plan, log, fatal, warn }: ServiceOptions) {
    this.dispatcher = new Dispatcher({
      plan,
      log,
      fatal: settings.dieOnError ? fatal : undefined,
      ...limits,
    })
    const options = { ...engineOptions(settings, plan), limits }
    this.engine = createEngine(settings.engine, options, this.dispatcher, warn)
    this.dispatcher.attach(this.engine)
  }

  async listen(spec: ListenSpec): Promise<Address> {
    const address = await this.engine.listen(spec)
    this.#listeners++
    return address
  }

  stats(): ServerStats {
    const engine = this.#last ?? this.engine.stats()
    return { ...engine, handler_errors: this.dispatcher.failures.count }
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

  /** Ends what is idle, lets what is in flight finish for graceMs, closes the rest. */
  async close(graceMs: number): Promise<void> {
    await this.#stopAccepting()
    await this.engine.close(graceMs)
    this.#last = this.engine.stats()
  }

  /** What the kernel has accepted for us already is served: nobody else would. */
  async #stopAccepting(): Promise<void> {
    for (let i = 0; i < this.#listeners; i++) this.engine.unwatchListener(i)
    while (this.engine.accepting) await look()
  }
}

const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
