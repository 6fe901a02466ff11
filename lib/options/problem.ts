// Everything that is wrong with the options, reported at once.

import type { ErrorCode } from '../errors.js'

/** One thing that is wrong. */
export interface Problem {
  readonly code: 'ERR_GAIDAROS_OPTION' | 'ERR_GAIDAROS_CONFIG'
  /** Canonical name of the option, where one is concerned. */
  readonly option?: string
  /** The value as it was given; absent where it is secret. */
  readonly value?: string
  /** Where it came from: `command line, --port`, `/etc/gaidaros/gaidaros.conf:12`, `environment, GAIDAROS_PORT`, `constructor, port`. */
  readonly origin: string
  /** What is wrong or what was wanted. */
  readonly message: string
  readonly suggestion?: string
}

/** The text of one problem: where, what, what was wanted, what was probably meant. */
export function problemText(problem: Problem): string {
  const what = problem.option === undefined ? '' : `${problem.option}${given(problem)}: `
  const hint = problem.suggestion === undefined ? '' : `; did you mean ${problem.suggestion}?`
  return `${problem.origin}: ${what}${problem.message}${hint}`
}

const given = (problem: Problem): string =>
  problem.value === undefined ? '' : ` ${quote(problem.value)}`

const LONGEST = 80

/** Text as it may stand in a message: quoted, control characters escaped, cut. */
export function quote(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** What resolve() and parseCommandLine() throw: all problems together. Exit status 2 of the command. */
export class OptionsError extends TypeError {
  readonly code: ErrorCode
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join('\n'))
    this.name = 'OptionsError'
    this.code = problems.some((p) => p.code === 'ERR_GAIDAROS_OPTION')
      ? 'ERR_GAIDAROS_OPTION'
      : 'ERR_GAIDAROS_CONFIG'
    this.problems = problems
  }
}
