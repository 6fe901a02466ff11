// Opens one configuration file: the checks are made on the open descriptor, so they hold for what is read.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import type { Identity } from './identity.js'
import { ROOT } from './identity.js'
import { trusts, type Walked, walk } from './walk.js'

/** Largest configuration file. */
export const MAX_BYTES = 256 * 1024

/** A file that was read. */
export interface ConfFile {
  /** As it was named, absolute. */
  readonly path: string
  /** Without any link. */
  readonly realPath: string
  readonly text: string
  /** Device and inode: the same file by whatever name. */
  readonly id: string
  readonly rootOwned: boolean
  /** Nobody but the owner may read it. */
  readonly isPrivate: boolean
}

/** A file, or why there is none. */
export type Opened = ConfFile | { readonly refused: string } | { readonly missing: true }

const WRITABLE_BY_OTHERS = 0o022
const READABLE_BY_OTHERS = 0o044
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
const CONTROL = /[\u0000-\u001f\u007f]/
const FLAGS =
  constants.O_RDONLY |
  (constants.O_NOFOLLOW ?? 0) |
  (constants.O_NONBLOCK ?? 0) | // a FIFO must not hold us up
  (constants.O_NOCTTY ?? 0)

/** Opens and reads a file at an absolute path by all the rules that hold for the file itself. */
export function openConf(path: string, who: Identity): Opened {
  if (CONTROL.test(path)) return { refused: 'a control character in the path' }
  const walked = reach(path, who)
  if (!('path' in walked)) return walked
  try {
    return withDescriptor(walked.path, (fd) => read(fd, path, walked, who))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { missing: true }
    if (code === undefined) throw error
    return { refused: `cannot be read (${code})` }
  }
}

/** Without users there are no owners to check, and paths are not POSIX paths. */
const reach = (path: string, who: Identity): ReturnType<typeof walk> =>
  who.euid === undefined ? { path, linkOwners: [], shared: false } : walk(path, who)

function withDescriptor<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, FLAGS)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

function read(fd: number, path: string, walked: Walked, who: Identity): Opened {
  const stats = fstatSync(fd)
  const refused = refusal(stats, walked, who)
  if (refused !== undefined) return { refused }
  const bytes = Buffer.alloc(MAX_BYTES + 1)
  let length = 0
  for (let count = -1; count !== 0 && length <= MAX_BYTES; length += count)
    count = readSync(fd, bytes, length, bytes.length - length, null)
  if (length > MAX_BYTES) return { refused: tooLong }
  const text = decode(bytes.subarray(0, length))
  if (text === undefined) return { refused: 'it is not UTF-8' }
  return {
    path,
    realPath: walked.path,
    text,
    id: `${stats.dev}:${stats.ino}`,
    rootOwned: stats.uid === ROOT,
    isPrivate: (stats.mode & READABLE_BY_OTHERS) === 0,
  }
}

const tooLong = `it is longer than ${MAX_BYTES / 1024} KiB`

function refusal(stats: Stats, walked: Walked, who: Identity): string | undefined {
  if (!stats.isFile()) return 'it is not a regular file'
  if (stats.size > MAX_BYTES) return tooLong
  if (who.euid === undefined) return undefined
  if (!trusts(who, stats.uid))
    return `it belongs to uid ${stats.uid}; wanted ${who.euid === ROOT ? 'root' : `root or uid ${who.euid}`}`
  if ((stats.mode & WRITABLE_BY_OTHERS) !== 0)
    return `its mode ${(stats.mode & 0o7777).toString(8)} lets group or others write it`
  if (walked.linkOwners.some((owner) => owner !== stats.uid))
    return `it belongs to uid ${stats.uid}, the link to it to uid ${walked.linkOwners.find((o) => o !== stats.uid)}`
  // In a directory like /tmp anybody can make a hard link to somebody else's file.
  if (walked.shared && stats.nlink > 1) return 'it has several names and lies in a shared directory'
  return undefined
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
