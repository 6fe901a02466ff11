// The spellings of the command line, derived from the table.

import { kebabCase } from './names.js'
import type { Option } from './option.js'
import { table } from './table.js'

/** A long flag: its option, and whether it clears it (--no-x). */
export interface LongFlag {
  readonly option: Option
  readonly clears: boolean
}

const rows: readonly Option[] = table

/** By name without the dashes: `tcp-cork`, `no-tcp-cork`, `help`. An option of its own wins over a negation. */
export const longFlags: ReadonlyMap<string, LongFlag> = new Map<string, LongFlag>([
  ...rows
    .filter((option) => option.kind.type === 'bool')
    .map((option) => [`no-${kebabCase(option.name)}`, { option, clears: true }] as const),
  ...rows.flatMap((option) =>
    [kebabCase(option.name), ...(option.aliases ?? [])].map(
      (name) => [name, { option, clears: false }] as const,
    ),
  ),
])

/** By letter. */
export const letters: ReadonlyMap<string, Option> = new Map(
  rows.flatMap((option) => (option.letters ?? []).map((letter) => [letter, option] as const)),
)

/** Letters that carry their value: 4 and 6. */
export const valueLetters: ReadonlyMap<string, { option: Option; value: string }> = new Map(
  rows.flatMap((option) =>
    Object.entries(option.valueLetters ?? {}).map(
      ([letter, value]) => [letter, { option, value }] as const,
    ),
  ),
)

/** Flags in the order of the help: letters, then the long name. */
export function flagsOf(option: Option): string[] {
  return [
    ...[...(option.letters ?? []), ...Object.keys(option.valueLetters ?? {})].map((l) => `-${l}`),
    ...[option.name, ...(option.aliases ?? [])].map((name) => `--${kebabCase(name)}`),
  ]
}
