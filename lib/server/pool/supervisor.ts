// The supervisor of server processes: holds the listening sockets, keeps as many processes as are wanted, assigns
// the sockets to them, replaces those that die, and all of them on a reload. It handles no connection itself.

import { closeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Address, Limits, TlsOptions } from '../../engine/engine.js'
import { chooseEngine, portableNotes } from '../../engine/index.js'
import { GaidarosError } from '../../errors.js'
import type { Log } from '../../log/log.js'
import type { Logger } from '../../log/logger.js'
import type { SettingName, Settings } from '../../options/settings.js'
import { checkPrivileges } from '../../process/privileges.js'
import { SocketFile } from '../../process/socketfile.js'
import { loadTls, ticketSecret } from '../../tls/load.js'
import type { Backend, EngineInfo, ReloadReport } from '../backend.js'
import { type Bound, bind, isLocal, pathSpec } from '../binding.js'
import { merge } from '../changes.js'
import { engineLimits, wishes } from '../engineoptions.js'
import type { Inspected, Inspection, Question } from '../inspection.js'
import { legacy, type ProcessStats, type ServerStats, sumStats } from '../stats.js'
import { assign } from './assignment.js'
import type { Death } from './crashes.js'
import type { Start } from './messages.js'
import { ServerProcess } from './process.js'
import { CALM, decide } from './scaling.js'
import { Slot, type SlotHost } from './slot.js'
import { activatedSockets, type HeldSocket, isFor, Sockets } from './sockets.js'
import { Successor, type UpgradeHooks } from './successor.js'

/** What only a restart can change: the sockets are held for life, and what holds them. */
const FIXED: ReadonlySet<SettingName> = new Set<SettingName>([
  'host',
  'port',
  'ipVersion',
  'backlog',
  'engine',
  'serverType',
  'logFile',
  'logFormat',
  'daemon',
  'pidFile',
  'umask',
  'controlSocket',
  'metrics',
])
const SCALE_MS = 1_000

export interface SupervisorOptions {
  settings: Settings
  limits: Limits
  log: Log
  /** Where relative module paths begin. */
  base: string
  /** The logger is the user's own: what the processes log comes here. */
  forwardLog: boolean
  /** The server cannot go on. */
  fatal: (error: Error) => void
  /** Listening descriptors of the service manager, to use instead of host and port. */
  descriptors: readonly number[]
  inherited?: readonly HeldSocket[] | undefined
  /** What the processes write to instead of this one's standard output and error. */
  output?: number | undefined
  upgrade?: UpgradeHooks | undefined
}

/** Processes of one configuration. */
interface Generation {
  number: number
  settings: Settings
  tls: TlsOptions | undefined
}

export class Supervisor implements Backend, SlotHost {
  readonly #options: SupervisorOptions
  readonly #logger: Logger
  #limits: Limits
  #sockets = new Sockets({ perAddress: 1, native: false })
  #addresses: readonly Address[] = []
  /** The name of a unix socket. */
  #file: SocketFile | undefined
  #generation: Generation
  #slots: Slot[] = []
  /** Every process that is not gone. */
  readonly #processes = new Set<ServerProcess>()
  #departed: ServerStats = sumStats([])
  #engine: EngineInfo | undefined
  #wanted = 1
  #suspended = false
  #closing = false
  #work: Promise<unknown> = Promise.resolve()
  #scaler: NodeJS.Timeout | undefined
  #trend = CALM
  /** Those of its tickets, and its processes'. */
  readonly #secret = ticketSecret()
  readonly successor: Successor

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#logger = options.log.logger
    this.#limits = options.limits
    this.#generation = { number: 1, settings: options.settings, tls: undefined }
    this.successor = new Successor(this.#logger, options.upgrade)
  }

  get addresses(): readonly Address[] {
    return this.#addresses
  }

  get engine(): EngineInfo | undefined {
    return this.#engine
  }

  get settings(): Settings {
    return this.#generation.settings
  }

