// Follows a path from the root directory down, one component at a time, and refuses what somebody else could
// have put there. Each directory is checked before its entries are looked at, and only root or the effective
// user may change a checked one: so nobody else can swap a component between the check and the use.

import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Identity, ROOT } from './identity.js'

/** Where a path leads. */
export interface Walked {
  /** Without any link. */
  readonly path: string
  /** Owners of the links that the last component went through. */
  readonly linkOwners: readonly number[]
  /** The file's directory is one like /tmp, in which anybody may make entries. */
  readonly shared: boolean
}

/** Where the path leads, or why it is not followed. */
export type Walk = Walked | { readonly refused: string } | { readonly missing: true }

const MAX_LINKS = 40
const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/** Root's and the effective user's files are trusted; as root, root's alone. */
export const trusts = ({ euid }: Identity, owner: number): boolean =>
  owner === ROOT || owner === euid

/** Follows an absolute path; reads nothing of the file itself. */
export function walk(path: string, who: Identity): Walk {
  try {
    return new Walker(path, who).run()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { missing: true }
    if (code === undefined) throw error
    return { refused: `cannot be reached (${code})` }
  }
}

class Walker {
  readonly #who: Identity
  readonly #left: string[]
  readonly #linkOwners: number[] = []
  #links = 0
  #at = '/'
  #shared = false

  constructor(path: string, who: Identity) {
    this.#who = who
    this.#left = path.split('/')
  }

  run(): Walk {
    let refused = this.#enter(lstatSync('/'))
    for (let name = this.#left.shift(); name !== undefined; name = this.#left.shift()) {
      if (refused !== undefined) return { refused }
      refused = this.#step(name)
    }
    if (refused !== undefined) return { refused }
    return { path: this.#at, linkOwners: this.#linkOwners, shared: this.#shared }
  }

  /** Goes to one entry of the directory reached so far. Returns why not. */
  #step(name: string): string | undefined {
    if (name === '' || name === '.') return undefined
    if (name === '..') {
      this.#at = dirname(this.#at)
      return this.#enter(lstatSync(this.#at))
    }
    const next = join(this.#at, name)
    const stats = lstatSync(next)
    if (stats.isSymbolicLink()) return this.#link(next, stats)
    this.#at = next
    if (stats.isDirectory()) return this.#enter(stats)
    return this.#left.some((rest) => rest !== '') ? `${next} is not a directory` : undefined
  }

  #link(path: string, stats: Stats): string | undefined {
    if (!trusts(this.#who, stats.uid)) return `the link ${path} belongs to uid ${stats.uid}`
    if (++this.#links > MAX_LINKS) return 'too many links'
    if (this.#left.every((rest) => rest === '')) this.#linkOwners.push(stats.uid)
    const target = readlinkSync(path)
    if (target.startsWith('/')) {
      this.#at = '/'
      this.#shared = false
    }
    this.#left.unshift(...target.split('/'))
    return undefined
  }

  #enter(stats: Stats): string | undefined {
    if (!trusts(this.#who, stats.uid))
      return `the directory ${this.#at} belongs to uid ${stats.uid}`
    const open = (stats.mode & WRITABLE_BY_OTHERS) !== 0
    this.#shared = open
    if (!open || ((stats.mode & STICKY) !== 0 && stats.uid === ROOT)) return undefined
    return `the directory ${this.#at} may be changed by others`
  }
}
