// server_type "": one event loop in this process.

import type { HandlerPlan } from '../dispatch/plan.js'
import type { Address, Limits, ListenSpec, TlsOptions } from '../engine/engine.js'
import type { Logs } from '../log/logs.js'
import type { SettingName, Settings } from '../options/settings.js'
import { checkPrivileges, dropPrivileges, type Privileges } from '../process/privileges.js'
import type { SocketFile } from '../process/socketfile.js'
import { hasTls, loadTls, ticketSecret } from '../tls/load.js'
import type { Backend, EngineInfo, ReloadReport } from './backend.js'
import { adopt, type Bound, bind } from './binding.js'
import { Busyness } from './busyness.js'
import { merge } from './changes.js'
import { engineLimits } from './engineoptions.js'
import { type Inspection, Inspector, type Question } from './inspection.js'
import { loadPlan, Service } from './service.js'
import { socketOptions } from './socketoptions.js'
import { canOpenSockets, closeSockets, inheritedSpecs, openSockets } from './sockets.js'
import { noStats, type ServerStats } from './stats.js'

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
/** Read with the files that they name, where TLS is spoken before and after. */
const TLS: ReadonlySet<SettingName> = new Set<SettingName>([
  'tlsCert',
  'tlsKey',
  'tlsCa',
  'tlsVerify',
  'tlsMinVersion',
  'tlsCiphers',
  'tlsAlpn',
  'tlsTickets',
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
  logs: Logs
  /** Where relative module paths begin. */
  base: string
  /** Listening descriptors to use instead of host and port. */
  descriptors: readonly number[]
  fatal: (error: unknown) => void
  /** Changes the handler before it serves. */
  adapt: (plan: HandlerPlan) => HandlerPlan
}

export class InProcess implements Backend {
  readonly #options: InProcessOptions
  readonly #warned = new Set<string>()
  #settings: Settings
  #limits: Limits
  #service: Service | undefined
  #addresses: readonly Address[] = []
  /** The name of a unix socket. */
  #file: SocketFile | undefined
  #work: Promise<unknown> = Promise.resolve()
  #generation = 1
  /** Those of its tickets; new ones would end every session. */
  readonly #secret = ticketSecret()
  #tls: TlsOptions | undefined
  readonly #busyness = new Busyness()
  readonly #inspector = new Inspector(() => this.#service)

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

  get settings(): Settings {
    return this.#settings
  }

  async start(): Promise<void> {
    const { listener, addresses, file } = await this.#listen()
    this.#service = listener
    this.#file = file
    try {
      await listener.start()
    } catch (error) {
      await this.close(0)
      throw error
    }
    this.#addresses = addresses
  }

  /**
   * Handler, sockets, engine. Where privileges are dropped the sockets come first and the engine last; the handler's
   * code is loaded by the user who will run it, unless a new root directory would hide it.
   */
  async #listen(): Promise<Listening> {
    const privileges = checkPrivileges(this.#settings)
    // Before anything is bound, and by the user who may read keys.
    this.#tls = this.#loadTls(this.#settings)
    if (privileges !== undefined && canOpenSockets(this.#settings))
      return this.#listenAndDrop(privileges)
    const plan = await this.#load()
    const make = () => this.#make(plan)
    const specs = this.#inherited()
    const bound = await (specs.length > 0 ? adopt(make, specs) : bind(make, this.#settings))
    try {
      if (privileges !== undefined) dropPrivileges(privileges)
    } catch (error) {
      await bound.listener.close(0)
      bound.file?.remove()
      throw error
    }
    return bound
  }

  async #listenAndDrop(privileges: Privileges): Promise<Listening> {
    const early = privileges.chroot === '' ? undefined : await this.#load()
    const inherited = this.#inherited()
    const { specs, file } =
      inherited.length > 0
        ? { specs: inherited, file: undefined }
        : await openSockets(this.#settings)
    let plan: HandlerPlan
    try {
      dropPrivileges(privileges)
      plan = early ?? (await this.#load())
    } catch (error) {
      closeSockets(specs)
      file?.remove()
      throw error
    }
    return { ...(await adopt(() => this.#make(plan), specs)), ...(file && { file }) }
  }

  #inherited(): ListenSpec[] {
    const { descriptors } = this.#options
    return inheritedSpecs(descriptors, this.#settings.backlog, socketOptions(this.#settings))
  }

  async #load(settings = this.#settings, fresh = false): Promise<HandlerPlan> {
    const { adapt, base } = this.#options
    return adapt(await loadPlan(settings, base, fresh))
  }

  stats(): ServerStats {
    return this.#service?.stats() ?? noStats()
  }

  collectStats(): Promise<ServerStats> {
    return Promise.resolve(this.stats())
  }

  async inspect(question: Question): Promise<Inspection> {
    const mine = {
      slot: 0,
      pid: process.pid,
      generation: this.#generation,
      state: 'ready',
      busy: this.#busyness.share(),
      restarts: 0,
    } as const
    const outcome = await this.#inspector.answer(question).then(
      (answer) => ({ answer }),
      (error: Error) => ({ error: error.message }),
    )
    return { processes: [{ ...mine, ...outcome }], departed: noStats() }
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

  /** Certificates and keys are read anew, of the files that the options name. */
  async reloadCertificates(): Promise<string[]> {
    const tls = this.#loadTls(this.#settings)
    if (tls !== undefined) this.#service?.setTls(tls)
    return [...this.#settings.tlsCert]
  }

  #loadTls(settings: Settings): TlsOptions | undefined {
    const { log } = this.#options.logs
    return loadTls(settings, this.#secret, (text) => log.at('warn', text))
  }

  /** The logs are the process's own. */
  reopenLogs(): void {}

  async close(graceMs: number): Promise<void> {
    this.#file?.remove()
    await this.#service?.close(graceMs)
  }

  kill(): void {
    this.#file?.remove()
  }

  #make(plan: HandlerPlan): Service {
    const { logs, base, fatal } = this.#options
    return new Service({
      settings: this.#settings,
      limits: this.#limits,
      tls: this.#tls,
      plan,
      logs,
      base,
      fatal,
      warn: (text) => this.#warnOnce(text),
    })
  }

  /** An engine is made again when a port is taken; its warning is not. */
  #warnOnce(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#options.logs.log.at('warn', text)
  }

  /**
   * Changes in place what can be changed. The new handler is loaded first: when it is no good nothing is changed.
   * Workers (handler_type) keep the handler that they were started with.
   */
  async #reload(given: Settings): Promise<ReloadReport> {
    const limits = new Set(Object.keys(this.#limits))
    const keepsTls = hasTls(this.#settings) && hasTls(given)
    const workers = this.#service?.hasWorkers === true
    const { settings, changed, left } = merge(
      this.#settings,
      given,
      (name) =>
        (workers || !HANDLER.has(name)) &&
        !READ_LATE.has(name) &&
        !limits.has(name) &&
        !(keepsTls && TLS.has(name)),
    )
    const tls = this.#loadTls(settings)
    const kept = workers ? ['handler'] : this.#service?.replace(await this.#load(settings, true))
    if (tls !== undefined) this.#service?.setTls(tls)
    this.#settings = settings
    this.#generation++
    this.setLimits(engineLimits(settings))
    this.#options.logs.setLevel(settings)
    const what = workers || settings.handlerModule === '' ? [] : ['handler']
    if (tls !== undefined) what.push('certificates')
    return { changed: [...changed, ...what], left: [...left, ...(kept ?? [])] }
  }
}

interface Listening extends Bound {
  listener: Service
}
