// From the entries of one file to assignments: sections and keys looked up, references expanded, values read.

import { dirname } from 'node:path'
import { byKey, confKey } from '../options/names.js'
import { type Option, type Section, sections } from '../options/option.js'
import { type Problem, quote } from '../options/problem.js'
import {
  addText,
  type Collected,
  collected,
  type FileTrust,
  type Origin,
  unknownName,
  valueProblem,
} from '../options/source.js'
import { nearest } from '../options/suggestion.js'
import type { ConfFile } from './file.js'
import { type Identity, ownHome } from './identity.js'
import { Interpolation } from './interpolation.js'
import { type Entry, parseConf } from './syntax.js'

/** Keys of [global] that are no options: directories to refer to as %(basedir)s. */
export const variables = ['basedir', 'root', 'lib', 'run', 'configs', 'docs'] as const

/** Reads what a file says. Problems are collected with file and line. */
export function readContent(file: ConfFile, trust: FileTrust, who: Identity): Collected {
  return new Content(file, trust, who).read()
}

const optionOf = (entry: Entry): Option | undefined => byKey.get(`${entry.section}.${entry.key}`)

const isVariable = ({ section, key }: Entry): boolean =>
  section === 'global' && (variables as readonly string[]).includes(key)

const isSection = (name: string): name is Section => (sections as readonly string[]).includes(name)

class Content {
  readonly #file: ConfFile
  readonly #trust: FileTrust
  readonly #who: Identity
  readonly #result = collected()

  constructor(file: ConfFile, trust: FileTrust, who: Identity) {
    this.#file = file
    this.#trust = trust
    this.#who = who
  }

  read(): Collected {
    const parsed = parseConf(this.#file.text)
    for (const { line, message } of parsed.problems) this.#problem(line, message)
    for (const { name, line } of parsed.sections)
      if (!isSection(name)) this.#result.problems.push(this.#unknownSection(name, line))
    const known = parsed.entries.filter((entry) => isSection(entry.section))
    const interpolation = new Interpolation(known, (entry) => optionOf(entry)?.secret === true)
    for (const entry of known) this.#entry(entry, interpolation)
    return this.#result
  }

  #entry(entry: Entry, interpolation: Interpolation): void {
    const option = optionOf(entry)
    if (option === undefined && !isVariable(entry))
      this.#result.problems.push(this.#unknownKey(entry))
    else {
      const expanded = interpolation.expand(entry)
      if ('problem' in expanded) this.#problem(entry.line, `${entry.key}: ${expanded.problem}`)
      else if (option !== undefined) this.#option(option, entry.line, expanded.text)
    }
  }

  #option(option: Option, line: number, text: string): void {
    const origin = this.#origin(line)
    const refused = this.#refusal(option, text)
    if (refused !== undefined) this.#result.problems.push(valueProblem(option, origin, refused))
    else addText(this.#result, option, origin, text, this.#place())
  }

  #refusal(option: Option, text: string): string | undefined {
    if (option.noFile) return 'belongs on the command line, not into a file'
    if (option.secret && text !== '' && !this.#file.isPrivate)
      return 'a file that holds a secret must be readable by its owner alone (chmod 600)'
    return undefined
  }

  #place(): { directory: string; home?: string } {
    const home = ownHome(this.#who)
    return { directory: dirname(this.#file.path), ...(home === undefined ? {} : { home }) }
  }

  #origin(line: number): Origin {
    const { path, rootOwned } = this.#file
    return { kind: 'file', file: path, line, trust: this.#trust, rootOwned }
  }

  #problem(line: number, message: string): void {
    this.#result.problems.push({
      code: 'ERR_GAIDAROS_CONFIG',
      origin: `${this.#file.path}:${line}`,
      message,
    })
  }

  #unknownSection(name: string, line: number): Problem {
    const origin = `${this.#file.path}:${line}`
    return {
      ...unknownName(origin, `no section ${quote(`[${name}]`)}`, name, sections, (s) => `[${s}]`),
      code: 'ERR_GAIDAROS_CONFIG',
    }
  }

  /** The same key in another section is the likelier mistake, then a similar key in this one. */
  #unknownKey({ section, key, line }: Entry): Problem {
    const elsewhere = [...byKey.values()].filter(
      (row: Option) => confKey(row) === key || row.name === key,
    )
    const here = [...byKey.values()].filter((row: Option) => row.section === section).map(confKey)
    const near = elsewhere.length === 1 ? undefined : nearest(key, here)
    const suggestion =
      elsewhere[0] !== undefined
        ? elsewhere.map((row: Option) => `[${row.section}] ${confKey(row)}`).join(' or ')
        : near
    return {
      code: 'ERR_GAIDAROS_CONFIG',
      origin: `${this.#file.path}:${line}`,
      message: `no key ${quote(key)} in [${section}]`,
      ...(suggestion === undefined ? {} : { suggestion }),
    }
  }
}
