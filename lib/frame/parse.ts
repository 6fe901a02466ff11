// Declared framers from text or object to the checked spec that engines take. Called once, when a
// handler is loaded; every error names the text, the part that is wrong and what was wanted.

import type { FramerSpec } from '../engine/engine.js'
import type { FramerObject } from '../handler/contract.js'
import { FORMS, type FramerName, NAMES, nameOf, type Settings, TAKES } from './forms.js'
import type { DeclaredFramer } from './framer.js'
import { describe, list, refuse, suggestion } from './refusal.js'
import { fromText } from './text.js'

type LengthType = Extract<FramerSpec, { kind: 'length' }>['type']

const LENGTH_TYPES: readonly LengthType[] = ['u8', 'u16be', 'u16le', 'u32be', 'u32le']
/** Names that are declared in handlers already but come with a later version. */
const LATER: readonly FramerName[] = ['datagram']

const MAX_DELIMITER = 255
const MAX_U32 = 0xffff_ffff

function checkTakes(name: FramerName, setting: string, whole: unknown): void {
  if (TAKES[name].includes(setting)) return
  const hint = suggestion(setting, TAKES[name])
  throw refuse(whole, `'${setting}' is no setting of ${name}${hint}; wanted ${FORMS[name]}`)
}

function integer(value: unknown, least: number, most: number, what: string, whole: unknown) {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
    return value
  }
  throw refuse(
    whole,
    `${what} is ${describe(value)}; wanted a whole number from ${least} to ${most}`,
  )
}

function flag(value: unknown, what: string, whole: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw refuse(whole, `${what} is ${describe(value)}; wanted true or false`)
}

function fromObject(object: FramerObject): [FramerName, Settings] {
  const { framer, ...settings } = object as { framer: unknown } & Settings
  if (typeof framer !== 'string') {
    throw refuse(object, `its framer is ${describe(framer)}; wanted one of ${list(NAMES)}`)
  }
  const name = nameOf(framer, object)
  for (const setting of Object.keys(settings)) checkTakes(name, setting, object)
  return [name, settings]
}

function delimiterBytes(value: unknown, whole: unknown): Uint8Array {
  const bytes =
    typeof value === 'string'
      ? Buffer.from(value)
      : value instanceof Uint8Array
        ? Buffer.from(value)
        : undefined
  if (bytes !== undefined && bytes.length >= 1 && bytes.length <= MAX_DELIMITER) return bytes
  const got =
    bytes === undefined
      ? describe(value)
      : bytes.length === 0
        ? 'empty (a comma in it is written \\,)'
        : `${bytes.length} bytes long`
  throw refuse(whole, `delimiter is ${got}; wanted 1 to ${MAX_DELIMITER} bytes`)
}

function lengthSpec(settings: Settings, whole: unknown): DeclaredFramer {
  const type = LENGTH_TYPES.find((t) => t === settings['type'])
  if (type === undefined) {
    throw refuse(
      whole,
      `type is ${describe(settings['type'])}; wanted one of ${list(LENGTH_TYPES)}`,
    )
  }
  const offset = integer(settings['offset'] ?? 0, 0, MAX_U32, 'offset', whole)
  const adjust = integer(settings['adjust'] ?? 0, -MAX_U32, MAX_U32, 'adjust', whole)
  const inclusive = flag(settings['inclusive'] ?? false, 'inclusive', whole)
  const strip = flag(settings['strip'] ?? false, 'strip', whole)
  if (strip && offset !== 0) {
    throw refuse(
      whole,
      `strip with offset=${offset}: replies would lack the bytes before the field; wanted offset=0 or no strip`,
    )
  }
  return { kind: 'length', type, offset, adjust, inclusive, strip }
}

function check(name: FramerName, settings: Settings, whole: unknown): DeclaredFramer {
  const strip = () => flag(settings['strip'] ?? false, 'strip', whole)
  if (LATER.includes(name)) {
    throw refuse(whole, `'${name}' is not available in this version`)
  }
  switch (name) {
    case 'line': {
      const stripped = strip()
      return { kind: 'delimiter', delimiter: Buffer.from('\n'), strip: stripped, cr: stripped }
    }
    case 'delimiter': {
      const delimiter = delimiterBytes(settings['delimiter'], whole)
      return { kind: 'delimiter', delimiter, strip: strip() }
    }
    case 'length':
      return lengthSpec(settings, whole)
    case 'varint':
      return { kind: 'varint', strip: strip() }
    case 'fixed':
      return { kind: 'fixed', size: integer(settings['size'], 1, MAX_U32, 'size', whole) }
    case 'http':
      return { kind: 'http' }
    default:
      return { kind: 'eof' }
  }
}

/**
 * The spec of a declared framer.
 * @param declared text as in handler files and options (`line`, `delimiter:\r\n,strip`,
 *   `length:u32be`), or an object as in the API
 * @returns the checked spec, for an engine or makeFramer
 * @throws TypeError ERR_GAIDAROS_HANDLER naming the text, the wrong part and what was wanted
 * @example
 * parseFramer('length:u16be,strip')
 * // { kind: 'length', type: 'u16be', offset: 0, adjust: 0, inclusive: false, strip: true }
 */
export function parseFramer(declared: string | FramerObject): DeclaredFramer {
  if (typeof declared !== 'string' && (typeof declared !== 'object' || declared === null)) {
    throw refuse(declared, `it is ${describe(declared)}; wanted a text or an object`)
  }
  const [name, settings] = typeof declared === 'string' ? fromText(declared) : fromObject(declared)
  return check(name, settings, declared)
}
