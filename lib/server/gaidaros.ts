// The server: options in, a listening engine out, and an orderly end. One event loop in this process.

import { deferred } from '../dispatch/deferred.js'
import { Dispatcher } from '../dispatch/dispatcher.js'
import type { HandlerPlan } from '../dispatch/plan.js'
import { type HandlerPool, makeHandlerPool, planForLoop } from '../dispatch/pool/index.js'
import type { Address, Engine, EngineStats, Limits, ListenSpec } from '../engine/engine.js'
import { createEngine } from '../engine/index.js'
import { misuse } from '../errors.js'
import { type HandlerSettings, resolveHandler } from '../handler/resolve.js'
import { type LogOptions, type Logs, openLogs, type Reopened } from '../log/logs.js'
import { resolve } from '../options/index.js'
import type { GaidarosOptions as Options, Settings } from '../options/settings.js'
import { checkPrivileges, dropPrivileges, type Privileges } from '../process/privileges.js'
import { adopt, bind } from './binding.js'
import { engineLimits, engineOptions } from './engineoptions.js'
import { handlerName } from './handlername.js'
import { onceOnly } from './oneshot.js'
import { canOpenSockets, closeSockets, inheritedSpecs, openSockets } from './sockets.js'
import { emptyStats, type ServerStats } from './stats.js'

/** Every option in camelCase, handler functions as functions, and where the log goes. */
export type GaidarosOptions = Options & LogOptions

/** What a server of the command gets besides its settings. */
export interface Circumstances {
  /** Directory that relative module paths begin in; the working directory by default. */
  base?: string | undefined
  /** Listening descriptors to use instead of host and port. They are the server's from serve() on. */
  descriptors?: readonly number[] | undefined
}

/** new: not yet serving; closed: for good. */
type State = 'new' | 'starting' | 'serving' | 'closing' | 'closed'

/**
 * A socket server.
 *
 * @throws TypeError ERR_GAIDAROS_OPTION naming every wrong option, value and what was wanted
 * @example
 * await using server = new Gaidaros({ port: 0, handleRequest: (line) => line })
 * const [address] = await server.serve()
 */
export class Gaidaros implements AsyncDisposable {
  /** Settles when the server is closed; rejects with the handler's error under die_on_error. */
  readonly closed: Promise<void>
  readonly #settings: Settings
  readonly #logOptions: LogOptions
  /** Logs that somebody else opened, and closes. */
  readonly #givenLogs: Logs | undefined
  #logs: Logs | undefined
  readonly #circumstances: Circumstances
  #state: State = 'new'
  #starting: Promise<readonly Address[]> | undefined
  #closing: Promise<void> | undefined
  #addresses: readonly Address[] = []
  #engine: Engine | undefined
  #dispatcher: Dispatcher | undefined
  #pool: HandlerPool | undefined
  #lastStats: EngineStats | undefined
  #limits: Limits
  #fatal: { error: unknown } | undefined
  readonly #end = deferred()

  constructor(options: GaidarosOptions = {}) {
    const { logger, log, ...given } = options
    this.#settings = isResolved(given) ? given.settings : ownSettings(given)
    this.#circumstances = isResolved(given) ? given.circumstances : {}
    this.#limits = engineLimits(this.#settings)
    this.#logOptions = { logger, log }
    this.#givenLogs = isResolved(given) ? given.logs : undefined
    this.#logs = this.#givenLogs
    this.closed = this.#end.promise
    // Whoever never looks at `closed` has the error in the log; it must not end the process.
    this.closed.catch(() => undefined)
  }

  /**
   * A server of settings that were resolved already, as the command does from all its sources. Logs that are given
   * are used in place of its own, and left open when it closes.
   */
  static fromSettings(
    settings: Settings,
    logs?: Logs,
    circumstances: Circumstances = {},
  ): Gaidaros {
    const resolved: Resolved = { [RESOLVED]: true, settings, logs, circumstances }
    return new Gaidaros(resolved as GaidarosOptions)
  }

  /** Where it listens; empty before serve() has resolved. */
  get addresses(): readonly Address[] {
    return this.#addresses
  }

  /** The engine's name and what it does, for example 'epoll edge, batched sends'; undefined before serve(). */
  get engine(): { name: Engine['name']; description: string } | undefined {
    return this.#engine && { name: this.#engine.name, description: this.#engine.description }
  }

