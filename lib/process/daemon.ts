// Detaching. The command starts itself again in a session of its own, prints what the new process says until it is
// ready, and ends with its status. There is no fork() in Node, and none is wanted: threads would not survive it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { GaidarosError } from '../errors.js'
import { native } from '../native.js'
import { childFlags } from './command.js'

/** Tells the new process what it is. Gone from its environment before options are read. */
const MARK = 'GAIDAROS_DETACHED'
/** What the daemon says when it serves. */
const READY = 'ready'
/** Output that is still on its way when the daemon is ready is waited for this long. */
const OUTPUT_MS = 1000

/** What the settings say about detaching. */
export interface DaemonSettings {
  readonly user: string
  readonly allowRoot: boolean
}

/**
 * Whether this process may detach at all.
 * @throws GaidarosError ERR_GAIDAROS_PROCESS: as root without a user, without the addon, or with sockets of the
 * service manager, which are this process's only
 */
export function checkDaemon(
  { user, allowRoot }: DaemonSettings,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  if (environment['LISTEN_FDS'] !== undefined && Number(environment['LISTEN_PID']) === process.pid)
    throw new GaidarosError(
      'ERR_GAIDAROS_PROCESS',
      'daemon: sockets of the service manager (LISTEN_FDS) are for the process that it started; wanted no -d',
    )
  if (native === undefined)
    throw new GaidarosError(
      'ERR_GAIDAROS_PROCESS',
      'daemon: needs the native addon, which is not there; gaidaros --probe says why',
      { errnoCode: 'ENOSYS' },
    )
  if (process.geteuid?.() === 0 && user === '' && !allowRoot)
    throw new GaidarosError(
      'ERR_GAIDAROS_PROCESS',
      'daemon: it would stay root; wanted --user NAME, or --allow-root',
    )
}

/** How a daemon's start went. */
export interface Launch {
  /** 0: it serves. Otherwise the status that it ended with; what it had to say was printed. */
  status: number
  pid: number
}

/**
 * Starts the command again, detached, and waits until it serves or has ended.
 * @param argv arguments after the program's name
 * @example
 * const { status, pid } = await launchDaemon(process.argv.slice(2))
 */
export async function launchDaemon(argv: readonly string[]): Promise<Launch> {
  const program = process.argv[1] ?? ''
  native?.shieldDescriptors() // what this command's own parent left open is not the daemon's
  const child = spawn(process.execPath, [...childFlags(process.execArgv), program, ...argv], {
    detached: true, // setsid(2)
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  })
  child.stdout?.pipe(process.stdout, { end: false })
  child.stderr?.pipe(process.stderr, { end: false })
  const status = await Promise.race([serves(child), ends(child)])
  if (child.connected) child.disconnect()
  child.unref()
  return { status, pid: child.pid ?? 0 }
}

async function serves(child: ChildProcess): Promise<number> {
  for (;;) {
    const [message] = await once(child, 'message').catch(() => [undefined])
    if (message !== READY) continue
    const late = AbortSignal.timeout(OUTPUT_MS)
    const streams = [child.stdout, child.stderr].map((stream) =>
      stream ? finished(stream, { writable: false, signal: late }) : undefined,
    )
    await Promise.allSettled(streams)
    child.stdout?.destroy()
    child.stderr?.destroy()
    return 0
  }
}

async function ends(child: ChildProcess): Promise<number> {
  const [code] = await once(child, 'close')
  // 0 before it was ready: it was told to stop meanwhile. Nothing serves.
  return typeof code === 'number' && code > 0 ? code : 1
}

/**
 * The process that launchDaemon() started, seen from within.
 *
 * @example
 * const detached = Detached.take()
 * detached?.ready(logFile)
 */
export class Detached {
  /** What makes a process one that -d has started; without a command that waits for it. */
  static readonly environment: Readonly<Record<string, string>> = { [MARK]: '1' }
  /** Where the command was given: relative paths begin here. */
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** undefined in any other process. Its working directory is / from here on. */
  static take(): Detached | undefined {
    if (process.env[MARK] === undefined) return undefined
    delete process.env[MARK]
    const detached = new Detached(process.cwd())
    process.chdir('/')
    // The command was interrupted, or killed, before this process was ready: nobody knows that it is here.
    process.on('disconnect', goneEarly)
    return detached
  }

  /** It will not serve: the command learns that from this process's end, which its channel must not put off. */
  failed(): void {
    process.off('disconnect', goneEarly)
    if (process.connected) process.disconnect()
  }

  /**
   * Lets go of the terminal and tells the command that it can return.
   * @param output an open descriptor that output goes to from now on
   */
  ready(output: number): void {
    process.off('disconnect', goneEarly)
    for (const fd of [1, 2]) native?.redirect(output, fd)
    process.send?.(READY, () => {
      if (process.connected) process.disconnect()
    })
  }
}

const goneEarly = (): void => process.exit(1)

/**
 * Opens what the daemon's output goes to.
 * @param file '' is nowhere
 * @throws GaidarosError ERR_GAIDAROS_PROCESS
 */
export function openOutput(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOCTTY } = constants
  try {
    return openSync(file || '/dev/null', O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0o640)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new GaidarosError(
      'ERR_GAIDAROS_PROCESS',
      `log_file: ${file} cannot be opened (${code ?? message}); wanted a file that may be appended to`,
      code === undefined ? {} : { errnoCode: code },
      error,
    )
  }
}
