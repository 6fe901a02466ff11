// A server under test with its clients and log lines, torn down with the case that made it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Gaidaros as Built } from '../../dist/index.js'
import type { Address, EngineStats } from '../../lib/engine/engine.js'
import type { CloseReason } from '../../lib/engine/reasons.js'
import { Gaidaros } from '../../lib/server/gaidaros.js'
import { Client, type ClientOptions } from './client.js'
import type { Method } from './coding.js'
import { DEADLINE_MS, until, within } from './deadline.js'
import { sent } from './sent.js'
import { Bridge } from './vsock.js'

export type Options = Record<string, unknown>

/** Timers that a case does not set are not to end it, however long the machine keeps it waiting. */
const UNHURRIED = {
  firstByteTimeout: '10m',
  frameTimeout: '10m',
  idleTimeout: '10m',
  writeTimeout: '10m',
} as const

export class Served {
  readonly server: Pick<
    Gaidaros,
    'serve' | 'close' | 'collectStats' | 'setLimits' | 'handle' | 'closed' | 'addresses' | 'engine'
  > &
    AsyncDisposable
  /** Log lines so far, one string each. */
  readonly lines: string[] = []
  addresses: readonly Address[] = []
  private readonly clients: Client[] = []
  /** To a vsock. */
  private bridge: Promise<Bridge> | undefined
  /** Of a unix socket's name. */
  private folder: string | undefined
  private readonly startDeadlineMs: number
  /** Its clients speak TLS. */
  private readonly isSecure: boolean
  private readonly compress: Method | 'none'
  private readonly ahead: Buffer | undefined

  /**
   * @param caseFile where the handler's functions stand, when they are to run in another thread or process
   * @param ahead what its clients send ahead of all else
   * @throws Unfit when a function would look there at something of its case
   */
  constructor(options: Options, caseFile?: string, ahead?: Buffer) {
    this.ahead = ahead
    this.isSecure = options['tlsCert'] !== undefined && options['tlsMode'] !== 'starttls'
    // A busy machine is slow to start processes; no case is about how long it takes.
    this.compress = (options['compress'] as Method | undefined) ?? 'none'
    this.startDeadlineMs = (caseFile === undefined ? 1 : 4) * DEADLINE_MS
    // Workers are started from what is built.
    const Server = caseFile === undefined ? Gaidaros : Built
    this.server = new Server({
      ...this.place(options),
      // Cases that leave a handler unanswered are torn down soon.
      shutdownGrace: '300ms',
      // A slow machine must not add lines to the log, nor be late for the defaults.
      stallWarning: 0,
      ...UNHURRIED,
      log: (line) => void this.lines.push(line),
      ...(caseFile === undefined ? options : sent(options, caseFile)),
    } as ConstructorParameters<typeof Gaidaros>[0])
  }

  async listen(): Promise<this> {
    const starting = Promise.resolve(this.server.serve())
    this.addresses = await within(starting, 'listening server', this.startDeadlineMs)
    return this
  }

  get port(): number {
    return this.addresses[0]?.port ?? 0
  }

  /** Where clients connect to, and from, over IP. */
  get host(): string {
    return this.addresses[0]?.address === '::1' ? '::1' : '127.0.0.1'
  }

  /** The address of either end, as a handler is told: what a proxy says of itself is IPv4. */
  get told(): string {
    return this.ahead === undefined ? this.host : '127.0.0.1'
  }

  /** As they are now, in every process that serves. */
  stats(): Promise<EngineStats> {
    return this.server.collectStats()
  }

  async closed(reason: CloseReason): Promise<number> {
    return (await this.stats()).closed[reason]
  }

  async connect(given: ClientOptions = {}): Promise<Client> {
    const { compress, ahead, host } = this
    const usual = { host, compress, ahead, ...(this.isSecure && { tls: {} }) }
    const options = { ...usual, ...given }
    const path = await this.path()
    const client = await (path === undefined
      ? Client.connect(this.port, options)
      : Client.connectTo(path, options))
    this.clients.push(client)
    return client
  }

  /** Of the unix socket that clients connect to, where it is one. */
  private async path(): Promise<string | undefined> {
    const [address] = this.addresses
    if (address?.family === 'unix') return address.address
    if (address?.family !== 'vsock') return undefined
    this.bridge ??= Bridge.open(address.port)
    return (await this.bridge).path
  }

  /** Where it listens, if `options` do not say. */
  private place({ protocol, socketPath }: Options): Options {
    if (protocol === 'vsock') return { port: 0 }
    if (!String(protocol).startsWith('unix')) return { host: '127.0.0.1', port: 0 }
    if (socketPath !== undefined) return {}
    this.folder = mkdtempSync(join(tmpdir(), 'gaidaros-'))
    return { socketPath: join(this.folder, 's') }
  }

  /** `count` clients at once. */
  connectMany(count: number, options: ClientOptions = {}): Promise<Client[]> {
    return Promise.all(Array.from({ length: count }, () => this.connect(options)))
  }

  /** Waits for a number in the statistics. */
  async reach(
    what: (stats: EngineStats) => boolean,
    name: string,
    ms = DEADLINE_MS,
  ): Promise<void> {
    await until(
      async () => what(await this.stats()),
      async () => `${name}; statistics: ${JSON.stringify(await this.shownStats())}`,
      ms,
      async () => {
        const { accepted, active, requests, bytes_in, bytes_out } = await this.stats()
        return accepted - active + requests + bytes_in + bytes_out
      },
    )
  }

  /** Waits until `count` connections were closed for `reason`. */
  async reachClosed(reason: CloseReason, count = 1): Promise<void> {
    await this.reach((s) => s.closed[reason] >= count, `${count} closed by ${reason}`)
  }

  async reachActive(count: number): Promise<void> {
    await this.reach((s) => s.active === count, `${count} active connections`)
  }

  /** Waits for a log line that matches. */
  async logged(pattern: RegExp): Promise<string> {
    await until(
      () => this.lines.some((line) => pattern.test(line)),
      () => `log line like ${pattern}; there is ${JSON.stringify(this.lines.slice(-10))}`,
    )
    return this.lines.find((line) => pattern.test(line)) ?? ''
  }

  /** Closes the clients, then the server; what a case left behind must not keep either open. */
  async teardown(): Promise<void> {
    for (const client of this.clients) client.destroy()
    await within(Promise.resolve(this.server.close()), 'closed server')
    const bridge = await this.bridge
    bridge?.close()
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true })
  }

  /** Its statistics and the last lines of its log. */
  async shown(): Promise<string> {
    return JSON.stringify({ statistics: await this.shownStats(), log: this.lines.slice(-10) })
  }

  private async shownStats(): Promise<unknown> {
    const { closed, syscalls: _, latency: __, lag: ___, ...rest } = await this.stats()
    return { ...rest, closed: Object.fromEntries(Object.entries(closed).filter(([, n]) => n > 0)) }
  }
}
