// server_type "": one event loop in this process.

import type { HandlerPlan } from '../dispatch/plan.js'
import type { Address, Limits } from '../engine/engine.js'
import type { SettingName, Settings } from '../options/settings.js'
import type { Backend, EngineInfo, ReloadReport } from './backend.js'
import { bind } from './binding.js'
import { merge } from './changes.js'
import { engineLimits } from './engineoptions.js'
import type { Log } from './log.js'
import { loadPlan, Service } from './service.js'
import { emptyStats, type ServerStats } from './stats.js'

/** What the handler is made of; it is loaded anew on every reload. */
const HANDLER: ReadonlySet<SettingName> = new Set<SettingName>([
  'handlerModule',
  'handlerClass',
  'handlerClassArgs',
  'handlerClassKwargs',
  'handleRequest',
  'handleBatch',
  'decodeRequest',
  'encodeResponse',
  'endRequest',
  'splitRequest',
  'keepalive',
])
/** Read each time they are needed. */
const READ_LATE: ReadonlySet<SettingName> = new Set<SettingName>([
  'shutdownGrace',
  'reloadGrace',
  'logLevel',
  'verbose',
])

export interface InProcessOptions {
  settings: Settings
  limits: Limits
  log: Log
  /** Takes over a changed log_level. */
  relevel: (settings: Settings) => void
  fatal: (error: unknown) => void
  /** Changes the handler before it serves. */
  adapt: (plan: HandlerPlan) => HandlerPlan
}

export class InProcess implements Backend {
  readonly #options: InProcessOptions
  readonly #base = process.cwd()
  readonly #warned = new Set<string>()
  #settings: Settings
  #limits: Limits
  #service: Service | undefined
  #addresses: readonly Address[] = []
  #work: Promise<unknown> = Promise.resolve()

  constructor(options: InProcessOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#limits = options.limits
  }

  get addresses(): readonly Address[] {
    return this.#addresses
  }

  get engine(): EngineInfo | undefined {
    return this.#service?.engine
  }

  async start(): Promise<void> {
    const { adapt } = this.#options
    const plan = adapt(await loadPlan(this.#settings, this.#base))
    const { listener, addresses } = await bind(() => this.#make(plan), this.#settings)
    this.#service = listener
    this.#addresses = addresses
    listener.engine.start()
  }

  stats(): ServerStats {
    return this.#service?.stats() ?? { ...emptyStats(), handler_errors: 0 }
  }

  collectStats(): Promise<ServerStats> {
    return Promise.resolve(this.stats())
  }

  setLimits(limits: Limits): void {
    this.#limits = limits
    this.#service?.setLimits(limits)
  }

  reload(settings: Settings): Promise<ReloadReport> {
    const result = this.#work.then(() => this.#reload(settings))
    this.#work = result.catch(() => undefined)
    return result
  }

  /** The log is the process's own. */
  reopenLogs(): void {}

  async close(graceMs: number): Promise<void> {
    await this.#service?.close(graceMs)
  }

  kill(): void {}

  #make(plan: HandlerPlan): Service {
    const { log, fatal } = this.#options
    return new Service({
      settings: this.#settings,
      limits: this.#limits,
      plan,
      log,
      fatal,
      warn: (text) => this.#warnOnce(text),
    })
  }

  /** An engine is made again when a port is taken; its warning is not. */
  #warnOnce(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#options.log.logger.warn(text)
  }

  /** Changes in place what can be changed. The new handler is loaded first: when it is no good nothing is changed. */
  async #reload(given: Settings): Promise<ReloadReport> {
    const limits = new Set(Object.keys(this.#limits))
    const { settings, changed, left } = merge(
      this.#settings,
      given,
      (name) => !HANDLER.has(name) && !READ_LATE.has(name) && !limits.has(name),
    )
    const plan = this.#options.adapt(await loadPlan(settings, this.#base, true))
    const kept = this.#service?.dispatcher.replace(plan) ?? []
    this.#settings = settings
    this.setLimits(engineLimits(settings))
    this.#options.relevel(settings)
    const what = settings.handlerModule === '' ? [] : ['handler']
    return { changed: [...changed, ...what], left: [...left, ...kept] }
  }
}
