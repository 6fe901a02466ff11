// Headers of the Fetch standard (https://fetch.spec.whatwg.org/#headers-class). Those of a request that came in look at
// nothing before they are asked.
// biome-ignore-all lint/complexity/noArguments: an argument may be given and undefined

import { inspect } from 'node:util'
import type { HttpHeaders } from '../http/headers.js'
import { fieldName, fieldValue, isObject, needs } from './conversions.js'
import { expose } from './expose.js'
import { HeadersIterator, type Pair } from './headersiterator.js'

const SET_COOKIE = 'set-cookie'
const COOKIE = 'cookie'
const NOTHING: readonly Pair[] = []

/** The fields as they were added, unsorted, names in lower case. */
export let fieldsOf: (headers: LightHeaders) => Pair[]
/** A copy, with the guard that the original has. */
export let copyOf: (headers: LightHeaders) => LightHeaders
/** A copy that may be changed. */
export const copyUnguarded = (headers: LightHeaders): LightHeaders => new LightHeaders(headers)
/** Sets a field whatever the guard. */
export let setDefault: (headers: LightHeaders, name: string, value: string) => void
export let makeImmutable: (headers: LightHeaders) => LightHeaders
/** The fields of a request that came in; immutable. */
export let incomingHeaders: (fields: HttpHeaders) => LightHeaders

export class LightHeaders {
  /** Lower-case. */
  #names: string[] = []
  #values: string[] = []
  #isImmutable = false
  /** What is not read yet; names and values are empty until then. */
  #incoming: HttpHeaders | undefined
  #sorted: Pair[] | undefined

  constructor(init: unknown = NOTHING) {
    if (init !== NOTHING) this.#fill(init)
  }

  append(name: unknown, value: unknown): void {
    needs(arguments.length, 2, 'Headers.append')
    this.#add(name, value)
  }

  delete(name: unknown): void {
    needs(arguments.length, 1, 'Headers.delete')
    const wanted = fieldName(name)
    this.#change()
    this.#remove(wanted, 0)
  }

