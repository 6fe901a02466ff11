// Responses of JSON.

import { type HttpHeadersInit, wrong } from './fields.js'
import type { HttpResponse } from './response.js'

const TYPE = 'application/json'
const HEADERS = { 'Content-Type': TYPE } as const

/**
 * The response whose body is `value` as JSON.
 * @throws TypeError ERR_GAIDAROS_REPLY where JSON has nothing for it (undefined, a function)
 * @example
 * json({ name: 'Gaidaros' }, { status: 201 }).body // '{"name":"Gaidaros"}'
 */
export function json(value: unknown, init: Omit<HttpResponse, 'body'> = {}): HttpResponse {
  const body = JSON.stringify(value) as string | undefined
  if (body === undefined) throw wrong(`json(${typeof value})`, 'what JSON can say')
  const { headers } = init
  return { ...init, headers: headers === undefined ? HEADERS : withType(headers), body }
}

function withType(headers: HttpHeadersInit): HttpHeadersInit {
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers)
  const isGiven = pairs.some(([name]) => name.toLowerCase() === 'content-type')
  return isGiven ? pairs : [...pairs, ['Content-Type', TYPE]]
}
