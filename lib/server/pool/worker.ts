// The life of a server process: from the settings to a service that is ready, from one assignment of sockets to the
// next, to its end. main.ts connects it with the process that it runs in.

import { describeError } from '../../dispatch/failures.js'
import type { HandlerPlan } from '../../dispatch/plan.js'
import type { Limits } from '../../engine/engine.js'
import type { Logger, LogLevel } from '../../log/logger.js'
import { type Logs, openLogs } from '../../log/logs.js'
import { releaseMemoryAtRest } from '../../process/allocator.js'
import { leaveWithParent } from '../../process/parent.js'
import { checkPrivileges, dropPrivileges } from '../../process/privileges.js'
import { Busyness } from '../busyness.js'
import { Inspector, type Question } from '../inspection.js'
import { loadPlan, Service } from '../service.js'
import { socketOptions } from '../socketoptions.js'
import { type FromServer, failureOf, type Start, type ToServer } from './messages.js'

/** Between two reports that nobody asked for. */
const REPORT_MS = 1_000
/** Without a supervisor it leaves within 2 s: this long for what is in flight, and so much until it leaves anyhow. */
const ABANDONED_GRACE_MS = 1_000
const ABANDONED_MS = 1_500

/** `sent` is called when the message is on its way, or cannot be sent. */
type Send = (message: FromServer, sent?: () => void) => unknown

export class Worker {
  readonly #send: Send
  readonly #busyness = new Busyness()
  readonly #inspector = new Inspector(() => this.#service)
  #start: Start | undefined
  #service: Service | undefined
  #logs: Logs | undefined
  /** Numbers of the sockets that it accepts from. */
  #watched = new Set<number>()
  /** What the messages ask for is done one after the other. */
  #work: Promise<void> = Promise.resolve()
  #leaving = false
  #status = 0

  constructor(send: Send) {
    releaseMemoryAtRest()
    this.#send = send
  }

  hear(message: ToServer): void {
    switch (message.kind) {
      case 'report':
        this.#report(message.id)
        break
      case 'inspect':
        void this.#inspect(message.id, message.question)
        break
      case 'limits':
        this.#setLimits(message.limits)
        break
      case 'tls':
        this.#service?.setTls(message.tls)
        break
      case 'reopenLogs':
        this.#logs?.reopen()
        break
      case 'retire':
        void this.#retire(message.graceMs, message.shutdownGraceMs)
        break
      case 'stop':
        void this.#stop(message.graceMs)
        break
      case 'start':
        this.#work = this.#begin(message)
        break
      case 'listen':
        this.#work = this.#work.then(() => this.#listen(message.sockets, message.id))
    }
  }

  /** Somebody other than the supervisor wants it gone: it goes in order, and another comes in its place. */
  leave(): void {
    void this.#stop(this.#start?.settings.shutdownGrace ?? 0)
  }

