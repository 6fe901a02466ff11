// Responses of HTTP: the bytes of what a handler has returned, or one string where that will do. Called for every
// request of framer http, in the loop or in a worker.

import { isBytes, typeName } from '../dispatch/codec.js'
import { isAsyncIterable } from '../dispatch/replies.js'
import type { RawBuffer } from '../dispatch/view.js'
import { HTTP_FLAG } from '../engine/layout.js'
import type { Bytes } from '../handler/contract.js'
import { dateLine, withEachDate } from './date.js'
import { type Fields, fieldsOf, type HttpHeadersInit, wrong } from './fields.js'
import { FIRST_STATUS, isBodiless, LAST_STATUS, statusLine } from './status.js'
import { discard, StreamedResponse } from './stream.js'

/** Pieces of a body; the next is asked for when the client has taken enough of those before. */
export type BodyPieces = AsyncIterable<Bytes | string>

/** What a handler may return besides a body by itself. */
export interface HttpResponse {
  /** 200 to 599; 200 without. */
  status?: number | undefined
  headers?: HttpHeadersInit | undefined
  body?: Bytes | string | BodyPieces | undefined
}

/** A response, and whether the connection ends behind it. */
export interface Written {
  data: string | Uint8Array | StreamedResponse
  end: boolean
}

const TEXT = 'Content-Type: text/plain; charset=utf-8\r\n'
const OCTETS = 'Content-Type: application/octet-stream\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const CLOSE = 'Connection: close\r\n'
const KEPT = 'Connection: keep-alive\r\n'
/** Lengths of texts whose heads are remembered. */
const SHORT = 4096

/**
 * Returns what writes the response to a plain request, which keeps its connection: 200 and a text.
 * @param type field line
 */
export function textWriter(type: string): (text: string) => string {
  /** Heads of short texts, by their length, for as long as their Date is right. */
  let heads: (string | undefined)[] = []
  /** The last short text, and its response. */
  let lastText: string | undefined
  let lastResponse = ''
  withEachDate(() => {
    heads = []
    lastText = undefined
  })
  const headOf = (length: number): string =>
    `${statusLine(200)}${dateLine()}${type}Content-Length: ${length}\r\n\r\n`
  return (text) => {
    if (text === lastText) return lastResponse
    const length = Buffer.byteLength(text)
    if (length >= SHORT) return headOf(length) + text
    const head = heads[length] ?? headOf(length)
    heads[length] = head
    lastText = text
    lastResponse = head + text
    return lastResponse
  }
}

export const writeText = textWriter(TEXT)

/**
 * The response that `value` stands for.
 * @param flags of the request, HTTP_FLAG
 * @param keep whether the connection is kept, as far as the handler is concerned
 * @throws TypeError ERR_GAIDAROS_REPLY where it stands for none
 */
export function write(value: unknown, flags: number, keep: boolean): Written {
  if (value === undefined) return written({ status: 204 }, flags, keep)
  if (isBody(value)) return written({ body: value }, flags, keep)
  return written(checked(value), flags, keep)
}

const isBody = (value: unknown): value is Bytes | string | BodyPieces =>
  typeof value === 'string' || isBytes(value) || isPieces(value)

/** What the pieces are is seen as they come. */
const isPieces = isAsyncIterable as (value: unknown) => value is BodyPieces

const WANTED =
  'a string, bytes, { status, headers, body }, undefined, [response, keepalive], ' +
  'or a promise or an async iterable of these'

function checked(value: unknown): HttpResponse {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noResponse(value)
  const names = Object.keys(value)
  if (names.length === 0) throw noResponse(value)
  for (const name of names)
    if (name !== 'status' && name !== 'headers' && name !== 'body')
      throw wrong(`replied with an object that has ${JSON.stringify(name)}`, WANTED)
  return value
}

const noResponse = (value: unknown): TypeError =>
  wrong(`replied with a value of type ${typeName(value)}`, WANTED)

function written(response: HttpResponse, flags: number, keep: boolean): Written {
  const { status = 200, body } = response
  if (!Number.isInteger(status) || status < FIRST_STATUS || status > LAST_STATUS)
    throw wrong(
      `status: ${String(status)}`,
      `a whole number from ${FIRST_STATUS} to ${LAST_STATUS}`,
    )
  if (body !== undefined && !isBody(body))
    throw wrong(
      `body: is of type ${typeName(body)}`,
      'a string, bytes, or an async iterable of these',
    )
  return writeBody({ status, fields: fieldsOf(response.headers) }, body, flags, keep)
}

