// The server: options in, a listening engine out, and an orderly end. In one event loop of this process, or in
// server processes that this one supervises: that is its backend's.

import type { Subject } from '../control/answers.js'
import { Windows } from '../control/windows.js'
import { deferred } from '../dispatch/deferred.js'
import type { HandlerPlan } from '../dispatch/plan.js'
import type { Address, Limits } from '../engine/engine.js'
import { misuse } from '../errors.js'
import { type LogOptions, type Logs, openLogs, type Reopened } from '../log/logs.js'
import { type Resolved as Resolution, resolve } from '../options/index.js'
import { camelCase } from '../options/names.js'
import type { GaidarosOptions as Options, SettingName, Settings } from '../options/settings.js'
import type { Backend, EngineInfo, ReloadReport } from './backend.js'
import { engineLimits } from './engineoptions.js'
import { InProcess } from './inprocess.js'
import { onceOnly } from './oneshot.js'
import { checkFunctions, checkLimits, isPool, ownLogs, ownSettings } from './ownsettings.js'
import type { HeldSocket } from './pool/sockets.js'
import type { UpgradeHooks } from './pool/successor.js'
import { Supervisor } from './pool/supervisor.js'
import { noStats, type ProcessStats, type ServerStats } from './stats.js'
import { type State, subjectOf } from './subject.js'

/** Every option in camelCase, handler functions as functions, and where the log goes. */
export type GaidarosOptions = Options & LogOptions

/** What a server of the command gets besides its settings. */
export interface Circumstances {
  /** Directory that relative module paths begin in; the working directory by default. */
  base?: string | undefined
  /** Listening descriptors to use instead of host and port. They are the server's from serve() on. */
  descriptors?: readonly number[] | undefined
  /** Listening sockets of the supervisor before an upgrade. */
  inherited?: readonly HeldSocket[] | undefined
  /** What server processes write to instead of this one's standard output and error. */
  output?: number | undefined
  /** What else has to happen around an upgrade. */
  upgrade?: UpgradeHooks | undefined
  /** Where each option comes from. */
  origins?: Resolution['origins'] | undefined
}

