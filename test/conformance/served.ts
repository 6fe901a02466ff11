// A server under test with its clients and log lines, torn down with the case that made it.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Gaidaros as Built } from '../../dist/index.js'
import type { Address, EngineStats } from '../../lib/engine/engine.js'
import type { CloseReason } from '../../lib/engine/reasons.js'
import { Gaidaros } from '../../lib/server/gaidaros.js'
import { Client, type ClientOptions } from './client.js'
import { DEADLINE_MS, until, within } from './deadline.js'

export type Options = Record<string, unknown>

const FUNCTIONS = [
  'handleRequest',
  'handleBatch',
  'endRequest',
  'splitRequest',
  'decodeRequest',
  'encodeResponse',
  'opened',
  'closed',
]

/**
 * Options of a server whose handler runs elsewhere: its functions become a module. They must not look at
 * anything of their case; what several need stands in handlers.ts, whose exports they see.
 */
function sent(options: Options): Options {
  const { sent: _, ...rest } = options
  const given = FUNCTIONS.filter((name) => typeof rest[name] === 'function')
  if (given.length === 0) return rest
  const shared = new URL('../fixtures/conformance-handlers.mjs', import.meta.url).href
  const lines = given.map((name) => {
    const text = String(rest[name])
    delete rest[name]
    // A method stands for itself only within an object.
    const isMethod = /^(async\s+)?\*?\s*(?!function\b|async\b)[\w$]+\s*\(/.test(text)
    return isMethod ? `export const { ${name} } = { ${text} }` : `export const ${name} = ${text}`
  })
  const imports = `import * as shared from ${JSON.stringify(shared)}\nObject.assign(globalThis, shared)\n`
  const path = join(mkdtempSync(join(tmpdir(), 'gaidaros-conformance-')), 'handler.mjs')
  writeFileSync(path, `${imports}${lines.join('\n')}\n`)
  return { ...rest, handlerModule: path }
}

export class Served {
  readonly server: Pick<
    Gaidaros,
    | 'serve'
    | 'close'
    | 'stats'
    | 'setLimits'
    | 'handle'
    | 'closed'
    | 'addresses'
    | 'engine'
    | typeof Symbol.asyncDispose
  >
  /** Log lines so far, one string each. */
  readonly lines: string[] = []
  addresses: readonly Address[] = []
  private readonly clients: Client[] = []

  constructor(options: Options) {
    // Workers are started from what is built, without the flags that compile the tests.
    if (options['sent'] === true) process.execArgv.length = 0
    const Server = options['sent'] === true ? Built : Gaidaros
    this.server = new Server({
      host: '127.0.0.1',
      port: 0,
      // Cases that leave a handler unanswered are torn down soon.
      shutdownGrace: '300ms',
      log: (line) => void this.lines.push(line),
      ...(options['sent'] === true ? sent(options) : options),
    } as ConstructorParameters<typeof Gaidaros>[0])
  }

  async listen(): Promise<this> {
    this.addresses = await within(Promise.resolve(this.server.serve()), 'listening server')
    return this
  }

  get port(): number {
    return this.addresses[0]?.port ?? 0
  }

  stats(): EngineStats {
    return this.server.stats()
  }

  closed(reason: CloseReason): number {
    return this.stats().closed[reason]
  }

  async connect(options: ClientOptions = {}): Promise<Client> {
    const client = await Client.connect(this.port, options)
    this.clients.push(client)
    return client
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
      () => what(this.stats()),
      () => `${name}; statistics: ${JSON.stringify(this.shownStats())}`,
      ms,
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
  }

  private shownStats(): unknown {
    const { closed, syscalls: _, ...rest } = this.stats()
    return { ...rest, closed: Object.fromEntries(Object.entries(closed).filter(([, n]) => n > 0)) }
  }
}
