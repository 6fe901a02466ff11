// Where a log file's path leads, and its descriptor, opened so that nobody else can choose what is written to.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ROOT } from '../config/identity.js'
import { GaidarosError } from '../errors.js'

/** What is written to: one of this process's standard descriptors, or a file. */
export type Place = { readonly standard: 1 | 2 } | { readonly path: string }

/** An open log. `regular`: a file on a disk; otherwise a pipe or a device, opened so that it never waits. */
export interface Opened {
  readonly fd: number
  readonly regular: boolean
}

/** Readable by the group, as other logs are: adm and the like. */
const MODE = 0o640
const MAX_LINKS = 40
const NO_WAITING = (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)
/** Each write goes to the end, whoever else writes: several processes share a file by whole lines. */
const APPENDING = constants.O_APPEND | (constants.O_NOFOLLOW ?? 0) | NO_WAITING

/** `-` is standard output; a relative path begins in the working directory of this moment. */
export function placeOf(text: string): Place {
  return text === '-' ? { standard: 1 } : { path: resolve(text) }
}

/**
 * Opens a log file, making it when it is not there.
 * @param option whose value the path is, for messages
 * @throws GaidarosError ERR_GAIDAROS_LOG
 */
export function openLogFile(path: string, option: string): Opened | { standard: 1 | 2 } {
  try {
    const real = follow(path)
    const standard = standardOf(real)
    return standard === undefined ? openReal(real) : { standard }
  } catch (error) {
    const { code, errno, syscall, message } = error as NodeJS.ErrnoException
    if (code === undefined && !(error instanceof Refused)) throw error
    throw new GaidarosError(
      'ERR_GAIDAROS_LOG',
      `${option}: ${path} cannot be opened: ${code === undefined ? message : explain(code)}; wanted a file, FIFO or device that may be written`,
      {
        ...(errno !== undefined && { errno }),
        ...(code !== undefined && { errnoCode: code }),
        ...(syscall !== undefined && { syscall }),
      },
      error,
    )
  }
}

class Refused extends Error {}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ENOENT: 'no such directory',
  ENOTDIR: 'a part of the path is no directory',
  EISDIR: 'it is a directory',
  ENXIO: 'it is a socket, or a device that is not there',
  EROFS: 'the file system is read-only',
  ELOOP: 'a link that changed meanwhile',
}

const explain = (code: string): string =>
  code in EXPLANATIONS ? `${EXPLANATIONS[code]} (${code})` : code

/**
 * Where a path leads, one component at a time. As root no link is followed that somebody else made: in a directory
 * that is his he could lead the log of a server that starts as root to any file.
 */
function follow(path: string): string {
  const asRoot = process.geteuid?.() === ROOT
  const left = path.split('/')
  let at = '/'
  let links = 0
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const next = join(at, name)
    const stats = standardOf(next) === undefined ? linkAt(next) : undefined
    if (stats === undefined) {
      at = next
      continue
    }
    if (asRoot && stats.uid !== ROOT)
      throw new Refused(
        `the link ${next} belongs to uid ${stats.uid}, and root follows its own only`,
      )
    if (++links > MAX_LINKS) throw new Refused('too many links')
    const target = readlinkSync(next)
    if (target.startsWith('/')) at = '/'
    left.unshift(...target.split('/'))
  }
  return at
}

function linkAt(path: string): Stats | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isSymbolicLink() ? stats : undefined
}

/** /dev/stdout leads to /proc/self/fd/1: containers link their logs there. Its own link names no path. */
function standardOf(path: string): 1 | 2 | undefined {
  const number = /^\/proc\/(?:self|\d+)\/fd\/([12])$/.exec(path)?.[1]
  return number === undefined ? undefined : (Number(number) as 1 | 2)
}

function openReal(path: string): Opened {
  const isFifo = statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
  // Opened for both ways a FIFO needs no reader: what is written waits in the kernel until one comes, and
  // when one leaves nothing breaks.
  const flags = isFifo
    ? constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | NO_WAITING
    : constants.O_WRONLY | constants.O_CREAT | APPENDING
  const fd = openSync(path, flags, MODE)
  return { fd, regular: isRegular(fd) }
}

export function isRegular(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false // closed before we were started; writing to it will say so
  }
}

/**
 * Opens what a standard descriptor stands for once more. O_NONBLOCK belongs to an open file description, which the
 * shell and other processes share: set on theirs it would surprise them.
 * @returns undefined where that cannot be done: a socket, a terminal of another user
 */
export function openStandardAgain(fd: 1 | 2): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | NO_WAITING)
  } catch {
    return undefined
  }
}

/**
 * Whether openLogFile() could succeed, without making anything.
 * @throws GaidarosError ERR_GAIDAROS_LOG
 */
export function checkLogFile(path: string, option: string): void {
  if (existsSync(path)) {
    const opened = openLogFile(path, option)
    if ('fd' in opened) closeSync(opened.fd)
    return
  }
  const folder = dirname(path)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  throw new GaidarosError(
    'ERR_GAIDAROS_LOG',
    `${option}: ${path} cannot be made: ${folder} is no directory; wanted a file in one that is there`,
  )
}