  async start(): Promise<void> {
    const { settings } = this.#options
    checkPrivileges(settings)
    this.#generation.tls = this.#loadTls(settings)
    const addresses = await this.#listen()
    this.#wanted = startSize(settings)
    this.#slots = Array.from({ length: this.#wanted }, (_, number) => new Slot(number, this))
    try {
      await Promise.all(this.#slots.map((slot) => slot.start()))
    } catch (error) {
      await this.close(0)
      throw error
    }
    this.#engine = this.#slots[0]?.process?.engine
    this.#addresses = addresses
    await this.#serveWith(this.#slots)
    if (this.#closing) return
    // It also keeps this process alive while there is no server process: the sockets are mere descriptors to node.
    this.#scaler = setInterval(() => this.#scale(), SCALE_MS)
  }

  /** Opens the listening sockets as the user that this process is, and keeps them. */
  async #listen(): Promise<Address[]> {
    const { settings, inherited = [], descriptors } = this.#options
    const native = this.#chooseEngine() === 'native'
    const perAddress = native ? poolSize(settings) : 1
    const given = inherited.some(({ activated }) => activated)
      ? inherited
      : activatedSockets(descriptors, settings.backlog)
    if (given.length > 0) {
      this.#sockets = new Sockets({ perAddress, native })
      return this.#sockets.adopt(given)
    }
    const incomingCpu = settings.socketIncomingCpu
    const make = () => new Sockets({ perAddress, native, incomingCpu, inherited })
    const { listener, addresses, file } = await this.#bind(make)
    this.#sockets = listener
    this.#file = file
    for (const { fd } of inherited) if (!listener.has(fd)) closeSync(fd)
    return addresses
  }

  /** A path whose socket is inherited is in use, by the supervisor before: it changes hands. */
  async #bind(make: () => Sockets): Promise<Bound & { listener: Sockets }> {
    const { settings, inherited = [] } = this.#options
    const spec = isLocal(settings) ? pathSpec(settings) : undefined
    if (spec === undefined || !inherited.some((each) => isFor(each, spec)))
      return bind(make, settings)
    const listener = make()
    const file = SocketFile.of(spec.path)
    return { listener, addresses: [listener.listen(spec)], ...(file && { file }) }
  }

