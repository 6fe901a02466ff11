// The name of a unix socket in the file system: claimed so that nobody else can connect at any moment, replaced only
// where its server is gone, and removed by whoever it belongs to.

import { once } from 'node:events'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  linkSync,
  lstatSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { GaidarosError } from '../errors.js'
import { groupNumber } from './accounts.js'
import { underLock } from './folderlock.js'

/** sockaddr_un.sun_path without its end, unix(7). */
const LONGEST = 107
/** The kernel answers at once, full queue or not (connect(2)): only a process that has no processor is late to hear it. */
const ANSWER_MS = 30_000

/** Whose name it is in messages, and which error says that it cannot be had. */
export interface Subject {
  option: string
  code: 'ERR_GAIDAROS_PROCESS' | 'ERR_GAIDAROS_LISTEN'
}

export const CONTROL: Subject = { option: 'control_socket', code: 'ERR_GAIDAROS_PROCESS' }
export const SERVICE: Subject = { option: 'socket_path', code: 'ERR_GAIDAROS_LISTEN' }

/** Who may connect to a socket that is served. */
export interface Access {
  mode: number
  /** undefined: as the process is. */
  uid?: number | undefined
  gid?: number | undefined
}

export interface Claim {
  /** Another server may have the name: this one takes its place. */
  takeOver: boolean
  /** Who may connect besides root. */
  owner?: { uid: number; gid: number } | undefined
}

export class SocketFile {
  readonly path: string
  readonly #ino: number
  readonly #dev: number

  private constructor(path: string, { ino, dev }: Stats) {
    this.path = path
    this.#ino = ino
    this.#dev = dev
  }

  /**
   * Binds `server` and gives it the name, mode 0600. It is bound in a directory that only this user can enter, and moved
   * to its place when its mode is right: no umask is changed, and node, which removes the name that it has bound when
   * the server is closed, never removes that of a successor.
   * @throws GaidarosError ERR_GAIDAROS_PROCESS: a server that lives has it, it is no socket, or it cannot be made
   */
  static async claim(
    server: Server,
    path: string,
    { takeOver, owner }: Claim,
  ): Promise<SocketFile> {
    const full = resolve(path)
    checkLength(full, CONTROL)
    if (!takeOver) await checkSocketFile(full, CONTROL)
    let aside: Aside | undefined
    try {
      aside = new Aside(full)
      server.listen(aside.name)
      await once(server, 'listening')
      if (owner !== undefined) chownSync(aside.name, owner.uid, owner.gid)
      const file = new SocketFile(full, lstatSync(aside.name))
      aside.place(takeOver)
      return file
    } catch (error) {
      server.close()
      throw error instanceof GaidarosError ? error : unmade(full, error, CONTROL)
    } finally {
      aside?.end()
    }
  }

  /**
   * Binds at the name itself, as others are to see it (ss(8), getpeername(2)): `listen` is called once nobody else has
   * it, and what a server that is gone has left is removed. Two that start at once do so one after the other. The file
   * is nobody else's to connect to before it has its mode: `listen` makes it with 0600.
   * @returns what `listen` returned, and the file
   * @throws GaidarosError ERR_GAIDAROS_LISTEN: a server that lives has it, it is no socket or another user's, or it
   * cannot be made; what `listen` throws
   */
  static async bind<T>(
    path: string,
    access: Access,
    listen: (path: string) => T | Promise<T>,
  ): Promise<{ file: SocketFile; result: T }> {
    const full = resolve(path)
    checkSocketPlace(full, SERVICE)
    return underLock(dirname(full), async () => {
      await checkSocketFile(full, SERVICE)
      try {
        removeStale(full)
      } catch (error) {
        throw error instanceof GaidarosError ? error : unmade(full, error, SERVICE)
      }
      const result = await listen(full)
      try {
        if (access.uid !== undefined || access.gid !== undefined)
          chownSync(full, access.uid ?? -1, access.gid ?? -1)
        chmodSync(full, access.mode)
        return { file: new SocketFile(full, lstatSync(full)), result }
      } catch (error) {
        throw unmade(full, error, SERVICE)
      }
    })
  }

  /** The file of a socket that was bound before, by whoever handed it over; undefined when it is not there. */
  static of(path: string): SocketFile | undefined {
    const full = resolve(path)
    const stats = lstatSync(full, { throwIfNoEntry: false })
    return stats?.isSocket() ? new SocketFile(full, stats) : undefined
  }

  /** Whether the name is still this server's. */
  get isOwn(): boolean {
    const { ino, dev } = lstatSync(this.path, { throwIfNoEntry: false }) ?? {}
    return ino === this.#ino && dev === this.#dev
  }

