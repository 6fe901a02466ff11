// The real command as a child process, for tests: its output as it comes, and deadlines instead of sleeps.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const DEADLINE_MS = 120_000

export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The environment of a user who has set nothing of ours. */
export function plainEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('GAIDAROS_') && name !== 'NODE_OPTIONS' && !name.startsWith('TAP'),
  )
  const build = process.env['GAIDAROS_BUILD']
  return { ...Object.fromEntries(kept), ...(build ? { GAIDAROS_BUILD: build } : {}), ...more }
}

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Checkout whose command runs; this one by default. */
  checkout?: string
  /** A program that becomes the command: it is given its arguments. */
  through?: readonly string[]
}

export class Command {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly ended: Promise<Ending>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], options: RunOptions = {}) {
    const script = join(options.checkout ?? root, 'bin', 'gaidaros.js')
    const [program = '', ...rest] = [...(options.through ?? []), process.execPath, script, ...args]
    this.child = spawn(program, rest, {
      cwd: options.cwd ?? root,
      env: plainEnv(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: this.stdout,
      stderr: this.stderr,
    }))
  }

  /** Waits until stdout or stderr matches; fails when the command ends first or the deadline passes. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(DEADLINE_MS)
    for (;;) {
      const match = pattern.exec(`${this.stdout}\n${this.stderr}`)
      if (match) return match
      const more = new AbortController()
      const signal = AbortSignal.any([deadline, more.signal])
      await Promise.race([
        once(this.child.stdout, 'data', { signal }),
        once(this.child.stderr, 'data', { signal }),
        once(this.child, 'close', { signal }).then(() => this.#endedWithout(pattern)),
      ])
        .catch((error: Error) => {
          if (deadline.aborted) throw new Error(`no ${pattern} in time; got:\n${this.#all()}`)
          throw error
        })
        .finally(() => more.abort())
    }
  }

  #all(): string {
    return `${this.stdout}${this.stderr}`
  }

  #endedWithout(pattern: RegExp): void {
    if (!pattern.test(`${this.stdout}\n${this.stderr}`))
      throw new Error(`ended without ${pattern}; got:\n${this.#all()}`)
  }

  /** Port of the first address that it says it listens on. */
  async port(): Promise<number> {
    return Number((await this.until(/listening on \S+:(\d+)/))[1])
  }

  /** Ends it whatever it does; for teardown. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
    await this.ended
  }
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
  const command = new Command(args, options)
  const timer = setTimeout(() => command.child.kill('SIGKILL'), DEADLINE_MS)
  return command.ended.finally(() => clearTimeout(timer))
}

/** A client that collects what it receives. */
export class Client {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  received = ''

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = once(socket, 'close').catch(() => undefined)
    socket.setEncoding('latin1').on('data', (text: unknown) => {
      this.received += String(text)
    })
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<Client> {
    const socket = connect(port, host)
    await once(socket, 'connect')
    return new Client(socket)
  }

  /** Waits until so many lines were received in all; fails when the server leaves before. */
  async lines(wanted: number): Promise<string[]> {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    for (;;) {
      const lines = this.received.split('\n').slice(0, -1)
      if (lines.length >= wanted) return lines
      if (this.socket.closed) throw new Error(`the server left after ${this.received.slice(-200)}`)
      await Promise.race([once(this.socket, 'data', { signal }), this.closed])
    }
  }
}

/** A temporary directory that disappears with the test. */
export function temporary(t: { teardown(done: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'gaidaros-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
