// One server process as its supervisor sees it: started, ready, retiring, gone. It is a direct child; all listening
// sockets are among its descriptors from the start.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { deferred } from '../../dispatch/deferred.js'
import type { Limits, TlsOptions } from '../../engine/engine.js'
import { GaidarosError } from '../../errors.js'
import type { LogFields, LogLevel } from '../../log/logger.js'
import { childFlags } from '../../process/command.js'
import { cleanEnvironment } from '../../process/environment.js'
import { parentArgument } from '../../process/parent.js'
import type { EngineInfo } from '../backend.js'
import type { Inspected, Question } from '../inspection.js'
import type { Death } from './crashes.js'
import { errorOf, type FromServer, type Report, type Start, type ToServer } from './messages.js'
import type { HeldSocket } from './sockets.js'

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))
/** stdin, stdout, stderr and the channel come before the sockets. */
const FIRST_FD = 4
/**
 * A process that shows no progress for so long, before it is ready, is killed. Long enough for a handler that takes its
 * time to load, and for a machine so busy that a process needs many seconds to begin: killing it then makes that worse.
 */
const READY_MS = 60_000
/** An answer that is not there by then is not waited for. */
const ANSWER_MS = 1_000
/** After its grace a process has this long to be gone. */
const MARGIN_MS = 1_500
/** How long what a process said last may still be on its way when it has ended. */
const LAST_WORDS_MS = 500

export type ProcessState = 'starting' | 'ready' | 'retiring' | 'stopping' | 'gone'

export interface ProcessEvents {
  /** It has ended, and has been reaped. */
  gone(process: ServerProcess, death: Death, how: string): void
  log(level: LogLevel, message: string, fields: LogFields): void
  /** An error of the handler under die_on_error. */
  fatal(error: Error): void
}

type Answered = Pick<Inspected, 'answer' | 'error'>

export class ServerProcess {
  readonly slot: number
  readonly generation: number
  /** Resolves when it can serve; rejects with why it cannot. */
  readonly ready: Promise<void>
  readonly gone: Promise<void>
  state: ProcessState = 'starting'
  engine: EngineInfo | undefined
  report: Report | undefined
  readonly #child: ChildProcess
  readonly #events: ProcessEvents
  readonly #ready = deferred()
  readonly #gone = deferred()
  readonly #answers = new Map<number, (answer?: Answered) => void>()
  readonly #timer: NodeJS.Timeout
  #killer: NodeJS.Timeout | undefined
  #next = 0
  #readyAt: number | undefined

  constructor(
    start: Omit<Start, 'kind' | 'sockets'>,
    sockets: readonly HeldSocket[],
    output: number | undefined,
    events: ProcessEvents,
  ) {
    this.slot = start.slot
    this.generation = start.generation
    this.#events = events
    this.ready = this.#ready.promise
    this.gone = this.#gone.promise
    this.ready.catch(() => undefined)
    this.#timer = setTimeout(() => this.#fail(`was not ready after ${READY_MS / 1000} s`), READY_MS)
    this.#child = spawn(
      process.execPath,
      [...childFlags(process.execArgv), MAIN, parentArgument()],
      {
        stdio: [
          'ignore',
          output ?? 'inherit',
          output ?? 'inherit',
          'ipc',
          ...sockets.map(({ fd }) => fd),
        ],
        serialization: 'advanced',
        env: cleanEnvironment(process.env),
      },
    )
    this.#listen()
    const inherited = sockets.map(({ address, family, port, backlog, activated }, i) => ({
      fd: FIRST_FD + i,
      address,
      port,
      backlog,
      ...(family === 'unix' && { path: address }),
      ...(activated && { activated }),
    }))
    this.#send({ kind: 'start', ...start, sockets: inherited })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Accept from these sockets and no others. Settles when it does, or when it is gone. */
  async listen(sockets: number[]): Promise<void> {
    await this.#ask((id) => ({ kind: 'listen', sockets, id }))
  }

  /** Asks for its counters; afterwards `report` is as new as it can be had. */
  async refresh(): Promise<void> {
    if (this.state === 'starting' || this.state === 'gone') return
    await this.#ask((id) => ({ kind: 'report', id }))
  }