  /** Removes the name if it is this server's. What this user may not remove is stale, and the next start's. */
  remove(): void {
    try {
      if (this.isOwn) unlinkSync(this.path)
    } catch {
      // Out of reach by now: other user, other root directory.
    }
  }
}

/**
 * A name beside another one, in a directory that only this user can enter. Node removes the name that it has bound when
 * the socket is closed: bound here and moved to its place, it never removes that of a successor.
 */
export class Aside {
  /** To be bound. */
  readonly name: string
  readonly #path: string
  readonly #folder: string

  /** @throws where no directory can be made beside `path` */
  constructor(path: string) {
    this.#path = path
    this.#folder = mkdtempSync(join(dirname(path), '.g'))
    this.name = join(this.#folder, 's')
  }

  /** Moves it to its place, mode 0600. A name that came into being meanwhile is another server's. */
  place(takeOver: boolean): void {
    chmodSync(this.name, 0o600)
    if (takeOver || lstatSync(this.#path, { throwIfNoEntry: false }) !== undefined) {
      renameSync(this.name, this.#path)
      return
    }
    linkSync(this.name, this.#path)
    unlinkSync(this.name)
  }

  /** Nothing is left of it. */
  end(): void {
    try {
      unlinkSync(this.name)
    } catch {
      // It has its name by now.
    }
    try {
      rmdirSync(this.#folder)
    } catch {
      // Nothing lies in it: whoever cleans up may have it.
    }
  }
}

/**
 * Checks that the name is free, or that of a server which is gone.
 * @throws GaidarosError of the subject's code
 */
export async function checkSocketFile(path: string, subject: Subject): Promise<void> {
  const full = resolve(path)
  let stats: Stats | undefined
  try {
    stats = lstatSync(full, { throwIfNoEntry: false })
  } catch (error) {
    throw unmade(full, error, subject)
  }
  if (stats === undefined) return
  if (!stats.isSocket())
    throw refused(full, 'is there and is no socket; wanted another name', subject)
  if (await isAlive(full))
    throw refused(full, 'is in use by a running server; stop it, or choose another name', subject)
}

/** Nobody answers there any more. What another user's server has left is that user's to remove. */
function removeStale(full: string): void {
  const stats = lstatSync(full, { throwIfNoEntry: false })
  if (stats === undefined) return
  const user = process.geteuid?.()
  if (user !== 0 && stats.uid !== user)
    throw refused(
      full,
      `is left from a server of user ${stats.uid}; remove it, or choose another name`,
      SERVICE,
    )
  unlinkSync(full)
}

/** Group of socket_group. @throws GaidarosError ERR_GAIDAROS_LISTEN when there is none */
export function socketGroup(name: string): number {
  const gid = groupNumber(name)
  if (gid !== undefined) return gid
  throw new GaidarosError(
    'ERR_GAIDAROS_LISTEN',
    `socket_group: there is no group ${name}; wanted a name or a number that the system knows`,
  )
}

/**
 * Checks that the name could be claimed, without asking whether somebody has it now.
 * @throws GaidarosError of the subject's code
 */
export function checkSocketPlace(path: string, subject: Subject): void {
  const full = resolve(path)
  try {
    accessSync(dirname(full), constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unmade(full, error, subject)
  }
  checkLength(full, subject)
  const isOther = lstatSync(full, { throwIfNoEntry: false })?.isSocket() === false
  if (isOther) throw refused(full, 'is there and is no socket; wanted another name', subject)
}

/** Also of the name that it has at first, which is its directory's and some bytes more. */
function checkLength(full: string, subject: Subject, first = subject === CONTROL ? 11 : 0): void {
  const longest = Math.max(Buffer.byteLength(full), Buffer.byteLength(dirname(full)) + first)
  if (longest > LONGEST)
    throw refused(full, `is too long: wanted at most ${LONGEST} bytes`, subject)
}

// Whoever lives, and serves datagrams, refuses a stream by another error than one who is gone (connect(2), EPROTOTYPE).
async function isAlive(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS) })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code !== 'ECONNREFUSED' && code !== 'ENOENT'
  } finally {
    socket.on('error', () => undefined).destroy()
  }
}

const refused = (path: string, why: string, { option, code }: Subject): GaidarosError =>
  new GaidarosError(code, `${option}: ${path} ${why}`, { errnoCode: 'EADDRINUSE' })

function unmade(path: string, error: unknown, subject: Subject): GaidarosError {
  const { code, message } = error as NodeJS.ErrnoException
  return new GaidarosError(
    subject.code,
    `${subject.option}: ${path} cannot be made (${code ?? message}); wanted a name in a directory that exists and that user ${process.geteuid?.() ?? ''} may write: ${dirname(path)}`,
    code === undefined ? {} : { errnoCode: code },
    error,
  )
}