type Adapt = (plan: HandlerPlan) => HandlerPlan

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
  #settings: Settings
  #origins: Resolution['origins']
  #windows: Windows | undefined
  #startedAt = 0
  readonly #logOptions: LogOptions
  /** Logs that somebody else opened, and closes. */
  readonly #givenLogs: Logs | undefined
  #logs: Logs | undefined
  readonly #circumstances: Circumstances
  #state: State = 'new'
  #starting: Promise<readonly Address[]> | undefined
  #closing: Promise<void> | undefined
  #backend: Backend | undefined
  #supervisor: Supervisor | undefined
  #limits: Limits
  #fatal: { error: unknown } | undefined
  readonly #end = deferred()

  constructor(options: GaidarosOptions = {}) {
    const { logger, log, ...given } = options
    const { settings, origins } = isResolved(given) ? given : ownSettings(given)
    this.#settings = settings
    this.#circumstances = isResolved(given) ? given.circumstances : {}
    this.#origins = this.#circumstances.origins ?? origins ?? resolve({}).origins
    if (isPool(this.#settings)) checkFunctions(this.#settings)
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
    return this.#state === 'new' || this.#state === 'starting'
      ? []
      : (this.#backend?.addresses ?? [])
  }

  /** The engine's name and what it does, for example 'epoll edge, batched sends'; undefined before serve(). */
  get engine(): EngineInfo | undefined {
    const engine = this.#backend?.engine
    return engine && { name: engine.name, description: engine.description }
  }

  /** What supervises the server processes, to have more or fewer of them; undefined where server_type is "". */
  get supervisor():
    | Pick<Supervisor, 'grow' | 'shrink' | 'suspend' | 'upgrade' | 'successor'>
    | undefined {
    return this.#supervisor
  }

  /**
   * Listens. Resolves with the addresses once connections are accepted; again with the same while it serves.
   * @throws GaidarosError ERR_GAIDAROS_LISTEN, ERR_GAIDAROS_ENGINE, ERR_GAIDAROS_PROCESS, ERR_GAIDAROS_LOG,
   * ERR_GAIDAROS_POOL; TypeError ERR_GAIDAROS_HANDLER, ERR_GAIDAROS_STATE once it is closed. After an error the server is closed.
   */
  serve(): Promise<readonly Address[]> {
    return this.#serve((plan) => plan)
  }

  /** Listens, answers one request in the loop, whatever handler_type says, closes. Resolves when it is closed. */
  async handle(): Promise<void> {
    if (this.#state !== 'new')
      throw stateError('handle()', this.#state, 'a server that is not serving yet')
    if (isPool(this.#settings))
      throw misuse('ERR_GAIDAROS_OPTION', 'server_type: handle() wanted "", one process')
    this.#settings = { ...this.#settings, handlerType: '' }
    await this.#serve((plan) => onceOnly(plan, () => void this.close()))
    await this.closed
  }

  /**
   * Stops accepting, lets what is in flight finish for at most shutdown_grace (or graceMs), closes the rest.
   * Resolves when every descriptor is closed and every process is gone; calling it again returns the same promise.
   */
  close(graceMs?: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /**
   * After an upgrade: leaves the port to the new binary, keeps every connection until it ends or reload_grace has
   * passed, then is closed. Without one it is close().
   */
  handOver(): Promise<void> {
    const supervisor = this.#supervisor
    if (this.#state !== 'serving' || !supervisor?.successor.isRunning) return this.close()
    this.#closing ??= this.#retire(supervisor)
    return this.#closing
  }

  /** Ends the server's processes at once; for a process that is about to exit itself. */
  kill(): void {
    this.#windows?.close()
    this.#backend?.kill()
  }

  /** Counters since the start; also those of the last moment once it is closed. Of a pool: at most a second old. */
  stats(): ServerStats {
    const stats = this.#backend?.stats() ?? noStats()
    // In one process the logs are the ones that its service counts already.
    const dropped = this.#supervisor === undefined ? 0 : (this.#logs?.dropped() ?? 0)
    return dropped === 0 ? stats : { ...stats, log_dropped: stats.log_dropped + dropped }
  }

  /** The same, but every server process is asked; with what each of them has done. */
  async collectStats(): Promise<ServerStats & { processes: readonly ProcessStats[] }> {
    const stats = (await this.#backend?.collectStats()) ?? this.stats()
    return { ...stats, processes: stats.processes ?? [] }
  }

  /**
   * Serves with new settings, or the same ones and the handler loaded anew. Nothing is refused meanwhile, and every
   * connection is kept: in a pool by processes that are replaced once the new ones are ready; in one process what
   * can be changed is changed in place.
   * @returns what was changed and what needs a restart
   * @throws why the new settings cannot be served; the server goes on as it was
   * @example
   * await server.reload({ ...options, idleTimeout: '5m' })
   */
  reload(options?: GaidarosOptions): Promise<ReloadReport> {
    if (options === undefined) return this.reloadSettings(this.#settings)
    const { logger: _, log: __, ...given } = options
    const { settings, origins } = ownSettings(given)
    return this.reloadSettings(settings, origins)
  }

  /** The same with settings that were resolved already. */
  async reloadSettings(
    settings: Settings,
    origins: Resolution['origins'] = this.#origins,
  ): Promise<ReloadReport> {
    if (this.#state !== 'serving' || this.#backend === undefined)
      throw stateError('reload()', this.#state, 'a server that serves')
    if (this.#supervisor !== undefined) checkFunctions(settings)
    const report = await this.#backend.reload(settings)
    this.#settings = settings
    // What was left as it was comes from where it came from.
    const kept = report.left.map(camelCase).filter((name) => name in origins) as SettingName[]
    this.#origins = {
      ...origins,
      ...Object.fromEntries(kept.map((name) => [name, this.#origins[name]])),
    }
    this.#limits = engineLimits(settings)
    this.#logs?.setLevel(settings)
    return report
  }

  /**
   * Opens log_file and access_log anew, after they were renamed, in every process. Nothing is reopened while it does
   * not serve.
   * @returns the paths, and those of files that could not be opened: they are written to as before. Server processes
   * say theirs in the log.
   * @example
   * process.on('SIGUSR1', () => server.reopenLogs())
   */
  reopenLogs(): Reopened {
    this.#backend?.reopenLogs()
    return this.#logs?.reopen() ?? { reopened: [], kept: [] }
  }

  /**
   * Reads certificates and keys anew; connections that are open keep theirs.
   * @returns the files of the certificates; none where TLS is not spoken
   * @throws GaidarosError ERR_GAIDAROS_TLS with what is wrong; the old ones stay
   * @example
   * await server.reloadCertificates()
   */
  async reloadCertificates(): Promise<string[]> {
    if (this.#state !== 'serving' || this.#backend === undefined)
      throw stateError('reloadCertificates()', this.#state, 'a server that serves')
    return this.#backend.reloadCertificates()
  }

  /** Swaps some limits while it serves; milliseconds and bytes, 0 is off. */
  setLimits(limits: Partial<Limits>): void {
    checkLimits(limits, this.#limits)
    this.#limits = { ...this.#limits, ...limits }
    this.#backend?.setLimits(this.#limits)
  }

  #serve(adapt: Adapt): Promise<readonly Address[]> {
    if (this.#state === 'closing' || this.#state === 'closed')
      return Promise.reject(stateError('serve()', this.#state, 'a new Gaidaros'))
    this.#starting ??= this.#start(adapt)
    return this.#starting
  }

  async #start(adapt: Adapt): Promise<readonly Address[]> {
    this.#state = 'starting'
    let backend: Backend
    try {
      const logs = this.#openLogs()
      this.#windows = new Windows(this.#settings, this.#makeSubject(), logs.log)
      backend = this.#makeBackend(adapt, logs)
      this.#backend = backend
      // A server that goes on until this one serves keeps its name until then.
      const succeeds = this.#circumstances.inherited !== undefined
      if (!succeeds) await this.#windows.open(false)
      await backend.start()
      this.#startedAt = performance.now()
      if (succeeds) await this.#openLate(this.#windows, backend)
      if (this.#closing !== undefined) {
        await backend.close(0)
        throw stateError('serve()', 'closing', 'no close() meanwhile')
      }
    } catch (error) {
      this.#windows?.close()
      await this.#closeLogs()
      this.#state = 'closed'
      this.#end.resolve()
      throw error
    }
    this.#state = 'serving'
    return backend.addresses
  }

  /** What the server before goes on with until this one serves. */
  async #openLate(windows: Windows, backend: Backend): Promise<void> {
    try {
      await windows.open(true)
    } catch (error) {
      await backend.close(0)
      throw error
    }
  }

  #makeBackend(adapt: Adapt, logs: Logs): Backend {
    const settings = this.#settings
    const limits = this.#limits
    const fatal = (error: unknown) => this.#die(error)
    const { base = process.cwd(), descriptors = [], ...others } = this.#circumstances
    const { origins: _, ...rest } = { ...others, upgrade: this.#upgradeHooks() }
    const common = { settings, limits, fatal, base, descriptors }
    if (!isPool(settings)) return new InProcess({ ...common, logs, adapt })
    const { logger, log } = this.#logOptions
    const forwardLog = logger !== undefined || log !== undefined
    this.#supervisor = new Supervisor({ ...common, ...rest, log: logs.log, forwardLog })
    return this.#supervisor
  }

  /** When a successor fails, what it took comes back. */
  #upgradeHooks(): UpgradeHooks | undefined {
    const { upgrade } = this.#circumstances
    if (upgrade === undefined) return undefined
    return {
      directory: upgrade.directory,
      environment: upgrade.environment,
      moveAside: () => upgrade.moveAside(),
      restore: () => {
        upgrade.restore()
        void this.#windows?.reclaim()
      },
    }
  }

  #makeSubject(): Subject {
    const base = this.#circumstances.base ?? process.cwd()
    return subjectOf(base, () => ({
      state: this.#state,
      startedAt: this.#startedAt,
      settings: this.#backend?.settings ?? this.#settings,
      origins: this.#origins,
      backend: this.#backend,
      supervisor: this.#supervisor,
      logs: this.#logs,
    }))
  }

  /** Before anything is bound: a log that cannot be opened is said by an error. */
  #openLogs(): Logs {
    this.#logs ??= openLogs(ownLogs(this.#settings), this.#logOptions)
    return this.#logs
  }

  async #closeLogs(): Promise<void> {
    if (this.#logs !== this.#givenLogs) await this.#logs?.close()
  }

  #die(error: unknown): void {
    if (this.#fatal !== undefined) return
    this.#fatal = { error }
    const { code, message } = error as { code?: unknown; message?: string }
    this.#logs?.log.at(
      'fatal',
      code === 'ERR_GAIDAROS_POOL' ? String(message) : 'the server stops: die_on_error',
    )
    // Not from within the turn that failed.
    setImmediate(() => void this.close())
  }

  async #close(graceMs?: number): Promise<void> {
    const started = this.#starting
    // What is being started is not waited for where that takes other processes.
    if (this.#state === 'starting') await started?.catch(() => undefined)
    if (this.#state === 'serving') {
      this.#state = 'closing'
      await this.#backend?.close(this.#fatal ? 0 : (graceMs ?? this.#settings.shutdownGrace))
      this.#windows?.close()
      await this.#closeLogs()
    }
    this.#ended()
  }

  async #retire(supervisor: Supervisor): Promise<void> {
    this.#state = 'closing'
    // The port of the metrics is the successor's.
    this.#windows?.close()
    await supervisor.handOver()
    await this.#closeLogs()
    this.#ended()
  }

  #ended(): void {
    this.#state = 'closed'
    if (this.#fatal) this.#end.reject(this.#fatal.error)
    else this.#end.resolve()
  }
}

const RESOLVED = Symbol('resolved settings')
interface Resolved {
  [RESOLVED]: true
  settings: Settings
  origins?: undefined
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