  /** The supervisor is gone; nobody would ever tell it to stop. */
  abandoned(): void {
    setTimeout(() => process.exit(1), ABANDONED_MS)
    this.#status = 1
    if (this.#leaving) return
    this.#logs?.log.at('error', 'the supervisor is gone: this server process leaves')
    void this.#stop(ABANDONED_GRACE_MS)
  }

  /** What the handler's code threw where no request was concerned: its state is unknown, so it ends. */
  broken(error: unknown, kind: string): void {
    const fields = { error: describeError(error) }
    this.#logs?.log.at('fatal', `${kind}, this server process ends`, fields)
    if (this.#status !== 0) process.exit(this.#status)
    this.#status = 1
    void this.#stop(this.#start?.settings.shutdownGrace ?? 0)
  }

  async #begin(start: Start): Promise<void> {
    this.#start = start
    this.#send({ kind: 'started' })
    process.title = `gaidaros: server ${start.slot}`
    try {
      this.#logs = this.#openLogs(start)
      this.#service = await this.#makeService(start, this.#logs)
    } catch (error) {
      return this.#fail(error)
    }
    const { name, description } = this.#service.engine
    this.#send({ kind: 'ready', engine: { name, description } })
    setInterval(() => this.#report(), REPORT_MS).unref()
  }

  async #makeService(start: Start, logs: Logs): Promise<Service> {
    const { settings, limits, tls, sockets, base } = start
    const plan = await loadUnprivileged(start)
    const service = new Service({
      settings,
      limits,
      tls,
      plan,
      logs,
      base,
      fatal: (error) => this.#fatal(error),
      // The supervisor has said so once for all.
      warn: () => undefined,
    })
    for (const socket of sockets)
      await service.listen({
        ...socket,
        v6only: false,
        dormant: true,
        // Those that the supervisor has made have their options; the service manager knows of none.
        ...(socket.activated && { socket: socketOptions(settings) }),
      })
    await service.start()
    return service
  }

  /** Before privileges are dropped, as in one process: a log may be in a directory of root's. */
  #openLogs({ slot, settings, forwardLog }: Start): Logs {
    const worker = `server ${slot}`
    return openLogs(settings, forwardLog ? { worker, logger: this.#forwarding() } : { worker })
  }

  #forwarding(): Required<Logger> {
    const at =
      (level: LogLevel): Logger['error'] =>
      (message, fields = {}) =>
        void this.#send({ kind: 'log', level, message, fields: plain(fields) })
    return {
      fatal: at('fatal'),
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      debug: at('debug'),
      trace: at('trace'),
    }
  }

  async #listen(sockets: readonly number[], id: number): Promise<void> {
    const wanted = new Set(sockets)
    const service = this.#service
    if (service !== undefined && !this.#leaving) {
      for (const socket of wanted)
        if (!this.#watched.has(socket)) await service.engine.watchListener(socket)
      for (const socket of this.#watched)
        if (!wanted.has(socket)) service.engine.unwatchListener(socket)
      this.#watched = wanted
    }
    this.#send({ kind: 'listening', id })
  }

  #report(id?: number): void {
    if (this.#service === undefined) return
    const report = { stats: this.#service.stats(), busy: this.#busyness.share() }
    this.#send({ kind: 'report', report, ...(id !== undefined && { id }) })
  }

  async #inspect(id: number, question: Question): Promise<void> {
    const outcome = await this.#inspector.answer(question).then(
      (answer) => ({ answer }),
      (error: Error) => ({ error: error.message }),
    )
    this.#send({ kind: 'inspected', id, ...outcome })
  }

  #setLimits(limits: Limits): void {
    this.#service?.setLimits(limits)
  }

  async #retire(graceMs: number, shutdownGraceMs: number): Promise<void> {
    await this.#work
    await this.#service?.drain(graceMs)
    await this.#stop(shutdownGraceMs)
  }

  async #stop(graceMs: number): Promise<void> {
    if (this.#leaving) return
    this.#leaving = true
    await this.#work
    await this.#service?.close(graceMs)
    // The handler's module may have left something running; nothing waits for that.
    const exit = () => process.exit(this.#status)
    await this.#logs?.close()
    if (this.#service === undefined) return exit()
    const report = { stats: this.#service.stats(), busy: 0 }
    this.#send({ kind: 'report', report }, exit)
  }

  #fail(error: unknown): void {
    this.#leaving = true
    this.#send({ kind: 'failed', failure: failureOf(error) }, () => process.exit(1))
  }

  #fatal(error: unknown): void {
    this.#send({ kind: 'fatal', failure: failureOf(error) })
  }
}

/** The handler's code is loaded by the user who will run it, unless a new root directory would hide it. */
async function loadUnprivileged({ settings, base }: Start): Promise<HandlerPlan> {
  const privileges = checkPrivileges(settings)
  const early = privileges?.chroot ? await loadPlan(settings, base) : undefined
  if (privileges !== undefined) {
    dropPrivileges(privileges)
    leaveWithParent('in time')
  }
  return early ?? loadPlan(settings, base)
}

/** Fields as they can go to another process. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const simple = (value: unknown) =>
    typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol'
      ? String(value)
      : value
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, simple(value)]))
}
