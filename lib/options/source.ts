// What every source of options (files, environment, command line, constructor) delivers: assignments with
// their origin, and problems. Force is the order in which sources are put together, nothing else.

import type { Option } from './option.js'
import type { Problem } from './problem.js'
import { nearest } from './suggestion.js'
import { type Place, type Read, readText } from './value.js'

/** What a file may do: the system's or the administrator's own, one given by -c, or a user-level one that was chained. */
export type FileTrust = 'system' | 'given' | 'user'

/** Where a value came from. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'implied'; readonly by: string }
  | {
      readonly kind: 'file'
      readonly file: string
      readonly line: number
      readonly trust: FileTrust
      readonly rootOwned: boolean
    }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string }
  | { readonly kind: 'constructor'; readonly name: string }

/** An origin as messages and --print-config show it. */
export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default'
    case 'implied':
      return `implied by ${origin.by}`
    case 'file':
      return `${origin.file}:${origin.line}`
    case 'environment':
      return `environment, ${origin.variable}`
    case 'flag':
      return `command line, ${origin.flag}`
    case 'constructor':
      return `constructor, ${origin.name}`
  }
}

/** One option set by one source. */
export interface Assignment {
  readonly option: Option
  readonly value: unknown
  readonly origin: Origin
}

/** What a source delivers; later assignments are stronger. */
export interface Collected {
  readonly assignments: Assignment[]
  readonly problems: Problem[]
}

export const collected = (): Collected => ({ assignments: [], problems: [] })

/** A problem with an option's value; a secret value stays out of it. */
export function valueProblem(
  option: Option,
  origin: Origin,
  message: string,
  value?: string,
  suggestion?: string,
): Problem {
  return {
    code: 'ERR_GAIDAROS_OPTION',
    option: option.name,
    origin: originText(origin),
    message,
    ...(value === undefined || option.secret ? {} : { value }),
    ...(suggestion === undefined ? {} : { suggestion }),
  }
}

/** A name that no option has. */
export function unknownName(
  origin: string,
  message: string,
  word: string,
  known: Iterable<string>,
  spell: (name: string) => string = (name) => name,
): Problem {
  const near = nearest(word, known)
  return {
    code: 'ERR_GAIDAROS_OPTION',
    origin,
    message,
    ...(near === undefined ? {} : { suggestion: spell(near) }),
  }
}

/** Adds what was read: an assignment, or a problem that says what was wanted. */
export function add(
  into: Collected,
  option: Option,
  origin: Origin,
  read: Read,
  given: string,
): void {
  if ('value' in read) into.assignments.push({ option, value: read.value, origin })
  else
    into.problems.push(
      valueProblem(option, origin, `wanted ${read.wanted}`, given, read.suggestion),
    )
}

/** Reads a text and adds it. */
export function addText(
  into: Collected,
  option: Option,
  origin: Origin,
  text: string,
  place: Place,
): void {
  add(into, option, origin, readText(option, text, place), text)
}
