// How a declared framer is refused: what, where, what was wanted, and what may have been meant.

import { inspect } from 'node:util'
import { misuse } from '../errors.js'
import { nearest } from '../options/suggestion.js'

/** The error for a framer's text or object. */
export function refuse(whole: unknown, why: string): TypeError {
  const shown = typeof whole === 'string' ? `'${whole}'` : inspect(whole, { breakLength: Infinity })
  return misuse('ERR_GAIDAROS_HANDLER', `framer ${shown}: ${why}`)
}

/** A value as an error shows it. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  return typeof value === 'string' ? `'${value}'` : inspect(value, { breakLength: Infinity })
}

export const list = (items: readonly string[]): string => items.join(' | ')

/** ` (did you mean 'line'?)`, or nothing when no name is near. */
export function suggestion(word: string, names: readonly string[]): string {
  const near = nearest(word, names)
  return near === undefined || near === word ? '' : ` (did you mean '${near}'?)`
}
