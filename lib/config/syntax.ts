// The dialect of Python's ConfigParser: sections, `=` and `:`, whole-line comments with `#` and `;`,
// continuation lines that are indented deeper than their key. Text to entries with line numbers; no meaning yet.

/** One key of a file. */
export interface Entry {
  readonly section: string
  readonly key: string
  /** Continuation lines are joined with line feeds. Interpolation is not done yet. */
  readonly text: string
  /** Line of the key, from 1. */
  readonly line: number
}

/** Something that is no line of the dialect. Never repeats the line: the file may be anything. */
export interface SyntaxProblem {
  readonly line: number
  readonly message: string
}

export interface Parsed {
  /** Section headers, empty sections included. */
  readonly sections: readonly { readonly name: string; readonly line: number }[]
  readonly entries: readonly Entry[]
  readonly problems: readonly SyntaxProblem[]
}

interface Open {
  section: string
  key: string
  line: number
  indent: number
  lines: string[]
}

/**
 * Parses the text of a configuration file.
 * Keys are lower-cased, as Python does; section names are not. A section or key that stands twice is a problem.
 * @example
 * parseConf('[global]\nport = 80\n').entries // [{ section: 'global', key: 'port', text: '80', line: 2 }]
 */
export function parseConf(text: string): Parsed {
  const parser = new Parser()
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  for (const [index, line] of lines.entries()) parser.line(line, index + 1)
  return parser.end()
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/
const HEADER = /^\[([^\]]+)\]$/
const COMMENT = /^[#;]/

class Parser {
  readonly #sections: { name: string; line: number }[] = []
  readonly #entries: Entry[] = []
  readonly #problems: SyntaxProblem[] = []
  readonly #seen = new Set<string>()
  #section: string | undefined
  #open: Open | undefined

  line(raw: string, number: number): void {
    const text = trim(raw)
    if (CONTROL.test(raw)) this.#problem(number, 'wanted text without control characters')
    // An empty line belongs to the value if another continuation line follows, a comment never.
    else if (text === '') this.#open?.lines.push('')
    else if (COMMENT.test(text)) return
    else if (this.#open !== undefined && indentOf(raw) > this.#open.indent)
      this.#open.lines.push(text)
    else this.#start(text, number, indentOf(raw))
  }

  end(): Parsed {
    this.#close()
    return { sections: this.#sections, entries: this.#entries, problems: this.#problems }
  }

  #start(text: string, line: number, indent: number): void {
    this.#close()
    if (text.startsWith('[')) this.#header(text, line)
    else if (this.#section === undefined)
      this.#problem(line, 'wanted a [section] before the first key')
    else this.#key(this.#section, text, line, indent)
  }

  #header(text: string, line: number): void {
    const name = HEADER.exec(text)?.[1]
    if (name === undefined) this.#problem(line, 'wanted [section], and nothing after it')
    else {
      this.#section = name
      this.#sections.push({ name, line })
      this.#once(`[${name}]`, line, `section [${name}] stands twice`)
    }
  }

  #key(section: string, text: string, line: number, indent: number): void {
    const [, name = '', value = ''] = /^([^=:]*?)[ \t]*[=:](.*)$/.exec(text) ?? []
    const key = name.toLowerCase()
    if (key === '') this.#problem(line, 'wanted key = value or key: value')
    else {
      this.#once(`${section}\n${key}`, line, `${key} stands twice in [${section}]`)
      this.#open = { section, key, line, indent, lines: [trim(value)] }
    }
  }

  #once(what: string, line: number, message: string): void {
    if (this.#seen.has(what)) this.#problem(line, message)
    this.#seen.add(what)
  }

  #close(): void {
    if (this.#open === undefined) return
    const { section, key, line, lines } = this.#open
    this.#entries.push({ section, key, line, text: lines.join('\n').replace(/\n+$/, '') })
    this.#open = undefined
  }

  #problem(line: number, message: string): void {
    this.#problems.push({ line, message })
  }
}

/** Blanks and tabs only: a file of ours has no other white space. */
const trim = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, '')

/** Python counts characters, so a tab is one. */
const indentOf = (line: string): number => line.length - line.replace(/^[ \t]+/, '').length
