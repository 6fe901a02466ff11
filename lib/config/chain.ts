// Chain-sourcing: the system file, the files given by -c, and what they name in turn, weakest first.
// A file that is refused is a problem of its own; what was read before it stays read, so that all is reported at once.

import { resolve as absolute, dirname, join } from 'node:path'
import { type Effective, strongest } from '../options/effective.js'
import { type Problem, quote } from '../options/problem.js'
import {
  type Assignment,
  type Collected,
  collected,
  type FileTrust,
  originText,
  valueProblem,
} from '../options/source.js'
import { readContent } from './content.js'
import { type ConfFile, openConf } from './file.js'
import { type Identity, isBorrowed, ownHome } from './identity.js'
import { isInHome, locationProblem } from './location.js'
import { restriction } from './restriction.js'

/** The system's configuration file. */
export const SYSTEM_FILE = '/etc/gaidaros/gaidaros.conf'
/** How many files may name each other in a row. */
export const MAX_CHAIN = 8
/** How many files may be read. */
export const MAX_FILES = 64

/** What is to be read. */
export interface ChainRequest {
  /** Absent: no system file. Its directory is the system's directory. */
  readonly systemFile?: string | undefined
  /** Files given by -c, the environment or the constructor, with what gave them. */
  readonly given: readonly string[]
  readonly givenBy: string
  /** False: files that these files name are not read. */
  readonly follow: boolean
  readonly who: Identity
}

/** What the files said. */
export interface ChainResult extends Collected {
  readonly notes: readonly string[]
  /** Files that were read, weakest first. */
  readonly files: readonly string[]
}

/** Reads all configuration files. Collects problems, throws nothing. */
export function readChain(request: ChainRequest): ChainResult {
  const chain = new Chain(request)
  if (request.systemFile !== undefined) chain.system(request.systemFile)
  for (const file of request.given) chain.given(file)
  return chain.result()
}

interface Ancestor {
  readonly file: ConfFile
  readonly trust: FileTrust
}

/** A file that is to be read, and how it came to be. */
interface Step {
  readonly path: string
  readonly origin: string
  /** Files that led here, outermost first. */
  readonly ancestors: readonly Ancestor[]
  readonly trust: FileTrust | 'chained'
}

class Chain {
  readonly #request: ChainRequest
  readonly #result = collected()
  readonly #notes: string[] = []
  readonly #files: string[] = []
  #visits = 0
  /** What the system's and the administrator's own files said: the measure for user-level ones. */
  readonly #system: Assignment[] = []

  constructor(request: ChainRequest) {
    this.#request = request
  }

