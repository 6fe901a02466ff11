// What Web IDL makes of the arguments of the light classes (https://webidl.spec.whatwg.org/#js-type-mapping).

/** A character that no header value may have, and no ByteString. */
const NO_VALUE = /[\0\n\r\u0100-\uffff]/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const AROUND = /^[\t\n\r ]+|[\t\n\r ]+$/g
const SURROGATES = /\p{Surrogate}/gu
const SPACE = 0x20

/** @throws TypeError for a symbol, and what the value's own toString throws */
export const text = (value: unknown): string => (typeof value === 'string' ? value : `${value}`)

/** USVString: without halves of characters. */
export const whole = (value: string): string => value.replace(SURROGATES, '\ufffd')

/** The name of a field in lower case. */
export function fieldName(value: unknown): string {
  const name = text(value)
  if (!TOKEN.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a header field`)
  return name.toLowerCase()
}

/** The value of a field, without the white space around it. */
export function fieldValue(value: unknown): string {
  const bare = trimmed(text(value))
  if (NO_VALUE.test(bare)) throw new TypeError(`${JSON.stringify(bare)} is no value of a header`)
  return bare
}

function trimmed(value: string): string {
  const isBare = value.charCodeAt(0) > SPACE && value.charCodeAt(value.length - 1) > SPACE
  return isBare ? value : value.replace(AROUND, '')
}

export const isToken = (value: string): boolean => TOKEN.test(value)

export const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({ __proto__: null })

/** A dictionary: its members are read one by one. */
export function dictionary(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return NOTHING
  if (!isObject(value)) throw new TypeError(`${what}: init is no object`)
  return value as Readonly<Record<string, unknown>>
}

/** unsigned short: whatever number it is, modulo 65536. */
export function unsignedShort(value: unknown): number {
  const number = Math.trunc(Number(value as number))
  return Number.isFinite(number) ? number & 0xffff : 0
}

/** @throws TypeError where fewer arguments were given than are needed */
export function needs(given: number, wanted: number, what: string): void {
  if (given < wanted) throw new TypeError(`${what}: wanted ${wanted} arguments, got ${given}`)
}