  /** What it says to a question, or why it says nothing. */
  async inspect(question: Question): Promise<Pick<Inspected, 'answer' | 'error'>> {
    if (this.state === 'starting') return { error: 'it is starting' }
    const { answer, error } = (await this.#ask((id) => ({ kind: 'inspect', id, question }))) ?? {
      error: this.state === 'gone' ? 'it has just ended' : `no answer within ${ANSWER_MS / 1000} s`,
    }
    // What it said of itself last, should it say nothing any more.
    if (answer !== undefined && 'stats' in answer)
      this.report = { stats: answer.stats, busy: this.report?.busy ?? 0 }
    return { ...(answer !== undefined && { answer }), ...(error !== undefined && { error }) }
  }

  /** No further connections; it ends with its last one, or after graceMs (0: no limit). */
  retire(graceMs: number, shutdownGraceMs: number): void {
    if (this.state === 'starting') this.kill()
    if (this.state !== 'ready') return
    this.state = 'retiring'
    this.#send({ kind: 'retire', graceMs, shutdownGraceMs })
    if (graceMs > 0) this.#killAfter(graceMs + shutdownGraceMs)
  }

  stop(graceMs: number): void {
    if (this.state === 'gone') return
    if (this.state === 'starting') this.kill()
    this.state = 'stopping'
    this.#send({ kind: 'stop', graceMs })
    this.#killAfter(graceMs)
  }

  setLimits(limits: Limits): void {
    this.#send({ kind: 'limits', limits })
  }

  setTls(tls: TlsOptions): void {
    this.#send({ kind: 'tls', tls })
  }

  reopenLogs(): void {
    this.#send({ kind: 'reopenLogs' })
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #killAfter(graceMs: number): void {
    clearTimeout(this.#killer)
    this.#killer = setTimeout(() => this.kill(), graceMs + MARGIN_MS)
  }

  #fail(why: string): void {
    this.#ready.reject(new GaidarosError('ERR_GAIDAROS_POOL', `server process ${this.slot} ${why}`))
    this.kill()
  }

  #listen(): void {
    const child = this.#child
    let disconnected = child.pid === undefined
    let ended: [code: number | null, signal: NodeJS.Signals | null] | undefined
    const both = (): void => {
      if (ended !== undefined && disconnected) this.#ended(...ended)
    }
    child.on('message', (message) => this.#hear(message as FromServer))
    child.once('disconnect', () => {
      disconnected = true
      both()
    })
    child.once('exit', (code, signal) => {
      ended = [code, signal]
      setTimeout(() => {
        disconnected = true
        both()
      }, LAST_WORDS_MS).unref()
      both()
    })
    child.once('error', (error) => {
      this.#fail(`cannot be started: ${error.message}`)
      if (child.pid === undefined) this.#ended(null, null)
    })
  }

  #hear(message: FromServer): void {
    switch (message.kind) {
      case 'started':
        this.#timer.refresh()
        break
      case 'ready':
        this.#served(message.engine)
        break
      case 'failed':
        this.#ready.reject(errorOf(message.failure))
        break
      case 'listening':
        this.#answers.get(message.id)?.()
        break
      case 'inspected':
        this.#answers.get(message.id)?.(message)
        break
      case 'report':
        this.report = message.report
        if (message.id !== undefined) this.#answers.get(message.id)?.()
        break
      case 'log':
        this.#events.log(message.level, message.message, message.fields)
        break
      case 'fatal':
        this.#events.fatal(errorOf(message.failure))
    }
  }

  #served(engine: EngineInfo): void {
    clearTimeout(this.#timer)
    this.engine = engine
    this.#readyAt = performance.now()
    if (this.state === 'starting') this.state = 'ready'
    this.#ready.resolve()
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.state === 'gone') return
    clearTimeout(this.#timer)
    clearTimeout(this.#killer)
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`
    const servedMs = this.#readyAt === undefined ? undefined : performance.now() - this.#readyAt
    this.#fail(`${how} before it was ready`)
    for (const settle of this.#answers.values()) settle()
    this.state = 'gone'
    this.#gone.resolve()
    this.#events.gone(this, { servedMs, signal }, how)
  }

  /** Sends a question and waits for its answer, not for ever. */
  async #ask(question: (id: number) => ToServer): Promise<Answered | undefined> {
    if (this.state === 'gone') return undefined
    const id = this.#next++
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<Answered | undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), ANSWER_MS)
        this.#answers.set(id, resolve)
        this.#send(question(id))
      })
    } finally {
      clearTimeout(timer)
      this.#answers.delete(id)
    }
  }

  /** A process that is gone hears nothing; its end is reported by itself. */
  #send(message: ToServer): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }
}
