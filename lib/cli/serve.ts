// The foreground server, from its first line to its exit status: one process, or the supervisor of several. It ends
// on TERM, QUIT or INT, on an error of the handler under die_on_error, on one that nothing caught, or when its
// server processes die again and again.

import { endpoint } from '../engine/endpoint.js'
import type { LogFields, LogLevel } from '../log/logger.js'
import { type Logs, openLogs } from '../log/logs.js'
import type { Resolved, Settings } from '../options/index.js'
import { releaseMemoryAtRest } from '../process/allocator.js'
import type { Detached } from '../process/daemon.js'
import { hasMessages, isDatagram } from '../server/engineoptions.js'
import { Gaidaros } from '../server/gaidaros.js'
import { ownLogs } from '../server/ownsettings.js'
import type { HeldSocket } from '../server/pool/sockets.js'
import { hasTls } from '../tls/load.js'
import { banner } from './banner.js'
import { EXIT, failureLines } from './failure.js'
import { Instance } from './instance.js'
import { duration } from './numbers.js'
import { listenToSignals, type ProcessTargets, type SignalTargets } from './signals.js'
import { summary, watchTraffic } from './statistics.js'
import { complain, say } from './terminal.js'

/** What the handler's module left running (timers, sockets of its own) is given this long. */
const LEAVE_MS = 1000

/** How this process came to serve. */
export interface Origin {
  /** Resolves all options anew, for a reload. */
  again: () => Resolved
  /** What this process is when -d has started it. */
  detached?: Detached | undefined
  /** Listening sockets of the server before an upgrade. */
  inherited?: readonly HeldSocket[] | undefined
}

/**
 * Serves until told to stop.
 * @returns the exit status
 * @throws what Gaidaros.serve() and openLogs() throw when it cannot start
 */
export async function serve(resolved: Resolved, origin: Origin): Promise<number> {
  const { settings, notes } = resolved
  const { detached, inherited } = origin
  if (settings.verbose) complain(...notes.map((note) => `gaidaros: ${note}`))
  warnAboutRoot(settings)
  releaseMemoryAtRest()
  const instance = Instance.begin(resolved, detached, inherited !== undefined)
  const status = await new Foreground(resolved, instance, origin).run()
  detached?.failed()
  setTimeout(() => process.exit(status), LEAVE_MS).unref()
  return status
}

function warnAboutRoot({ user, allowRoot }: Settings): void {
  if (process.geteuid?.() !== 0 || user !== '' || allowRoot) return
  complain('gaidaros: warning: serving as root; --allow-root says that this is wanted')
}

class Foreground implements SignalTargets {
  readonly processes: ProcessTargets | undefined
  readonly #again: () => Resolved
  readonly #isDetached: boolean
  readonly #logs: Logs
  readonly #instance: Instance
  readonly #server: Gaidaros
  #settings: Settings
  #status: number = EXIT.ok
  #stopping = false
  #readyAt: number | undefined

