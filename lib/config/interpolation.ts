// %(name)s in values: the same section first, then [global]; %% is a percent sign.

import type { Entry } from './syntax.js'

/** How deep references may refer. */
export const MAX_DEPTH = 10
/** How long a value may become, in UTF-16 units. */
export const MAX_LENGTH = 65536

/** An expanded value, or what is wrong with it. */
export type Expanded = { readonly text: string } | { readonly problem: string }

interface Known {
  readonly result: Expanded
  /** Longest chain of references below it. */
  readonly depth: number
}

const TOKEN = /%(?:%|\(([^()\n]*)\)s|)/g

/** Expands the values of one file. Each is expanded once, so that work is bounded by the file and MAX_LENGTH. */
export class Interpolation {
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #known = new Map<Entry, Known>()
  readonly #running = new Set<Entry>()
  readonly #hidden: (entry: Entry) => boolean

  /** @param hidden entries that nothing may refer to: secrets would escape their redaction. */
  constructor(entries: readonly Entry[], hidden: (entry: Entry) => boolean = () => false) {
    this.#entries = new Map(entries.map((entry) => [name(entry.section, entry.key), entry]))
    this.#hidden = hidden
  }

  /** The entry's text with every reference replaced. */
  expand(entry: Entry): Expanded {
    return this.#expand(entry).result
  }

  #expand(entry: Entry): Known {
    const known = this.#known.get(entry)
    if (known !== undefined) return known
    if (this.#running.has(entry)) return failed(`${entry.key} refers to itself`)
    if (this.#running.size > MAX_DEPTH) return failed(`references are deeper than ${MAX_DEPTH}`)
    this.#running.add(entry)
    const fresh = this.#replace(entry)
    this.#running.delete(entry)
    this.#known.set(entry, fresh)
    return fresh
  }

  #replace(entry: Entry): Known {
    let text = ''
    let depth = 0
    let end = 0
    for (const match of entry.text.matchAll(TOKEN)) {
      const part = this.#token(entry, match)
      if ('problem' in part.result) return part
      text += entry.text.slice(end, match.index) + part.result.text
      end = match.index + match[0].length
      depth = Math.max(depth, part.depth)
      if (depth > MAX_DEPTH) return failed(`references are deeper than ${MAX_DEPTH}`)
      if (text.length > MAX_LENGTH)
        return failed(`the value is longer than ${MAX_LENGTH} characters`)
    }
    text += entry.text.slice(end)
    if (text.length > MAX_LENGTH) return failed(`the value is longer than ${MAX_LENGTH} characters`)
    return { result: { text }, depth }
  }

  #token(entry: Entry, match: RegExpExecArray): Known {
    if (match[0] === '%%') return { result: { text: '%' }, depth: 0 }
    const key = match[1]?.toLowerCase()
    if (key === undefined) return failed('a % is not followed by % or (name)s')
    const target =
      this.#entries.get(name(entry.section, key)) ?? this.#entries.get(name('global', key))
    if (target === undefined) return failed(`%(${key})s: no such key in ${places(entry.section)}`)
    if (this.#hidden(target)) return failed(`%(${key})s refers to a secret`)
    const inner = this.#expand(target)
    return { result: inner.result, depth: inner.depth + 1 }
  }
}

const places = (section: string): string =>
  section === 'global' ? '[global]' : `[${section}] or [global]`

const name = (section: string, key: string): string => `${section}\n${key}`

const failed = (problem: string): Known => ({ result: { problem }, depth: 0 })
