// All logs of one process or thread: the error log, the access log when there is one, and what happens to both on
// USR1. Each process of a server opens its own; they share files by appending whole lines.

import { isMainThread, threadId } from 'node:worker_threads'
import type { Settings } from '../options/settings.js'
import { AccessLog } from './access.js'
import { Log } from './log.js'
import {
  type LineLogger,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogThreshold,
  lineLogger,
} from './logger.js'
import { checkLogFile, placeOf } from './place.js'
import { Target } from './target.js'

/** Where log events go instead of log_file. */
export interface LogOptions {
  logger?: Logger | undefined
  /** Takes finished lines. */
  log?: ((line: string) => void) | undefined
}

export interface OpenLogsOptions extends LogOptions {
  /** Names this process or thread in the lines; the access log says the pid without it. */
  worker?: string | undefined
}

/** What reopen() did. */
export interface Reopened {
  /** Paths whose files were opened anew. */
  reopened: string[]
  /** Paths that could not be: their old files are still written to. */
  kept: { path: string; reason: string }[]
}

type LogSettings = Pick<Settings, 'logFile' | 'logFormat' | 'logLevel' | 'accessLog' | 'verbose'>

/**
 * Opens the logs that the settings ask for.
 * @throws GaidarosError ERR_GAIDAROS_LOG naming option, path and why
 * @example
 * const logs = openLogs(settings, { worker: 'server 2' })
 * logs.log.at('info', 'ready', { port: 8080 })
 * await logs.close()
 */
export function openLogs(settings: LogSettings, options: OpenLogsOptions = {}): Logs {
  return new Logs(settings, options)
}

/** What log_file and access_log name can be written, as far as that shows without making files. */
export function checkLogs({ logFile, accessLog }: Pick<Settings, 'logFile' | 'accessLog'>): void {
  for (const [option, text] of Object.entries({ log_file: logFile, access_log: accessLog })) {
    const place = text === '' ? undefined : placeOf(text)
    if (place && 'path' in place) checkLogFile(place.path, option)
  }
}

export class Logs {
  readonly log: Log
  /** undefined: no access log is wanted, and nothing must be spent on one. */
  readonly access: AccessLog | undefined
  /** The error log's own logger, unless somebody gave his. */
  readonly #lines: LineLogger | undefined
  readonly #targets: Target[] = []
  /** Paths that could not be opened anew, which was said. */
  readonly #complained = new Set<string>()
  readonly #format: LogFormat
  readonly #worker: string | undefined

  constructor(settings: LogSettings, { logger, log, worker }: OpenLogsOptions) {
    this.#format = settings.logFormat as LogFormat
    this.#worker = worker
    try {
      this.#lines = logger === undefined ? this.#lineLogger(settings, log) : undefined
      this.log = new Log(logger ?? (this.#lines as LineLogger))
      this.access = settings.accessLog === '' ? undefined : this.#openAccess(settings.accessLog)
    } catch (error) {
      for (const target of this.#targets) void target.close()
      throw error
    }
  }

  /**
   * Opens every file anew, as log rotation wants it after a rename. A file that cannot be opened is written to as
   * before, which is said once. Says in the log what was done.
   */
  reopen(): Reopened {
    this.access?.flush()
    const result: Reopened = { reopened: [], kept: [] }
    for (const target of this.#targets) if (target.isFile) this.#reopen(target, result)
    if (result.reopened.length > 0)
      this.log.at('info', 'logs reopened', { files: result.reopened.join(', ') })
    return result
  }

  /** Takes over a changed log_level, or verbose, while running. A logger that was given decides itself. */
  setLevel(settings: Pick<LogSettings, 'verbose' | 'logLevel'>): void {
    this.#lines?.setLevel(levelOf(settings))
  }

  /** Lines that were dropped because a target took none and the buffer was full. */
  dropped(): number {
    return this.#targets.reduce((sum, target) => sum + target.dropped, 0)
  }

  /** Writes what waits, within half a second, and closes the files. */
  async close(): Promise<void> {
    this.log.flush()
    this.access?.flush()
    await Promise.all(this.#targets.map((target) => target.close()))
  }

  #lineLogger(settings: LogSettings, write: ((line: string) => void) | undefined): LineLogger {
    const options = { level: levelOf(settings), format: this.#format, worker: this.#worker }
    if (write !== undefined) return lineLogger(options, write)
    const target = new Target({
      place: settings.logFile === '' ? { standard: 2 } : placeOf(settings.logFile),
      option: 'log_file',
      droppedLine: (dropped) => droppedLine('log lines dropped', dropped, options),
      last: () => this.log.flush(),
    })
    this.#targets.push(target)
    return lineLogger(options, (made) => target.write(`${made}\n`))
  }

  #openAccess(text: string): AccessLog {
    const worker = this.#worker ?? (isMainThread ? `${process.pid}` : `${process.pid}/${threadId}`)
    const form = { format: this.#format, worker }
    const target = new Target({
      place: placeOf(text),
      option: 'access_log',
      droppedLine: (dropped) => droppedLine('access log lines dropped', dropped, form),
      last: () => this.access?.flush(),
      failing: (code) =>
        this.log.limited('access_log', 'error', 'the access log takes no lines', {
          file: target.name,
          code,
        }),
    })
    this.#targets.push(target)
    return new AccessLog({ ...form, write: (lines) => target.write(lines) })
  }

  #reopen(target: Target, { reopened, kept }: Reopened): void {
    const path = target.name
    try {
      target.reopen()
      reopened.push(path)
      this.#complained.delete(path)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      kept.push({ path, reason })
      if (!this.#complained.has(path)) this.log.at('error', 'log not reopened', { path, reason })
      this.#complained.add(path)
    }
  }
}

/** The line that stands for those that are missing. */
function droppedLine(
  message: string,
  dropped: number,
  form: Pick<LoggerOptions, 'format' | 'worker'>,
): string {
  let line = ''
  const keep = (made: string): void => {
    line = `${made}\n`
  }
  lineLogger({ ...form, level: 'warn' }, keep).warn(message, { dropped })
  return line
}

/** -v asks for debug lines; trace stays trace. */
const levelOf = ({ verbose, logLevel }: Pick<LogSettings, 'verbose' | 'logLevel'>): LogThreshold =>
  verbose && logLevel !== 'trace' ? 'debug' : (logLevel as LogThreshold)
