// The foreground server: one process, from its first line to its exit status. It ends on TERM, QUIT
// or INT, on an error of the handler under die_on_error, or on one that nothing caught.

import { endpoint } from '../engine/endpoint.js'
import type { LogFields, LogLevel } from '../log/logger.js'
import { type Logs, openLogs } from '../log/logs.js'
import type { Resolved, Settings } from '../options/index.js'
import type { Detached } from '../process/daemon.js'
import { Gaidaros } from '../server/gaidaros.js'
import { banner } from './banner.js'
import { EXIT } from './failure.js'
import { Instance } from './instance.js'
import { duration } from './numbers.js'
import { listenToSignals, type SignalTargets } from './signals.js'
import { summary, watchTraffic } from './statistics.js'
import { complain, say } from './terminal.js'

/** What the handler's module left running (timers, sockets of its own) is given this long. */
const LEAVE_MS = 1000

/**
 * Serves until told to stop.
 * @param detached what this process is when -d has started it
 * @returns the exit status
 * @throws what Gaidaros.serve() and openLogs() throw when it cannot start
 */
export async function serve(resolved: Resolved, detached?: Detached): Promise<number> {
  const { settings, notes } = resolved
  if (settings.verbose) complain(...notes.map((note) => `gaidaros: ${note}`))
  warnAboutRoot(settings)
  const instance = Instance.begin(resolved, detached)
  const status = await new Foreground(settings, instance, detached?.directory).run()
  detached?.failed()
  setTimeout(() => process.exit(status), LEAVE_MS).unref()
  return status
}

function warnAboutRoot({ user, allowRoot }: Settings): void {
  if (process.geteuid?.() !== 0 || user !== '' || allowRoot) return
  complain('gaidaros: warning: serving as root; --allow-root says that this is wanted')
}

class Foreground implements SignalTargets {
  readonly #settings: Settings
  readonly #logs: Logs
  readonly #instance: Instance
  readonly #server: Gaidaros
  #status: number = EXIT.ok
  #stopping = false
  #readyAt: number | undefined

  constructor(settings: Settings, instance: Instance, base: string | undefined) {
    this.#settings = settings
    this.#logs = openLogs(settings)
    this.#instance = instance
    const { descriptors } = instance
    this.#server = Gaidaros.fromSettings(settings, this.#logs, { base, descriptors })
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
      say(...banner({ engine, addresses, takesLines: takesLines(this.#settings) }))
      this.#note('info', 'serving', {
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
    this.#note('info', 'stopped', { accepted, requests, handler_errors, log_dropped })
  }

  /** What stands on the terminal anyway is logged where the log is somewhere else. */
  #note(level: LogLevel, message: string, fields: LogFields): void {
    if (this.#settings.logFile !== '') this.#logs.log.at(level, message, fields)
  }

  #sumUp(): void {
    if (!this.#settings.verbose || this.#readyAt === undefined) return
    say(...summary(this.#server.stats(), (performance.now() - this.#readyAt) / 1000))
  }

  #close(): void {
    this.#stopping = true
    this.#instance.stopping('stopping')
    void this.#server.close()
  }

  stop(signal: NodeJS.Signals): void {
    const { active } = this.#server.stats()
    const grace = duration(this.#settings.shutdownGrace / 1000)
    say(`${signal}: stopping; ${active} open, at most ${grace} for what is in flight`)
    this.#note('info', 'stopping', { signal, open: active })
    this.#close()
  }

  stopAtOnce(signal: NodeJS.Signals): void {
    say(`${signal} again: stopped at once`)
    this.#note('warn', 'stopped at once', { signal })
    this.#sumUp()
    this.#leave()
  }

  /** Without waiting for anything. */
  #leave(): never {
    this.#instance.end()
    process.exit(this.#status)
  }

  reopenLogs(signal: NodeJS.Signals): void {
    const { reopened, kept } = this.#logs.reopen()
    if (reopened.length > 0) say(`${signal}: reopened ${reopened.join(', ')}`)
    else if (kept.length === 0) say(`${signal}: no log to reopen; none of them is a file`)
    complain(
      ...kept.map(({ path, reason }) => `gaidaros: ${signal}: ${path} stays open: ${reason}`),
    )
  }

  ignored(signal: NodeJS.Signals): void {
    complain(`gaidaros: ${signal}: not available in this version; ignored`)
  }

  /** What the handler's code threw where no request was concerned: its state is unknown, so it ends. */
  #listenToErrors(): () => void {
    const fail = (error: unknown, kind: string): void => {
      complain(`gaidaros: ${kind}, the server stops: ${traceOf(error)}`)
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
function takesLines({ handlerModule, endRequest, splitRequest }: Settings): boolean {
  const framing = splitRequest || endRequest
  if (framing) return typeof framing === 'string' && /^line\b/.test(framing)
  return handlerModule === ''
}
