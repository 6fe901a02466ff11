// Secrets and where they may stand: anybody can read a command line, so only a reference may stand there.

import type { Option } from './option.js'

/** Why a secret's text may not stand on the command line, if so. */
export function secretProblem(option: Option, text: string): string | undefined {
  if (!option.secret) return undefined
  const plain = text.split(',').some((item) => !/^\s*($|@.|env:.)/.test(item))
  return plain
    ? 'wanted @FILE or env:NAME: a command line can be read by everybody on the machine'
    : undefined
}
