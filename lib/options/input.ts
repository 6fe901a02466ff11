// Values as the constructor takes them: JavaScript values, or the same text as everywhere.

import type { Kind, Option } from './option.js'
import { type Read, readAll, readText, wantedValue } from './value.js'

/** Kinds whose numbers may come as numbers. */
const numeric = new Set<Kind['type']>(['int', 'size', 'duration', 'octal', 'enum'])

/** Reads what the constructor was given for an option. */
export function readInput(option: Option, input: unknown): Read {
  if (option.perNode && Array.isArray(input))
    return readAll(input.map((item) => readInput(single(option), item)))
  const { kind } = option
  if (typeof input === 'string' && kind.type !== 'bool') return readText(option, input)
  return readNative(option, input) ?? { wanted: wantedInput(kind) }
}

const single = ({ perNode: _, ...option }: Option): Option => option

function readNative(option: Option, input: unknown): Read | undefined {
  const { kind } = option
  if (kind.type === 'bool') return typeof input === 'boolean' ? { value: input } : undefined
  if (typeof input === 'number' && numeric.has(kind.type)) return readNumber(option, input)
  if (kind.type === 'list') return isStrings(input) ? { value: [...input] } : undefined
  if (kind.type === 'json') return readPlain(kind.shape, input)
  if (kind.type === 'class') return typeof input === 'function' ? { value: input } : undefined
  if (kind.type === 'function') return isFunction(kind.takes, input) ? { value: input } : undefined
  return undefined
}

/** A number of the API. Octal kinds are the exception: there a number is the mode itself (0o640). */
function readNumber(option: Option, input: number): Read | undefined {
  if (!Number.isFinite(input) || Math.abs(input) > Number.MAX_SAFE_INTEGER) return undefined
  if (option.kind.type === 'octal') return readText(option, Math.trunc(input).toString(8))
  return readText(option, decimal(input))
}

/** Without an exponent: 1e-7 is 0.0000001. */
const decimal = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/0+$/, '')

const isStrings = (input: unknown): input is string[] =>
  Array.isArray(input) && input.every((item) => typeof item === 'string')

function readPlain(shape: 'array' | 'object', input: unknown): Read | undefined {
  if (shape === 'array') return Array.isArray(input) ? { value: input } : undefined
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined
  return Object.hasOwn(input, '__proto__') ? undefined : { value: input }
}

const isFunction = (takes: readonly string[], input: unknown): boolean =>
  typeof input === 'function' ||
  (takes.includes('framer') &&
    typeof input === 'object' &&
    input !== null &&
    typeof (input as { framer?: unknown }).framer === 'string')

function wantedInput(kind: Kind): string {
  switch (kind.type) {
    case 'bool':
      return 'true or false'
    case 'list':
      return 'an array of strings'
    case 'class':
      return 'a class or its name'
    case 'function':
      return `a function, ${wantedValue(kind)}`
    default:
      return wantedValue(kind)
  }
}