  /**
   * Listens. Resolves with the addresses once connections are accepted; again with the same while it serves.
   * @throws GaidarosError ERR_GAIDAROS_LISTEN, ERR_GAIDAROS_ENGINE, ERR_GAIDAROS_PROCESS; TypeError ERR_GAIDAROS_HANDLER,
   * ERR_GAIDAROS_STATE once it is closed. After an error the server is closed.
   */
  serve(): Promise<readonly Address[]> {
    return this.#serve((plan) => plan)
  }

  /** Listens, answers one request, closes. Resolves when it is closed. */
  async handle(): Promise<void> {
    if (this.#state !== 'new')
      throw stateError('handle()', this.#state, 'a server that is not serving yet')
    await this.#serve((plan) => onceOnly(plan, () => void this.close()))
    await this.closed
  }

  /**
   * Stops accepting, lets what is in flight finish for at most shutdown_grace, closes the rest. Resolves when
   * every descriptor is closed; calling it again returns the same promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Counters since the start; also those of the last moment once it is closed. */
  stats(): ServerStats {
    const engine = this.#lastStats ?? this.#engine?.stats() ?? emptyStats()
    const errors = (this.#dispatcher?.failures.count ?? 0) + (this.#pool?.handlerErrors ?? 0)
    return {
      ...engine,
      handler_errors: errors,
      workers_lost: this.#pool?.lost ?? 0,
      log_dropped: this.#logs?.dropped() ?? 0,
    }
  }

  /**
   * Opens log_file and access_log anew, after they were renamed. Nothing is reopened while it does not serve.
   * @returns the paths, and those of files that could not be opened: they are written to as before
   * @example
   * process.on('SIGUSR1', () => server.reopenLogs())
   */
  reopenLogs(): Reopened {
    return this.#logs?.reopen() ?? { reopened: [], kept: [] }
  }

  /** Swaps some limits while it serves; milliseconds and bytes, 0 is off. */
  setLimits(limits: Partial<Limits>): void {
    checkLimits(limits, this.#limits)
    this.#limits = { ...this.#limits, ...limits }
    this.#engine?.setLimits(this.#limits)
    this.#dispatcher?.setLimits(this.#limits)
  }

  #serve(adapt: Adapt): Promise<readonly Address[]> {
    if (this.#state === 'closing' || this.#state === 'closed')
      return Promise.reject(stateError('serve()', this.#state, 'a new Gaidaros'))
    this.#starting ??= this.#start(adapt)
    return this.#starting
  }

  async #start(adapt: Adapt): Promise<readonly Address[]> {
    this.#state = 'starting'
    try {
      const logs = this.#openLogs()
      const { plan, engine, addresses } = await this.#listen(adapt, logs)
      this.#engine = engine
      this.#pool = this.#makePool(plan, engine, logs)
      await this.#pool?.start()
      if (this.#closing !== undefined)
        throw stateError('serve()', 'closing', 'no close() meanwhile')
      this.#addresses = addresses
      engine.start()
    } catch (error) {
      await this.#engine?.close(0)
      await this.#pool?.close()
      await this.#closeLogs()
      this.#state = 'closed'
      this.#end.resolve()
      throw error
    }
    this.#state = 'serving'
    return this.#addresses
  }

  /**
   * Handler, sockets, engine. Where privileges are dropped the sockets come first and the engine last; the handler's
   * code is loaded by the user who will run it, unless a new root directory would hide it.
   */
  async #listen(adapt: Adapt, logs: Logs): Promise<Listening> {
    const privileges = checkPrivileges(this.#settings)
    const load = async () => {
      const resolved = await this.#resolveHandler()
      if (logs.access) logs.access.handler = handlerName(this.#settings, resolved)
      return adapt(resolved)
    }
    if (privileges !== undefined && canOpenSockets())
      return this.#listenAndDrop(load, privileges, logs)
    const plan = await load()
    const make = () => this.#makeEngine(plan, logs)
    const specs = this.#inherited()
    const bound = await (specs.length > 0 ? adopt(make, specs) : bind(make, this.#settings))
    this.#engine = bound.engine
    if (privileges !== undefined) dropPrivileges(privileges)
    return { ...bound, plan }
  }

  async #listenAndDrop(
    load: () => Promise<HandlerPlan>,
    privileges: Privileges,
    logs: Logs,
  ): Promise<Listening> {
    const early = privileges.chroot === '' ? undefined : await load()
    const inherited = this.#inherited()
    const specs = inherited.length > 0 ? inherited : await openSockets(this.#settings)
    let plan: HandlerPlan
    try {
      dropPrivileges(privileges)
      plan = early ?? (await load())
    } catch (error) {
      closeSockets(specs)
      throw error
    }
    return { ...(await adopt(() => this.#makeEngine(plan, logs), specs)), plan }
  }

  #inherited(): ListenSpec[] {
    return inheritedSpecs(this.#circumstances.descriptors ?? [], this.#settings.backlog)
  }

  #resolveHandler(): Promise<HandlerPlan> {
    const { base } = this.#circumstances
    return resolveHandler(this.#settings as HandlerSettings, {
      allowCode: this.#allowCode,
      ...(base !== undefined && { base }),
    })
  }

  get #allowCode(): boolean {
    return this.#settings.allowCode || process.geteuid?.() !== 0
  }

  #makePool(plan: HandlerPlan, engine: Engine, { log }: Logs): HandlerPool | undefined {
    return makeHandlerPool({
      settings: this.#settings,
      plan,
      engine,
      base: this.#circumstances.base ?? process.cwd(),
      allowCode: this.#allowCode,
      log,
      fatal: (message) => this.#die(new Error(message)),
    })
  }

  /** Before anything is bound: a log that cannot be opened is said by an error. */
  #openLogs(): Logs {
    this.#logs ??= openLogs(this.#settings, this.#logOptions)
    return this.#logs
  }

  async #closeLogs(): Promise<void> {
    if (this.#logs !== this.#givenLogs) await this.#logs?.close()
  }

  #makeEngine(plan: HandlerPlan, { log, access }: Logs): Engine {
    const dispatcher = new Dispatcher({
      plan: planForLoop(plan, this.#settings),
      log,
      access,
      fatal: this.#settings.dieOnError ? (error) => this.#die(error) : undefined,
      ...this.#limits,
    })
    const wantConnections = access !== undefined
    const options = {
      ...engineOptions(this.#settings, plan, wantConnections),
      limits: this.#limits,
    }
    const engine = createEngine(this.#settings.engine, options, dispatcher, (text) =>
      this.#warnOnce(text),
    )
    dispatcher.attach(engine)
    this.#dispatcher = dispatcher
    return engine
  }

  readonly #warned = new Set<string>()

  /** An engine is made again when a port is taken; its warning is not. */
  #warnOnce(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#logs?.log.at('warn', text)
  }

  #die(error: unknown): void {
    if (this.#fatal !== undefined) return
    this.#fatal = { error }
    this.#logs?.log.at('fatal', 'the server stops: die_on_error')
    // Not from within the turn that failed.
    setImmediate(() => void this.close())
  }

  async #close(): Promise<void> {
    const started = this.#starting
    if (this.#state === 'starting') await started?.catch(() => undefined)
    if (this.#state === 'serving') {
      this.#state = 'closing'
      await this.#engine?.close(this.#fatal ? 0 : this.#settings.shutdownGrace)
      this.#lastStats = this.#engine?.stats()
      await this.#pool?.close()
      await this.#closeLogs()
    }
    this.#state = 'closed'
    if (this.#fatal) this.#end.reject(this.#fatal.error)
    else this.#end.resolve()
  }
}

type Adapt = (plan: HandlerPlan) => HandlerPlan
interface Bound {
  engine: Engine
  addresses: Address[]
}

/** And the handler that it serves. */
interface Listening extends Bound {
  plan: HandlerPlan
}

/** Options of a server in its user's own program, whose process is not this library's to detach or to number. */
function ownSettings(options: Options): Settings {
  const { settings } = resolve({ options })
  for (const name of ['daemon', 'pidFile'] as const)
    if (settings[name])
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `constructor, ${name}: only the gaidaros command does that; wanted none here`,
      )
  if (options.umask !== undefined) process.umask(settings.umask)
  return settings
}

const RESOLVED = Symbol('resolved settings')
interface Resolved {
  [RESOLVED]: true
  settings: Settings
  logs: Logs | undefined
  circumstances: Circumstances
}

const isResolved = (options: object): options is Resolved => RESOLVED in options

function stateError(call: string, state: State, wanted: string): TypeError {
  return misuse(
    'ERR_GAIDAROS_STATE',
    `Gaidaros: ${call} while the server is ${state}; wanted ${wanted}`,
  )
}

function checkLimits(given: object, known: Limits): void {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in known))
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `setLimits: no limit ${name}; wanted one of ${Object.keys(known).join(', ')}`,
      )
    if (!Number.isSafeInteger(value) || value < 0)
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `setLimits: ${name} is ${String(value)}; wanted a whole number from 0 on`,
      )
  }
}