  result(): ChainResult {
    return { ...this.#result, notes: this.#notes, files: this.#files }
  }

  system(path: string): void {
    this.#visit({ path: absolute(path), origin: 'system file', ancestors: [], trust: 'system' })
  }

  given(path: string): void {
    const home = ownHome(this.#request.who)
    const expanded =
      home !== undefined && path.startsWith('~/') ? join(home, path.slice(2)) : absolute(path)
    this.#visit({ path: expanded, origin: this.#request.givenBy, ancestors: [], trust: 'given' })
  }

  #visit(step: Step): void {
    if (++this.#visits > MAX_FILES) {
      if (this.#visits === MAX_FILES + 1)
        this.#refuse(step, `it is one more than ${MAX_FILES} files`)
      return
    }
    const refused = this.#refusedByName(step)
    if (refused !== undefined) this.#refuse(step, refused)
    else if (step.trust === 'chained' && this.#isForeignHome(step.path)) this.#skip(step, borrowed)
    else this.#open(step)
  }

  #open(step: Step): void {
    const file = openConf(step.path, this.#request.who)
    if ('missing' in file) this.#missing(step)
    else if ('refused' in file) this.#refuse(step, file.refused)
    else this.#opened(step, file)
  }

  /** What is wrong before the file is touched. */
  #refusedByName({ path, ancestors, trust }: Step): string | undefined {
    if (ancestors.length > MAX_CHAIN) return `more than ${MAX_CHAIN} files name each other in a row`
    return trust === 'chained' ? this.#misplaced(path, ancestors) : undefined
  }

  #misplaced(path: string, ancestors: readonly Ancestor[]): string | undefined {
    const { file } = ancestors.at(-1) as Ancestor
    return locationProblem(path, file.path, this.#systemDirectory(), this.#request.who)
  }

  #systemDirectory(): string {
    return dirname(this.#request.systemFile ?? SYSTEM_FILE)
  }

  #isForeignHome(path: string): boolean {
    return isBorrowed(this.#request.who) && isInHome(path, this.#request.who)
  }

  #opened(step: Step, file: ConfFile): void {
    const refused = this.#refusedByFile(step, file)
    const trust = this.#trust(step, file)
    if (refused !== undefined) this.#refuse(step, refused)
    else if (trust === 'user' && isBorrowed(this.#request.who)) this.#skip(step, borrowed)
    else {
      this.#files.push(file.path)
      this.#take(file, trust, step.ancestors)
    }
  }

  /** What only the open file shows: which file it really is, and where it really lies. */
  #refusedByFile({ ancestors, trust }: Step, file: ConfFile): string | undefined {
    const again = ancestors.findIndex((ancestor) => ancestor.file.id === file.id)
    if (again >= 0) return cycle(ancestors.slice(again), file)
    const misplaced = trust === 'chained' ? this.#misplaced(file.realPath, ancestors) : undefined
    return misplaced === undefined ? undefined : `${misplaced}; it is ${file.realPath}`
  }

  /** What is chained from a user-level file is one itself, whoever owns it: the user chose it. */
  #trust({ trust, ancestors }: Step, file: ConfFile): FileTrust {
    if (trust !== 'chained') return trust
    const tainted = ancestors.at(-1)?.trust === 'user'
    const userLevel = tainted || !file.rootOwned || isInHome(file.realPath, this.#request.who)
    return userLevel ? 'user' : 'system'
  }

  #take(file: ConfFile, trust: FileTrust, ancestors: readonly Ancestor[]): void {
    const content = readContent(file, trust, this.#request.who)
    const system = trust === 'user' ? strongest(this.#system) : undefined
    this.#result.problems.push(...content.problems)
    for (const assignment of content.assignments) this.#assign(assignment, system)
    const chained = content.assignments.find(({ option }) => option.name === 'config')
    if (this.#request.follow && chained !== undefined)
      for (const path of chained.value as readonly string[])
        this.#chain(path, originText(chained.origin), [...ancestors, { file, trust }])
  }

  #assign(assignment: Assignment, system: Effective | undefined): void {
    const refused = system === undefined ? undefined : restriction(assignment, system)
    if (refused !== undefined) this.#result.problems.push(violation(assignment, refused))
    else this.#result.assignments.push(assignment)
    if (system === undefined) this.#system.push(assignment)
  }

  #chain(path: string, origin: string, ancestors: readonly Ancestor[]): void {
    const step: Step = { path, origin, ancestors, trust: 'chained' }
    if (!path.startsWith('~')) this.#visit(step)
    else if (/^~($|\/)/.test(path)) this.#skip(step, 'the effective user has no home directory')
    else this.#refuse(step, 'wanted ~/ or a path')
  }

  /** A user has no configuration of his own until he writes one: a chained file may be absent, a given one not. */
  #missing(step: Step): void {
    if (step.trust === 'given') this.#refuse(step, 'no such file')
    else if (step.trust === 'chained') this.#skip(step, 'no such file')
  }

  #skip({ path, origin }: Step, reason: string): void {
    this.#notes.push(`${origin}: skipped ${path}: ${reason}`)
  }

  #refuse({ path, origin }: Step, reason: string): void {
    const problem: Problem = {
      code: 'ERR_GAIDAROS_CONFIG',
      origin,
      message: `configuration file ${quote(path)} refused: ${reason}`,
    }
    this.#result.problems.push(problem)
  }
}

const violation = ({ option, origin }: Assignment, refused: string): Problem => ({
  ...valueProblem(option, origin, refused),
  code: 'ERR_GAIDAROS_CONFIG',
})

const borrowed = 'no user-level file under sudo, or when real and effective user differ'

const cycle = (loop: readonly Ancestor[], file: ConfFile): string =>
  `a cycle: ${[...loop.map((step) => step.file.path), file.path].join(' → ')}`