  stats(): ServerStats {
    const known = [...this.#processes].flatMap(({ report }) => (report ? [report.stats] : []))
    return { ...sumStats([this.#departed, ...known]), processes: this.#spread() }
  }

  async collectStats(): Promise<ServerStats> {
    await Promise.all([...this.#processes].map((each) => each.refresh()))
    return this.stats()
  }

  async inspect(question: Question): Promise<Inspection> {
    const departed = this.#departed
    const ask = async (each: ServerProcess): Promise<Inspected> => {
      const outcome = await each.inspect(question)
      const restarts = this.#slots.find(({ process }) => process === each)?.restarts ?? 0
      const last = each.report?.stats
      return { ...describe(each), restarts, ...outcome, ...(last !== undefined && { last }) }
    }
    const processes = await Promise.all([...this.#processes].map(ask))
    return { processes, departed }
  }

  setLimits(limits: Limits): void {
    this.#limits = limits
    for (const each of this.#processes) each.setLimits(limits)
  }

  /** What cannot be used is said here, once, and nobody else reads a key. */
  async reloadCertificates(): Promise<string[]> {
    const { settings } = this.#generation
    const tls = this.#loadTls(settings)
    if (tls !== undefined) {
      this.#generation.tls = tls
      for (const each of this.#processes) each.setTls(tls)
    }
    return [...settings.tlsCert]
  }

  #loadTls(settings: Settings): TlsOptions | undefined {
    return loadTls(settings, this.#secret, (text) => this.#logger.warn(text))
  }

  reopenLogs(): void {
    for (const each of this.#processes) each.reopenLogs()
  }

  /** One reload after the other; each with what it was given. */
  reload(settings: Settings): Promise<ReloadReport> {
    return this.#inTurn(() => this.#reload(settings))
  }

  /** One server process more. @returns how many are wanted now */
  grow(): number {
    return this.#resize(this.#wanted + 1)
  }

  /** One fewer, but one at least: its connections are kept until they end, or reload_grace has passed. */
  shrink(): number {
    return this.#resize(Math.max(1, this.#wanted - 1))
  }

  /** Retires all server processes; connections wait in the queues until a reload brings processes back. */
  suspend(): void {
    this.#suspended = true
    for (const slot of this.#slots.splice(0)) this.#retire(slot.close())
  }

  /** Starts the new binary on the same sockets. @returns its pid */
  upgrade(): number | undefined {
    return this.successor.start(this.#sockets.all)
  }

  async close(graceMs: number): Promise<void> {
    this.#closing = true
    clearInterval(this.#scaler)
    // A successor that runs has the path by now.
    if (!this.successor.isRunning) this.#file?.remove()
    for (const slot of this.#slots) slot.close()
    await this.#stopAll((each) => each.stop(graceMs))
    this.#sockets.close()
  }

  /** What a new binary serves meanwhile is left to it: connections are kept as by a reload, then this one ends. */
  async handOver(): Promise<void> {
    const { reloadGrace, shutdownGrace } = this.#generation.settings
    this.#closing = true
    clearInterval(this.#scaler)
    for (const slot of this.#slots) slot.close()
    await this.#stopAll((each) => each.retire(reloadGrace, shutdownGrace))
    this.#sockets.close()
  }

  kill(): void {
    if (!this.successor.isRunning) this.#file?.remove()
    for (const each of this.#processes) each.kill()
  }

  // What the slots ask for.

  spawn(slot: number): ServerProcess {
    return this.#spawn(slot, this.#generation)
  }

  shifted(): void {
    if (!this.#closing) void this.#assign()
  }

  warn(message: string): void {
    if (!this.#closing) this.#logger.warn(message)
  }

  giveUp(message: string): void {
    if (!this.#closing) this.#options.fatal(new GaidarosError('ERR_GAIDAROS_POOL', message))
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#work.then(task)
    this.#work = result.catch(() => undefined)
    return result
  }

  #spawn(slot: number, { number, settings, tls }: Generation): ServerProcess {
    const start: Omit<Start, 'kind' | 'sockets'> = {
      slot,
      generation: number,
      settings,
      limits: this.#limits,
      tls,
      base: this.#options.base,
      forwardLog: this.#options.forwardLog,
    }
    const each = new ServerProcess(start, this.#sockets.all, this.#options.output, {
      gone: (process, death, how) => this.#gone(process, death, how),
      log: (level, message, fields) =>
        this.#options.log.at(level, message, { ...fields, process: slot }),
      fatal: (error) => this.#options.fatal(error),
    })
    this.#processes.add(each)
    return each
  }

  #gone(gone: ServerProcess, death: Death, how: string): void {
    this.#processes.delete(gone)
    if (gone.report) this.#departed = sumStats([this.#departed, legacy(gone.report.stats)])
    // Before it serves a death ends the start.
    if (this.#closing || this.#addresses.length === 0) return
    this.#slots.find(({ process }) => process === gone)?.died(gone, death, how)
  }

  /** Sends each process the sockets that it accepts from. Settles when all accept. */
  async #assign(): Promise<void> {
    const able = this.#slots.flatMap(({ process }) => (process?.state === 'ready' ? [process] : []))
    const sockets = assign(
      this.#sockets.groups,
      able.map(({ slot }) => slot),
    )
    await Promise.all(able.map((each) => each.listen(sockets.get(each.slot) ?? [])))
  }

  async #reload(given: Settings): Promise<ReloadReport> {
    const { settings, changed, left } = merge(this.#generation.settings, given, (name) =>
      FIXED.has(name),
    )
    const tls = this.#loadTls(settings)
    const next = { number: this.#generation.number + 1, settings, tls }
    const size = this.#sizeAfter(settings)
    const limits = this.#limits
    this.#limits = engineLimits(settings)
    const started = Array.from({ length: size }, (_, slot) => this.#spawn(slot, next))
    try {
      await Promise.all(started.map((each) => each.ready))
      if (this.#closing) throw new Error('the server is closing')
    } catch (error) {
      this.#limits = limits
      for (const each of started) each.kill()
      await Promise.all(started.map((each) => each.gone))
      throw error
    }
    await this.#replace(next, started)
    const certificates = tls === undefined ? [] : ['certificates']
    return { changed: [...changed, 'handler', ...certificates], left }
  }

  /** The new ones accept before the old ones stop. */
  async #replace(next: Generation, started: readonly ServerProcess[]): Promise<void> {
    const old = this.#slots
    this.#generation = next
    this.#wanted = started.length
    this.#suspended = false
    this.#slots = started.map((each) => new Slot(each.slot, this, each))
    await this.#serveWith(this.#slots)
    for (const slot of old) this.#retire(slot.close())
  }

  /** All are ready; one may have died since, of which its slot has not heard. */
  async #serveWith(slots: readonly Slot[]): Promise<void> {
    for (const slot of slots)
      if (slot.process?.state === 'gone')
        slot.died(slot.process, { servedMs: 0, signal: null }, 'ended')
    await this.#assign()
  }

  #chooseEngine(): EngineInfo['name'] {
    const { settings } = this.#options
    const { name, because } = chooseEngine(settings.engine, settings.pollingType, settings.compress)
    if (name === 'portable')
      for (const text of portableNotes(wishes(settings))) this.#logger.warn(because + text)
    return name
  }

  #sizeAfter(settings: Settings): number {
    const most = poolSize(settings)
    return settings.serverType === 'proc' ? Math.max(1, Math.min(this.#wanted, most)) : most
  }

  #resize(wanted: number): number {
    this.#wanted = wanted
    if (this.#suspended || this.#closing) return wanted
    void this.#inTurn(() => this.#adjust())
    return wanted
  }

  /** Starts or retires processes until there are as many as are wanted. */
  async #adjust(): Promise<void> {
    if (this.#closing || this.#suspended) return
    const surplus = this.#slots.splice(this.#wanted).map((slot) => slot.close())
    const added: Slot[] = []
    while (this.#slots.length < this.#wanted) {
      const slot = new Slot(this.#slots.length, this)
      this.#slots.push(slot)
      added.push(slot)
    }
    if (surplus.length > 0) await this.#assign()
    for (const each of surplus) this.#retire(each)
    await Promise.all(
      added.map((slot) => slot.start().catch((error: Error) => this.warn(error.message))),
    )
  }

  #retire(each: ServerProcess | undefined): void {
    const { reloadGrace, shutdownGrace } = this.#generation.settings
    each?.retire(reloadGrace, shutdownGrace)
  }

  async #stopAll(stop: (each: ServerProcess) => void): Promise<void> {
    const all = [...this.#processes]
    for (const each of all) stop(each)
    await Promise.all(all.map((each) => each.gone))
  }

  #scale(): void {
    const { settings } = this.#generation
    if (settings.serverType !== 'proc' || this.#suspended) return
    const shares = this.#slots.flatMap(({ process }) =>
      process?.report ? [process.report.busy] : [],
    )
    if (shares.length < this.#slots.length) return
    const { step, trend } = decide(shares, this.#trend, poolSize(settings))
    this.#trend = trend
    if (step === 'grow') this.grow()
    if (step === 'shrink') this.shrink()
  }

  #spread(): ProcessStats[] {
    return [...this.#processes].map((each) => ({
      ...describe(each),
      accepted: each.report?.stats.accepted ?? 0,
      active: each.report?.stats.active ?? 0,
      requests: each.report?.stats.requests ?? 0,
    }))
  }
}

const describe = ({ pid, slot, generation, state, report }: ServerProcess) => ({
  pid: pid ?? 0,
  slot,
  generation,
  state,
  busy: report?.busy ?? 0,
})

/** server_pool_size; 0 is the number of cores. */
export const poolSize = ({ serverPoolSize }: Settings): number =>
  Number(serverPoolSize) || availableParallelism()

/** proc begins with one and grows as load asks. */
const startSize = (settings: Settings): number =>
  settings.serverType === 'proc' ? 1 : poolSize(settings)