  constructor(
    { settings, origins }: Resolved,
    instance: Instance,
    { again, detached, inherited }: Origin,
  ) {
    this.#settings = settings
    this.#again = again
    this.#isDetached = detached !== undefined
    this.#logs = openLogs(ownLogs(settings))
    this.#instance = instance
    const { descriptors, output } = instance
    this.#server = Gaidaros.fromSettings(settings, this.#logs, {
      base: detached?.directory,
      descriptors,
      inherited,
      output,
      upgrade: instance.upgradeHooks(),
      origins,
    })
    if (settings.serverType === '') return
    process.title = 'gaidaros: supervisor'
    this.processes = {
      suspend: (signal) => this.#suspend(signal),
      grow: (signal) => this.#resize(signal, 'grow'),
      shrink: (signal) => this.#resize(signal, 'shrink'),
    }
  }

  async run(): Promise<number> {
    const release = [listenToSignals(this), this.#listenToErrors()]
    try {
      if (await this.#start()) await this.#untilClosed()
    } finally {
      for (const each of release) each()
      await this.#logs.close()
      this.#instance.end()
    }
    return this.#status
  }

  /** False when it was stopped before it was ready. */
  async #start(): Promise<boolean> {
    try {
      await this.#server.serve()
    } catch (error) {
      if (this.#stopping) return false
      throw error
    }
    this.#readyAt = performance.now()
    const { engine, addresses } = this.#server
    if (engine) {
      const { tlsMode, protocol, compress } = this.#settings
      const requests = {
        takesLines: takesLines(this.#settings),
        http: takesHttp(this.#settings),
        datagrams: isDatagram(this.#settings),
        messages: hasMessages(this.#settings),
        zmq: protocol === 'zmq',
        compress,
      }
      const secure = hasTls(this.#settings) && tlsMode === 'implicit'
      say(...banner({ engine, addresses, ...requests, secure }))
      this.#note('info', 'serving', {
        pid: process.pid,
        addresses: addresses.map(endpoint).join(', '),
        engine: `${engine.name}, ${engine.description}`,
      })
    }
    this.#instance.ready(addresses.map(endpoint))
    return true
  }

  async #untilClosed(): Promise<void> {
    const quiet = this.#settings.verbose
      ? watchTraffic(() => this.#server.stats(), say)
      : () => undefined
    try {
      await this.#server.closed
    } catch {
      this.#status = EXIT.failed // die_on_error: the server has logged it
    }
    quiet()
    this.#sumUp()
    const { accepted, requests, handler_errors, log_dropped } = this.#server.stats()
    this.#note('info', 'stopped', {
      pid: process.pid,
      accepted,
      requests,
      handler_errors,
      log_dropped,
    })
  }

  /** News for whoever sits at the terminal. A daemon has none: its output goes to the log, where note() has been. */
  #say(...lines: string[]): void {
    if (!this.#isDetached) say(...lines)
  }

  #complain(...lines: string[]): void {
    if (!this.#isDetached) complain(...lines)
  }

  /** What stands on the terminal anyway is logged where the log is somewhere else. */
  #note(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (this.#settings.logFile !== '') this.#logs.log.at(level, message, fields)
  }

  #sumUp(): void {
    if (!this.#settings.verbose || this.#readyAt === undefined) return
    say(...summary(this.#server.stats(), (performance.now() - this.#readyAt) / 1000))
  }

  #close(graceMs?: number): void {
    this.#stopping = true
    this.#instance.stopping('stopping')
    void this.#server.close(graceMs)
  }

  stop(signal: NodeJS.Signals, fast: boolean): void {
    const { active } = this.#server.stats()
    const grace = duration(this.#settings.shutdownGrace / 1000)
    const how = fast ? 'at once' : `at most ${grace} for what is in flight`
    this.#say(`${signal}: stopping; ${active} open, ${how}`)
    this.#note('info', 'stopping', { pid: process.pid, signal, open: active })
    this.#close(fast ? 0 : undefined)
  }

  quit(signal: NodeJS.Signals): void {
    const pid = this.#server.supervisor?.successor.pid
    if (pid === undefined) {
      this.stop(signal, false)
      return
    }
    const { active } = this.#server.stats()
    const grace = duration(this.#settings.reloadGrace / 1000)
    this.#say(`${signal}: the new binary serves; ${active} open, at most ${grace} until they end`)
    this.#note('info', 'handed over', { signal, to: pid, open: active })
    this.#stopping = true
    this.#instance.handedOver(pid)
    void this.#server.handOver()
  }

  stopAtOnce(signal: NodeJS.Signals): void {
    this.#say(`${signal} again: stopped at once`)
    this.#note('warn', 'stopped at once', { signal })
    this.#sumUp()
    this.#leave()
  }

  /** Without waiting for anything. */
  #leave(): never {
    this.#server.kill()
    this.#instance.end()
    process.exit(this.#status)
  }

  reload(signal: NodeJS.Signals): void {
    if (this.#stopping) return
    this.#instance.reloading()
    this.#reload(signal)
      .catch((error) => {
        if (this.#stopping) return
        const lines = failureLines(error, this.#settings.verbose)
        this.#complain(`gaidaros: ${signal}: not reloaded; the server goes on as it was`, ...lines)
        this.#note('error', 'not reloaded; the server goes on as it was', {
          signal,
          reason: lines.map((line) => line.replace(/^gaidaros: /, '')).join('; '),
        })
      })
      .finally(() => {
        if (!this.#stopping) this.#instance.reloaded(this.#server.addresses.map(endpoint))
      })
  }

  async #reload(signal: NodeJS.Signals): Promise<void> {
    const { settings, origins } = this.#again()
    const { changed, left } = await this.#server.reloadSettings(settings, origins)
    this.#settings = settings
    const news = changed.length > 0 ? `changed: ${changed.join(', ')}` : 'nothing was changed'
    const rest = left.length > 0 ? `; left as it was, for a restart: ${left.join(', ')}` : ''
    this.#say(`${signal}: reloaded; ${news}${rest}`)
    this.#note('info', 'reloaded', {
      changed: changed.join(', ') || 'nothing',
      ...(left.length > 0 && { left: left.join(', ') }),
    })
  }

  reopenLogs(signal: NodeJS.Signals): void {
    const { reopened, kept } = this.#server.reopenLogs()
    if (this.processes !== undefined) this.#say(`${signal}: the server processes reopen their logs`)
    if (reopened.length > 0) this.#say(`${signal}: reopened ${reopened.join(', ')}`)
    else if (kept.length === 0 && this.processes === undefined)
      this.#say(`${signal}: no log to reopen; none of them is a file`)
    this.#complain(
      ...kept.map(({ path, reason }) => `gaidaros: ${signal}: ${path} stays open: ${reason}`),
    )
  }

  upgrade(signal: NodeJS.Signals): void {
    if (this.#stopping) return
    const { supervisor } = this.#server
    if (supervisor === undefined) {
      const why = 'an upgrade takes a supervisor: -S procpool or proc; ignored'
      this.#complain(`gaidaros: ${signal}: ${why}`)
      this.#note('warn', why, { signal })
      return
    }
    const pid = supervisor.upgrade()
    if (pid === undefined) return
    this.#say(`${signal}: the new binary is started, pid ${pid}; QUIT lets this one go`)
    this.#note('info', 'upgrade: the new binary is started', { signal, pid })
  }

  #suspend(signal: NodeJS.Signals): void {
    this.#server.supervisor?.suspend()
    const news = 'the server processes retire; HUP brings them back'
    this.#say(`${signal}: ${news}`)
    this.#note('info', news, { signal })
  }

  #resize(signal: NodeJS.Signals, how: 'grow' | 'shrink'): void {
    const wanted = this.#server.supervisor?.[how]()
    if (wanted === undefined) return
    this.#say(`${signal}: ${wanted} server processes`)
    this.#note('info', 'server processes', { signal, wanted })
  }

  /** What the handler's code threw where no request was concerned: its state is unknown, so it ends. */
  #listenToErrors(): () => void {
    const fail = (error: unknown, kind: string): void => {
      this.#complain(`gaidaros: ${kind}, the server stops: ${traceOf(error)}`)
      this.#note('fatal', `${kind}, the server stops`, { error: traceOf(error) })
      if (this.#status === EXIT.failed) this.#leave()
      this.#status = EXIT.failed
      this.#close()
    }
    const uncaught = (error: Error): void => fail(error, 'uncaught exception')
    const unhandled = (reason: unknown): void => fail(reason, 'unhandled rejection')
    process.on('uncaughtException', uncaught).on('unhandledRejection', unhandled)
    return () => process.off('uncaughtException', uncaught).off('unhandledRejection', unhandled)
  }
}

function traceOf(error: unknown): string {
  return error instanceof Error ? String(error.stack ?? error) : String(error)
}

/** A module or a function may frame otherwise; then only the connection is suggested. */
function takesLines({ handlerModule, endRequest, splitRequest, frontend }: Settings): boolean {
  if (frontend !== '') return false
  const framing = splitRequest || endRequest
  if (framing) return typeof framing === 'string' && /^line\b/.test(framing)
  return handlerModule === ''
}

/** As far as the options say. */
function takesHttp(settings: Settings): boolean {
  const { splitRequest, endRequest, frontend } = settings
  if (frontend !== '') return true
  return (splitRequest || endRequest) === 'http' && !isDatagram(settings) && !hasMessages(settings)
}
