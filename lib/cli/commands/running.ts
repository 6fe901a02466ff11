// The running server that a subcommand is about: found by its pidfile, spoken to by signals.

import { unlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Settings } from '../../options/index.js'
import { type PidRecord, readPid } from '../../process/pidfile.js'
import { EXIT } from '../failure.js'

/** What a subcommand ends with: one line for people, and an exit status of the LSB. */
export class CommandFailure extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Where the pidfile is. @throws CommandFailure 6 when no option says so */
export function pidfileOf({ pidFile }: Settings): string {
  if (pidFile !== '') return resolve(pidFile)
  throw new CommandFailure(
    EXIT.notConfigured,
    'pid_file is not set; wanted --pid-file FILE, or pid_file in [global] of a configuration file',
  )
}

/** What the pidfile says; undefined when there is none. @throws CommandFailure 4 when it cannot be read */
export function recordOf(path: string): PidRecord | undefined {
  try {
    return readPid(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandFailure(EXIT.denied, `${path} cannot be read (${code ?? message})`)
  }
}

/** Number of the running server. @throws CommandFailure 7 when there is none */
export function runningPid(path: string): number {
  const record = recordOf(path)
  if (record?.alive && record.pid !== undefined) return record.pid
  throw new CommandFailure(EXIT.notRunning, `not running (${path})`)
}

/** Sends a signal. @returns false when the process has gone; @throws CommandFailure 4 when it is another user's */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw new CommandFailure(EXIT.denied, `${name} cannot be sent to pid ${pid}: not permitted`)
  }
}

/** Milliseconds between two looks. */
const LOOK_MS = 20

/** Waits until `holds` does. @returns false when it did not within `ms` */
export async function waitUntil(holds: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms
  while (!holds()) {
    if (performance.now() >= end) return false
    await new Promise((done) => setTimeout(done, LOOK_MS))
  }
  return true
}

/** Removes what a process left that could not do so itself, for want of rights or of time. */
export function clearStale(path: string): void {
  try {
    if (readPid(path)?.alive === false) unlinkSync(path)
  } catch {
    // The next start replaces it.
  }
}
