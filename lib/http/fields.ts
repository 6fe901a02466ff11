// The header fields that a handler gives its response: checked, and written as they stand on the wire.

import { typeName } from '../dispatch/codec.js'
import { misuse } from '../errors.js'

export type HttpHeaderValue = string | number | readonly string[]
/** Fields by their names, or pairs: an array, a Map, the HttpHeaders of a request. */
export type HttpHeadersInit =
  | Readonly<Record<string, HttpHeaderValue>>
  | Iterable<readonly [name: string, value: HttpHeaderValue]>

/** What was found in them. */
export interface Fields {
  /** Field lines; without those that the writer sets itself. */
  text: string
  hasDate: boolean
  hasType: boolean
  /** connection: close */
  closes: boolean
  /** content-length */
  length: number | undefined
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** RFC 9110 5.5; nothing that could end a line. */
export const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const LENGTH = /^\d{1,15}$/

/** @throws TypeError ERR_GAIDAROS_REPLY naming the field and what was wanted */
export function fieldsOf(headers: HttpHeadersInit | undefined): Fields {
  const fields: Fields = {
    text: '',
    hasDate: false,
    hasType: false,
    closes: false,
    length: undefined,
  }
  if (headers === undefined) return fields
  if (typeof headers !== 'object' || headers === null)
    throw wrong(`headers: are of type ${typeName(headers)}`, 'an object or [name, value] pairs')
  if (Symbol.iterator in headers) addPairs(fields, headers)
  else for (const name of Object.keys(headers)) add(fields, name, headers[name])
  return fields
}

function addPairs(fields: Fields, pairs: Iterable<readonly [string, HttpHeaderValue]>): void {
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw wrong(`headers: hold a value of type ${typeName(pair)}`, '[name, value]')
    add(fields, pair[0], pair[1])
  }
}

function add(fields: Fields, name: unknown, value: unknown): void {
  if (typeof name !== 'string' || !TOKEN.test(name))
    throw wrong(`headers: ${shown(name)} is no name of a field`, 'letters, digits and hyphens')
  for (const each of Array.isArray(value) ? value : [value]) addOne(fields, name, each)
}

function addOne(fields: Fields, name: string, value: unknown): void {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !VALUE.test(text))
    throw wrong(
      `headers: ${name}: ${typeof text === 'string' ? shown(text) : `is of type ${typeName(value)}`}`,
      'a number, a string or an array of strings, of characters up to U+00FF and no line ends',
    )
  if (isWriters(fields, name.toLowerCase(), text)) return
  fields.text += `${name}: ${text}\r\n`
}

/** Whether a field is the writer's to set; those that it has to know of are noted. */
function isWriters(fields: Fields, name: string, value: string): boolean {
  switch (name) {
    case 'content-length':
      fields.length = lengthOf(value, fields.length)
      return true
    case 'connection':
      if (value.toLowerCase() !== 'close')
        throw wrong(`headers: connection: ${shown(value)}`, 'close')
      fields.closes = true
      return true
    case 'transfer-encoding':
      throw wrong(
        'headers: transfer-encoding',
        'none: a body that comes in pieces is sent in chunks',
      )
    case 'date':
      fields.hasDate = true
      return false
    case 'content-type':
      fields.hasType = true
      return false
    default:
      return false
  }
}

function lengthOf(value: string, before: number | undefined): number {
  const length = LENGTH.test(value) ? Number(value) : Number.NaN
  if (length === (before ?? length)) return length
  throw wrong(`headers: content-length: ${shown(value)}`, 'one number of bytes')
}

const SHOWN = 60

export function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : typeName(value)
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}

/** The error for a response that cannot be written. */
export const wrong = (what: string, wanted: string): TypeError =>
  misuse('ERR_GAIDAROS_REPLY', `handle_request: ${what}; wanted ${wanted}`)
