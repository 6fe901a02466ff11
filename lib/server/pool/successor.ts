// An upgrade: the new binary, started on the same listening sockets while this supervisor goes on. It finds in
// GAIDAROS_INHERIT which descriptor is which socket and adopts them instead of binding.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Logger } from '../../log/logger.js'
import { childFlags } from '../../process/command.js'
import type { HeldSocket } from './sockets.js'

/** The variable that names the inherited sockets. */
export const INHERIT = 'GAIDAROS_INHERIT'
const FIRST_FD = 3

/** What else has to happen around an upgrade; the pidfile is moved aside, for example. */
export interface UpgradeHooks {
  /** Before the new binary is started. */
  moveAside(): void
  /** It has ended and this server goes on. */
  restore(): void
  /** Where the command was given, and variables that say what the new process is. */
  readonly directory: string
  readonly environment: NodeJS.ProcessEnv
}

export class Successor {
  readonly #logger: Logger
  readonly #hooks: UpgradeHooks | undefined
  #child: ChildProcess | undefined

  constructor(logger: Logger, hooks: UpgradeHooks | undefined) {
    this.#logger = logger
    this.#hooks = hooks
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Whether there is one that has not ended. */
  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /**
   * Starts it with the arguments of this process, in a session of its own.
   * @returns its pid; undefined when there is one already, or it cannot be started (the log says why)
   */
  start(sockets: readonly HeldSocket[]): number | undefined {
    if (this.#child !== undefined) {
      this.#logger.warn(`upgrade: a new binary runs already (pid ${this.#child.pid})`)
      return undefined
    }
    this.#hooks?.moveAside()
    const child = spawn(
      process.execPath,
      [...childFlags(process.execArgv), ...process.argv.slice(1)],
      {
        detached: true,
        stdio: ['inherit', 'inherit', 'inherit', ...sockets.map(({ fd }) => fd)],
        env: { ...process.env, ...this.#hooks?.environment, [INHERIT]: describe(sockets) },
        ...(this.#hooks && { cwd: this.#hooks.directory }),
      },
    )
    this.#child = child
    child.once('error', (error) => this.#ended(`cannot be started: ${error.message}`))
    child.once('exit', (code, signal) =>
      this.#ended(signal === null ? `ended with status ${code}` : `was ended by ${signal}`),
    )
    // This server may leave before its successor does.
    child.unref()
    return child.pid
  }

  #ended(how: string): void {
    if (this.#child === undefined) return
    const { pid } = this.#child
    this.#child = undefined
    this.#logger.error(`upgrade: the new binary (pid ${pid ?? 'none'}) ${how}; this server goes on`)
    this.#hooks?.restore()
  }
}

const describe = (sockets: readonly HeldSocket[]): string =>
  JSON.stringify(sockets.map((socket, i) => ({ ...socket, fd: FIRST_FD + i })))

/**
 * The sockets that the supervisor before handed over; the variable is removed.
 * @throws Error when it is not what a supervisor writes
 */
export function takeInherited(environment: NodeJS.ProcessEnv): HeldSocket[] | undefined {
  const text = environment[INHERIT]
  delete environment[INHERIT]
  if (text === undefined || text === '') return undefined
  const sockets = parse(text)
  if (Array.isArray(sockets) && sockets.every(isSocket)) return sockets
  throw new Error(`${INHERIT}: ${text.slice(0, 200)}: wanted what a server that upgrades writes`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isSocket(value: unknown): value is HeldSocket {
  const { fd, address, family, port, group, backlog } = (value ?? {}) as Partial<HeldSocket>
  const numbers = [fd, port, group, backlog]
  return (
    typeof address === 'string' &&
    /^(?:IPv4|IPv6|unix|vsock)$/.test(family ?? '') &&
    numbers.every((number) => Number.isSafeInteger(number) && Number(number) >= 0)
  )
}
