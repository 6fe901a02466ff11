// The command line: bundled letters, long flags, lists that append, and the first argument that is no option.

import { type LongFlag, letters, longFlags, valueLetters } from './flags.js'
import type { Option } from './option.js'
import { type Problem, quote } from './problem.js'
import { secretProblem } from './secret.js'
import {
  type Assignment,
  add,
  addText,
  type Collected,
  collected,
  type Origin,
  unknownName,
  valueProblem,
} from './source.js'
import type { OptionName } from './table.js'
import type { Place } from './value.js'

/** What the parser needs to know besides the table. */
export interface CommandLineContext {
  /** Known subcommands. */
  readonly subcommands?: readonly string[]
  /** Where relative paths begin; absent: they stay relative. */
  readonly place?: Place
}

/** A parsed command line. Its problems are reported by resolve(), with those of the other sources. */
export interface CommandLine extends Collected {
  readonly subcommand?: string
  /** Arguments after the subcommand that are no options. */
  readonly operands: readonly string[]
}

/**
 * Parses the arguments after the program's name. Never throws: hand the result to resolve().
 * @param args as process.argv.slice(2)
 * @example
 * parseCommandLine(['-vp7000', '--no-keepalive']).assignments.length // 3
 */
export function parseCommandLine(
  args: readonly string[],
  context: CommandLineContext = {},
): CommandLine {
  const parser = new Parser(args, context)
  parser.run()
  return {
    assignments: parser.assignments,
    problems: parser.problems,
    operands: parser.operands,
    ...(parser.subcommand === undefined ? {} : { subcommand: parser.subcommand }),
  }
}

/** True when the command line asks for this boolean option, whatever else is wrong with it. */
export function asksFor(line: CommandLine, name: OptionName): boolean {
  return line.assignments.findLast((a) => a.option.name === name)?.value === true
}

class Parser {
  readonly #collected = collected()
  readonly assignments: Assignment[] = this.#collected.assignments
  readonly problems: Problem[] = this.#collected.problems
  readonly operands: string[] = []
  subcommand: string | undefined
  readonly #args: readonly string[]
  readonly #subcommands: readonly string[]
  readonly #place: Place
  #next = 0
  readonly #versions = new Set<string>()

  constructor(args: readonly string[], context: CommandLineContext) {
    this.#args = args
    this.#subcommands = context.subcommands ?? []
    this.#place = context.place ?? {}
  }

  run(): void {
    let onlyOperands = false
    for (let arg = this.#take(); arg !== undefined; arg = this.#take()) {
      if (onlyOperands || arg === '-' || !arg.startsWith('-')) this.#operand(arg)
      else if (arg === '--') onlyOperands = true
      else if (arg.startsWith('--')) this.#long(arg)
      else this.#bundle(arg)
    }
  }

