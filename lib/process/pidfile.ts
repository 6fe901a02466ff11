// The pidfile: written whole or not at all, locked as long as its process lives. The lock decides who is
// alive: a number alone may by now be another process's. Called by the command and by the supervisor.

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { GaidarosError } from '../errors.js'
import { native } from '../native.js'
import { isRunning } from './proc.js'

/** What a pidfile says. */
export interface PidRecord {
  /** undefined: the file is empty, or holds no number. */
  pid: number | undefined
  /** Its process runs and, where locks can be asked about, has it locked. */
  alive: boolean
}

/** How often a claim is tried while others claim and leave. */
const TRIES = 50

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/**
 * Reads a pidfile.
 * @returns undefined when there is none
 * @throws the error of open(2) when it cannot be read
 * @example
 * readPid('/run/gaidaros.pid') // { pid: 1234, alive: true }
 */
export function readPid(path: string): PidRecord | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    return readOpen(fd)
  } finally {
    closeSync(fd)
  }
}

function readOpen(fd: number): PidRecord {
  const text = readFileSync(fd, 'latin1').trim()
  const pid = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
  const held = native === undefined || native.isLocked(fd)
  return { pid, alive: pid !== undefined && held && isRunning(pid) }
}

/**
 * A pidfile that this process holds.
 *
 * @example
 * const pidfile = Pidfile.claim('/run/gaidaros.pid')
 * process.on('exit', () => pidfile.remove())
 */
export class Pidfile {
  readonly #original: string
  #path: string
  readonly #fd: number

  private constructor(path: string, fd: number) {
    this.#original = path
    this.#path = path
    this.#fd = fd
  }

  /**
   * Writes this process's number. A file that a dead process left is replaced.
   * @throws GaidarosError ERR_GAIDAROS_PROCESS when a living process holds it (`pid` names it), or when it
   * cannot be written
   */
  static claim(path: string): Pidfile {
    const full = resolve(path)
    const temporary = `${full}.${process.pid}.tmp`
    const fd = write(full, temporary)
    try {
      for (let tries = 1; !place(temporary, full); tries++) {
        const { pid } = readPid(full) ?? {}
        if (tries >= TRIES || (pid !== undefined && isRunning(pid))) throw held(full, pid)
      }
      return new Pidfile(full, fd)
    } catch (error) {
      closeSync(fd)
      throw error
    } finally {
      unlinkIfThere(temporary)
    }
  }

  /** Where it is now. */
  get path(): string {
    return this.#path
  }

  /** Gives up the name to a successor: `gaidaros.pid` becomes `gaidaros.pid.oldbin`. It stays locked. */
  moveAside(suffix: string): void {
    const aside = `${this.#original}${suffix}`
    renameSync(this.#path, aside)
    this.#path = aside
  }

  /** Takes the name back, when the successor has failed. False when a living process holds it. */
  restore(): boolean {
    if (this.#path === this.#original) return true
    if (readPid(this.#original)?.alive) return false
    renameSync(this.#path, this.#original)
    this.#path = this.#original
    return true
  }

  /**
   * Removes it, if it is still this process's own, and lets go of the lock. Where the directory is out of
   * reach by now (other user, chroot) the file is emptied: to all who read it, that is the same.
   */
  remove(): void {
    try {
      if (isSame(this.#path, this.#fd)) unlinkSync(this.#path)
    } catch {
      // Not this user's to remove.
    }
    if (fstatSync(this.#fd).nlink > 0) ftruncateSync(this.#fd)
    closeSync(this.#fd)
  }
}

/** A file of the final content, locked, under a name that nobody looks at. */
function write(path: string, temporary: string): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  try {
    unlinkIfThere(temporary) // of a process that had this number before
    const fd = openSync(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
    fchmodSync(fd, 0o644) // everybody may ask whether the server runs, whatever the umask
    writeSync(fd, `${process.pid}\n`)
    native?.lockFile(fd)
    return fd
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** True when `temporary` has got the name `path`. */
function place(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path) // fails when the name is taken, unlike rename
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unwritable(path, error)
  }
  return replace(temporary, path)
}

/** Replaces a stale file. Whoever holds the lock on it is the only one who may. */
function replace(temporary: string, path: string): boolean {
  let stale: number
  try {
    stale = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw unwritable(path, error)
  }
  try {
    if (!fstatSync(stale).isFile()) throw unwritable(path, new Error('it is no regular file'))
    const mine = native === undefined ? !readOpen(stale).alive : native.lockFile(stale)
    if (!mine || !isSame(path, stale)) return false
    renameSync(temporary, path)
    return true
  } finally {
    closeSync(stale)
  }
}

function isSame(path: string, fd: number): boolean {
  try {
    const [named, open] = [statSync(path), fstatSync(fd)]
    return named.ino === open.ino && named.dev === open.dev
  } catch {
    return false
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

const held = (path: string, pid: number | undefined): GaidarosError =>
  new GaidarosError(
    'ERR_GAIDAROS_PROCESS',
    `pid_file: ${path} is held by a running process${pid === undefined ? '' : `, pid ${pid}`}; stop it, or choose another file`,
    { errnoCode: 'EEXIST', ...(pid !== undefined && { pid }) },
  )

/** What keeps a pidfile from being written. */
function unwritable(path: string, error: unknown): GaidarosError {
  if (error instanceof GaidarosError) return error
  const { code, message } = error as NodeJS.ErrnoException
  return new GaidarosError(
    'ERR_GAIDAROS_PROCESS',
    `pid_file: ${path} cannot be written (${code ?? message}); wanted a file in a directory that exists and that user ${process.geteuid?.() ?? ''} may write: ${dirname(path)}`,
    code === undefined ? {} : { errnoCode: code },
    error,
  )
}

/**
 * Checks that a pidfile could be written, without doing it.
 * @throws GaidarosError ERR_GAIDAROS_PROCESS
 */
export function checkPidfile(path: string): void {
  const full = resolve(path)
  const probe = `${full}.${process.pid}.tmp`
  closeSync(write(full, probe))
  unlinkIfThere(probe)
}