  get(name: unknown): string | null {
    if (name === undefined) needs(arguments.length, 1, 'Headers.get')
    const wanted = fieldName(name)
    if (this.#incoming !== undefined && wanted !== COOKIE) return this.#incoming.get(wanted) ?? null
    this.#read()
    const first = this.#names.indexOf(wanted)
    if (first < 0) return null
    if (this.#names.indexOf(wanted, first + 1) < 0) return this.#values[first] as string
    return this.#all(wanted).join(separator(wanted))
  }

  getSetCookie(): string[] {
    this.#read()
    return this.#all(SET_COOKIE)
  }

  has(name: unknown): boolean {
    if (name === undefined) needs(arguments.length, 1, 'Headers.has')
    const wanted = fieldName(name)
    return this.#incoming?.has(wanted) ?? this.#names.includes(wanted)
  }

  set(name: unknown, value: unknown): void {
    needs(arguments.length, 2, 'Headers.set')
    const checkedName = fieldName(name)
    const checkedValue = fieldValue(value)
    this.#change()
    this.#set(checkedName, checkedValue)
  }

  forEach(callback: unknown, ...[thisArg]: unknown[]): void {
    this.#read()
    needs(arguments.length, 1, 'Headers.forEach')
    if (typeof callback !== 'function')
      throw new TypeError('Headers.forEach: callback is no function')
    for (let i = 0; ; i++) {
      const pair = this.#pair(i)
      if (pair === undefined) return
      callback.call(thisArg, pair[1], pair[0], this)
    }
  }

  entries(): HeadersIterator<[string, string]> {
    this.#read()
    return new HeadersIterator((i) => this.#pair(i), copied)
  }

  keys(): HeadersIterator<string> {
    this.#read()
    return new HeadersIterator((i) => this.#pair(i), firstOf)
  }

  values(): HeadersIterator<string> {
    this.#read()
    return new HeadersIterator((i) => this.#pair(i), secondOf)
  }

  declare [Symbol.iterator]: () => HeadersIterator<[string, string]>;

  [inspect.custom](_depth: number, options: object, show: typeof inspect): string {
    return `Headers ${show(Object.fromEntries(this.#pairs()), options)}`
  }

  static {
    fieldsOf = (headers) => headers.#fields()
    copyOf = (headers) => {
      const copy = new LightHeaders()
      copy.#take(headers)
      copy.#isImmutable = headers.#isImmutable
      return copy
    }
    setDefault = (headers, name, value) => {
      headers.#read()
      if (!headers.#names.includes(name)) headers.#set(name, value)
    }
    makeImmutable = (headers) => {
      headers.#isImmutable = true
      return headers
    }
    incomingHeaders = (fields) => {
      const headers = new LightHeaders()
      headers.#incoming = fields
      headers.#isImmutable = true
      return headers
    }
  }

  #fill(init: unknown): void {
    if (isObject(init) && #names in init) this.#take(init)
    else if (!isObject(init)) throw new TypeError('Headers: init is no object')
    else if (iteratorOf(init) !== undefined) this.#addPairs(init as Iterable<unknown>)
    else this.#addRecord(init)
  }

  #take(other: LightHeaders): void {
    other.#read()
    this.#names = [...other.#names]
    this.#values = [...other.#values]
  }

  #addPairs(pairs: Iterable<unknown>): void {
    for (const pair of pairs) {
      if (!isObject(pair) || iteratorOf(pair) === undefined)
        throw new TypeError('Headers: init has something else than pairs')
      const parts = [...(pair as Iterable<unknown>)]
      if (parts.length !== 2)
        throw new TypeError('Headers: init has something else than a name and a value')
      this.#add(parts[0], parts[1])
    }
  }

  #addRecord(record: object): void {
    for (const name of Reflect.ownKeys(record))
      if (Object.prototype.propertyIsEnumerable.call(record, name))
        this.#add(name, (record as Record<PropertyKey, unknown>)[name])
  }

  #add(name: unknown, value: unknown): void {
    const checkedName = fieldName(name)
    const checkedValue = fieldValue(value)
    this.#change()
    this.#names.push(checkedName)
    this.#values.push(checkedValue)
  }

  /** Before every change of the fields. */
  #change(): void {
    if (this.#isImmutable) throw new TypeError('Headers: these are immutable')
    this.#sorted = undefined
  }

  /** Reads what is not read yet. */
  #read(): void {
    if (this.#incoming === undefined) return
    for (const [name, value] of this.#incoming) {
      this.#names.push(name)
      this.#values.push(value)
    }
    this.#incoming = undefined
  }

  #set(name: string, value: string): void {
    this.#sorted = undefined
    const first = this.#names.indexOf(name)
    if (first < 0) {
      this.#names.push(name)
      this.#values.push(value)
      return
    }
    this.#values[first] = value
    this.#remove(name, first + 1)
  }

  #remove(name: string, from: number): void {
    for (let i = this.#names.indexOf(name, from); i >= 0; i = this.#names.indexOf(name, i)) {
      this.#names.splice(i, 1)
      this.#values.splice(i, 1)
    }
  }

  #all(name: string): string[] {
    return this.#values.filter((_, i) => this.#names[i] === name)
  }

  #fields(): Pair[] {
    this.#read()
    return this.#names.map((name, i) => [name, this.#values[i] as string] as const)
  }

  #pair(i: number): Pair | undefined {
    return this.#pairs()[i]
  }

  /** Sorted, values of equal names in one but those of set-cookie. */
  #pairs(): Pair[] {
    this.#sorted ??= combined(this.#fields())
    return this.#sorted
  }
}

function combined(fields: Pair[]): Pair[] {
  const byName = new Map<string, string>()
  for (const [name, value] of fields) {
    const before = byName.get(name)
    byName.set(name, before === undefined ? value : before + separator(name) + value)
  }
  const cookies = fields.filter(([name]) => name === SET_COOKIE)
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap((pair) => (pair[0] === SET_COOKIE ? cookies : [pair]))
}

/** The standard joins cookies with a comma, which no reader of them knows; Node does not (RFC 9113 8.2.3). */
const separator = (name: string): string => (name === COOKIE ? '; ' : ', ')

function iteratorOf(value: object): unknown {
  const method = (value as { [Symbol.iterator]?: unknown })[Symbol.iterator]
  return method ?? undefined
}

const copied = ([name, value]: Pair): [string, string] => [name, value]
const firstOf = ([name]: Pair): string => name
const secondOf = ([, value]: Pair): string => value

expose(LightHeaders, 'Headers')
Object.defineProperty(LightHeaders.prototype, Symbol.iterator, {
  value: LightHeaders.prototype.entries,
  writable: true,
  configurable: true,
})
