// The foreground server, from its first line to its exit status: one process, or the supervisor of several. It ends
// on TERM, QUIT or INT, on an error of the handler under die_on_error, on one that nothing caught, or when its
// server processes die again and again.

import type { Resolved, Settings } from '../options/index.js'
import { Gaidaros } from '../server/gaidaros.js'
import type { HeldSocket } from '../server/pool/sockets.js'
import { banner } from './banner.js'
import { EXIT, failureLines } from './failure.js'
import { duration } from './numbers.js'
import { listenToSignals, type ProcessTargets, type SignalTargets } from './signals.js'
import { summary, watchTraffic } from './statistics.js'
import { complain, say } from './terminal.js'

/** What the handler's module left running (timers, sockets of its own) is given this long. */
const LEAVE_MS = 1000

/**
 * Serves until told to stop.
 * @param again resolves all options anew, for a reload
 * @param inherited listening sockets of the server before an upgrade
 * @returns the exit status
 * @throws what Gaidaros.serve() throws when it cannot start
 */
export async function serve(
  { settings, notes }: Resolved,
  again: () => Resolved,
  inherited?: readonly HeldSocket[],
): Promise<number> {
  if (settings.verbose) complain(...notes.map((note) => `gaidaros: ${note}`))
  warnAboutRoot(settings)
  const status = await new Foreground(settings, again, inherited).run()
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
  readonly #server: Gaidaros
  #settings: Settings
  #status: number = EXIT.ok
  #stopping = false
  #readyAt: number | undefined

  constructor(
    settings: Settings,
    again: () => Resolved,
    inherited: readonly HeldSocket[] | undefined,
  ) {
    this.#settings = settings
    this.#again = again
    this.#server = Gaidaros.fromSettings(settings, {}, inherited)
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
    if (engine) say(...banner({ engine, addresses, takesLines: takesLines(this.#settings) }))
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
  }

  #sumUp(): void {
    if (!this.#settings.verbose || this.#readyAt === undefined) return
    say(...summary(this.#server.stats(), (performance.now() - this.#readyAt) / 1000))
  }

  #close(graceMs?: number): void {
    this.#stopping = true
    void this.#server.close(graceMs)
  }

  stop(signal: NodeJS.Signals, fast: boolean): void {
    const { active } = this.#server.stats()
    const grace = duration(this.#settings.shutdownGrace / 1000)
    const how = fast ? 'at once' : `at most ${grace} for what is in flight`
    say(`${signal}: stopping; ${active} open, ${how}`)
    this.#close(fast ? 0 : undefined)
  }

  quit(signal: NodeJS.Signals): void {
    if (!this.#server.supervisor?.successor.isRunning) {
      this.stop(signal, false)
      return
    }
    const { active } = this.#server.stats()
    const grace = duration(this.#settings.reloadGrace / 1000)
    say(`${signal}: the new binary serves; ${active} open, at most ${grace} until they end`)
    this.#stopping = true
    void this.#server.handOver()
  }

  stopAtOnce(signal: NodeJS.Signals): void {
    say(`${signal} again: stopped at once`)
    this.#sumUp()
    this.#server.kill()
    process.exit(this.#status)
  }

  reload(signal: NodeJS.Signals): void {
    if (this.#stopping) return
    this.#reload(signal).catch((error) => {
      if (this.#stopping) return
      complain(`gaidaros: ${signal}: not reloaded; the server goes on as it was`)
      complain(...failureLines(error, this.#settings.verbose))
    })
  }

  async #reload(signal: NodeJS.Signals): Promise<void> {
    const { settings } = this.#again()
    const { changed, left } = await this.#server.reloadSettings(settings)
    this.#settings = settings
    const news = changed.length > 0 ? `changed: ${changed.join(', ')}` : 'nothing was changed'
    const rest = left.length > 0 ? `; left as it was, for a restart: ${left.join(', ')}` : ''
    say(`${signal}: reloaded; ${news}${rest}`)
  }

  reopenLogs(signal: NodeJS.Signals): void {
    this.#server.reopenLogs()
    say(`${signal}: logs reopened`)
  }

  upgrade(signal: NodeJS.Signals): void {
    if (this.#stopping) return
    const { supervisor } = this.#server
    if (supervisor === undefined) {
      complain(`gaidaros: ${signal}: an upgrade takes a supervisor: -S procpool or proc; ignored`)
      return
    }
    const pid = supervisor.upgrade()
    if (pid !== undefined)
      say(`${signal}: the new binary is started, pid ${pid}; QUIT lets this one go`)
  }

  #suspend(signal: NodeJS.Signals): void {
    this.#server.supervisor?.suspend()
    say(`${signal}: the server processes retire; HUP brings them back`)
  }

  #resize(signal: NodeJS.Signals, how: 'grow' | 'shrink'): void {
    const wanted = this.#server.supervisor?.[how]()
    if (wanted !== undefined) say(`${signal}: ${wanted} server processes`)
  }

  /** What the handler's code threw where no request was concerned: its state is unknown, so it ends. */
  #listenToErrors(): () => void {
    const fail = (error: unknown, kind: string): void => {
      complain(`gaidaros: ${kind}, the server stops: ${traceOf(error)}`)
      if (this.#status === EXIT.failed) process.exit(this.#status)
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