  #take(): string | undefined {
    return this.#args[this.#next++]
  }

  #operand(arg: string): void {
    if (this.subcommand !== undefined) this.operands.push(arg)
    else if (this.#subcommands.includes(arg)) this.subcommand = arg
    else
      this.problems.push(
        unknownName('command line', `no command ${quote(arg)}`, arg, this.#subcommands),
      )
  }

  #long(arg: string): void {
    const equals = arg.indexOf('=')
    const name = arg.slice(2, equals < 0 ? undefined : equals)
    const attached = equals < 0 ? undefined : arg.slice(equals + 1)
    const flag = longFlags.get(name)
    if (flag === undefined) this.#unknown(name, attached)
    else if (flag.option.kind.type === 'bool') this.#bool(flag, `--${name}`, attached)
    else this.#valued(flag.option, `--${name}`, attached)
  }

  /** What follows an unknown flag is probably its value, and no mistake of its own. */
  #unknown(name: string, attached: string | undefined): void {
    this.problems.push(unknownFlag(name))
    const next = this.#args[this.#next] ?? '-'
    if (attached === undefined && !next.startsWith('-') && !this.#subcommands.includes(next))
      this.#take()
  }

  #bool({ option, clears }: LongFlag, flag: string, text: string | undefined): void {
    const origin: Origin = { kind: 'flag', flag }
    if (text === undefined) add(this.#collected, option, origin, { value: !clears }, '')
    else if (clears)
      this.problems.push(valueProblem(option, origin, `${flag} takes no value`, text))
    else addText(this.#collected, option, origin, text, {})
  }

  /** `-vp7000`: letters until one takes a value, which is the rest of the bundle or the next argument. */
  #bundle(arg: string): void {
    const bundle = [...arg.slice(1)]
    for (const [index, letter] of bundle.entries())
      if (!this.#letter(letter, bundle.slice(index + 1).join(''))) return
  }

  /** One letter of a bundle. False: what follows it was its value, or means nothing. */
  #letter(letter: string, rest: string): boolean {
    const flag = `-${letter}`
    const version = valueLetters.get(letter)
    const option = letters.get(letter)
    if (version !== undefined) this.#valueLetter(letter, version.option, version.value)
    else if (option === undefined) this.problems.push(unknownLetter(letter))
    else if (option.kind.type === 'bool') this.#bool({ option, clears: false }, flag, undefined)
    else if (this.#isHelp(letter, rest)) this.#bool(help, flag, undefined)
    else this.#valued(option, flag, rest === '' ? undefined : rest)
    return version !== undefined || option?.kind.type === 'bool'
  }

  /** -h with nothing that could be a host after it. */
  #isHelp(letter: string, rest: string): boolean {
    if (letter !== 'h' || rest !== '') return false
    const next = this.#args[this.#next]
    return next === undefined || next.startsWith('-')
  }

  /** -4 and -6 in one command line are both. */
  #valueLetter(letter: string, option: Option, value: string): void {
    this.#versions.add(`-${letter}`)
    const origin: Origin = { kind: 'flag', flag: [...this.#versions].join(' ') }
    addText(this.#collected, option, origin, this.#versions.size > 1 ? '0' : value, {})
  }

  #valued(option: Option, flag: string, attached: string | undefined): void {
    const origin: Origin = { kind: 'flag', flag }
    const text = attached ?? this.#argument()
    if (text === undefined) {
      this.problems.push(valueProblem(option, origin, `wanted a value: ${flag} ${option.hint}`))
      return
    }
    const refused = secretProblem(option, text)
    if (refused !== undefined) this.problems.push(valueProblem(option, origin, refused))
    else addText(this.#collected, option, origin, text, this.#place)
    this.#append(option)
  }

  /** The next argument as a value; none when it is a long flag of ours, which was hardly meant as one. */
  #argument(): string | undefined {
    const next = this.#args[this.#next]
    if (next === undefined) return undefined
    const isFlag = next.startsWith('--') && longFlags.has(next.slice(2).replace(/=.*/s, ''))
    return isFlag ? undefined : this.#take()
  }

  /** A repeated list flag appends to what came before. */
  #append(option: Option): void {
    if (option.kind.type !== 'list' && !option.perNode) return
    const [before, last] = this.assignments.filter((a) => a.option === option).slice(-2)
    if (before === undefined || last === undefined) return
    const value = [before.value, last.value].flat()
    this.assignments[this.assignments.lastIndexOf(last)] = { ...before, value }
  }
}

const help = longFlags.get('usage') as LongFlag

const unknownFlag = (name: string): Problem =>
  unknownName(
    'command line',
    `no option ${quote(`--${name}`)}`,
    name,
    longFlags.keys(),
    (near) => `--${near}`,
  )

function unknownLetter(letter: string): Problem {
  const other = [letter.toLowerCase(), letter.toUpperCase()].find((l) => letters.has(l))
  return {
    code: 'ERR_GAIDAROS_OPTION',
    origin: 'command line',
    message: `no option ${quote(`-${letter}`)}`,
    ...(other === undefined ? {} : { suggestion: `-${other}` }),
  }
}