/** What stands in front of a body. */
export interface Head {
  status: number
  /** In place of the usual one. */
  phrase?: string | undefined
  fields: Fields
}

/**
 * The response with this head and body.
 * @param body undefined: there is none, and Content-Length is 0 or what the fields say
 */
export function writeBody(
  head: Head,
  body: Bytes | string | BodyPieces | undefined,
  flags: number,
  keep: boolean,
): Written {
  if (isPieces(body)) return streamed(head, body, flags, keep)
  const { status, fields } = head
  const size = sizeLine(checkedLength(status, fields, body, flags))
  const closes = fields.closes || !keep
  const text = headOf(head, typeOf(body), size, closes, flags)
  const isAlone = body === undefined || isSilent(status, flags)
  return { data: isAlone ? latin1(text) : joined(text, body), end: closes }
}

/** A response that is nothing but its head, and says no length unless its fields do. */
export function writeHead(head: Head, flags: number, keep: boolean): Written {
  const { length, closes } = head.fields
  const end = closes || !keep
  return { data: latin1(headOf(head, '', sizeLine(length), end, flags)), end }
}

const sizeLine = (length: number | undefined): string =>
  length === undefined ? '' : `Content-Length: ${length}\r\n`

/** The body of such a response is not sent. */
const isSilent = (status: number, flags: number): boolean =>
  (flags & HTTP_FLAG.head) !== 0 || isBodiless(status)

/** What Content-Length says; undefined: there is none. */
function checkedLength(
  status: number,
  { length: given }: Fields,
  body: Bytes | string | undefined,
  flags: number,
): number | undefined {
  // Of a response without its body, a handler may know how long that would be.
  const mayKnow = (flags & HTTP_FLAG.head) !== 0 || status === 304
  if (mayKnow && body === undefined && given !== undefined) return given
  const real = lengthOf(body)
  if (status === 204 ? given !== undefined : given !== undefined && given !== real)
    throw wrong(
      `headers: content-length: ${given}`,
      status === 204 ? 'none with status 204' : `none, or ${real} as the body has`,
    )
  return isBodiless(status) ? given : real
}

function lengthOf(body: Bytes | string | undefined): number {
  if (body === undefined) return 0
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
}

/** A body in pieces: in chunks, or as it is where its length was said, or where the client knows none. */
function streamed(head: Head, body: BodyPieces, flags: number, keep: boolean): Written {
  const { status, fields } = head
  const { length } = fields
  if (status === 204 && length !== undefined)
    throw wrong(`headers: content-length: ${length}`, 'none with status 204')
  const isOld = (flags & HTTP_FLAG.old) !== 0
  const isChunked = length === undefined && !isOld && !isBodiless(status)
  // The end of the connection is that of the body.
  const closes = fields.closes || !keep || (length === undefined && isOld && !isBodiless(status))
  const text = headOf(head, '', isChunked ? CHUNKED : sizeLine(length), closes, flags)
  if (!isSilent(status, flags))
    return { data: new StreamedResponse(text, body, isChunked, length), end: closes }
  discard(body)
  return { data: latin1(text), end: closes }
}

function typeOf(body: Bytes | string | undefined): string {
  if (body === undefined) return ''
  return typeof body === 'string' ? TEXT : OCTETS
}

function headOf(
  { status, phrase, fields: { text, hasDate, hasType } }: Head,
  type: string,
  size: string,
  closes: boolean,
  flags: number,
): string {
  const isOver = closes || (flags & HTTP_FLAG.last) !== 0
  const connection = isOver ? CLOSE : (flags & HTTP_FLAG.old) !== 0 ? KEPT : ''
  const date = hasDate ? '' : dateLine()
  return `${statusLine(status, phrase)}${date}${text}${hasType ? '' : type}${size}${connection}\r\n`
}

/** Strings are sent as UTF-8; a head of other bytes is made here. */
const latin1 = (head: string): string | Buffer =>
  isAscii(head) ? head : Buffer.from(head, 'latin1')

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)

function joined(head: string, body: Bytes | string): string | Buffer {
  if (typeof body !== 'string') {
    const bytes = body instanceof ArrayBuffer ? new Uint8Array(body) : body
    const whole = Buffer.allocUnsafe(head.length + bytes.length) as RawBuffer
    whole.latin1Write(head, 0, head.length)
    whole.set(bytes, head.length)
    return whole
  }
  if (isAscii(head)) return head + body
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)])
}
