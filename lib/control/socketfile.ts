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

/** sockaddr_un.sun_path without its end, unix(7). */
const LONGEST = 107
/** A server that has not accepted within this time is taken for alive. */
const ANSWER_MS = 1000

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
    checkLength(full)
    if (!takeOver) await checkSocketFile(full)
    let folder: string | undefined
    try {
      folder = mkdtempSync(join(dirname(full), '.g'))
      const first = join(folder, 's')
      server.listen(first)
      await once(server, 'listening')
      if (owner !== undefined) chownSync(first, owner.uid, owner.gid)
      chmodSync(first, 0o600)
      const file = new SocketFile(full, lstatSync(first))
      place(first, full, takeOver)
      return file
    } catch (error) {
      server.close()
      throw error instanceof GaidarosError ? error : unmade(full, error)
    } finally {
      if (folder !== undefined) removeFolder(folder)
    }
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

/** A name that came into being meanwhile is another server's. */
function place(from: string, to: string, takeOver: boolean): void {
  if (takeOver || lstatSync(to, { throwIfNoEntry: false }) !== undefined) {
    renameSync(from, to)
    return
  }
  linkSync(from, to)
  unlinkSync(from)
}

function removeFolder(folder: string): void {
  try {
    unlinkSync(join(folder, 's'))
  } catch {
    // It has its name by now.
  }
  try {
    rmdirSync(folder)
  } catch {
    // Nothing lies in it: whoever cleans up may have it.
  }
}

/**
 * Checks that the name is free, or that of a server which is gone.
 * @throws GaidarosError ERR_GAIDAROS_PROCESS
 */
export async function checkSocketFile(path: string): Promise<void> {
  const full = resolve(path)
  let stats: Stats | undefined
  try {
    stats = lstatSync(full, { throwIfNoEntry: false })
  } catch (error) {
    throw unmade(full, error)
  }
  if (stats === undefined) return
  if (!stats.isSocket()) throw refused(full, 'is there and is no socket; wanted another name')
  if (await isAlive(full))
    throw refused(full, 'is in use by a running server; stop it, or choose another name')
}

/**
 * Checks that the name could be claimed, without asking whether somebody has it now.
 * @throws GaidarosError ERR_GAIDAROS_PROCESS
 */
export function checkSocketPlace(path: string): void {
  const full = resolve(path)
  try {
    accessSync(dirname(full), constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unmade(full, error)
  }
  checkLength(full)
  const isOther = lstatSync(full, { throwIfNoEntry: false })?.isSocket() === false
  if (isOther) throw refused(full, 'is there and is no socket; wanted another name')
}

/** Also of the name that it has at first, which is its directory's and eleven bytes. */
function checkLength(full: string): void {
  const longest = Math.max(Buffer.byteLength(full), Buffer.byteLength(dirname(full)) + 11)
  if (longest > LONGEST) throw refused(full, `is too long: wanted at most ${LONGEST} bytes`)
}

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

const refused = (path: string, why: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_PROCESS', `control_socket: ${path} ${why}`, {
    errnoCode: 'EADDRINUSE',
  })

function unmade(path: string, error: unknown): GaidarosError {
  const { code, message } = error as NodeJS.ErrnoException
  return new GaidarosError(
    'ERR_GAIDAROS_PROCESS',
    `control_socket: ${path} cannot be made (${code ?? message}); wanted a name in a directory that exists and that user ${process.geteuid?.() ?? ''} may write: ${dirname(path)}`,
    code === undefined ? {} : { errnoCode: code },
    error,
  )
}
