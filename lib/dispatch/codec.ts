// decode_request and encode_response as functions: an encoding's name becomes what reads a request
// out of the slab, or what makes bytes of a value. Called by the dispatcher, once per construction.

import { misuse } from '../errors.js'
import type { Bytes, DecodeRequest, EncodeResponse, EncodingName } from '../handler/contract.js'
import { type RawBuffer, slabUse, View } from './view.js'

/**
 * Makes the request of bytes [start, end) of `buffer`; a throw is an error of the handler.
 * @param flags HTTP_FLAG
 */
export type ReadRequest = (buffer: RawBuffer, start: number, end: number, flags: number) => unknown

/** Encodings that turn strings into bytes. */
export type TextEncoding = Exclude<EncodingName, 'json'>

/** What makes bytes or a string of a handler's value; undefined: bytes and strings pass. */
export type Encode = ((value: unknown) => unknown) | undefined

export function readView(buffer: RawBuffer, start: number, end: number): Buffer {
  slabUse.kept = true
  return new View(buffer.buffer, buffer.byteOffset + start, end - start)
}

const READERS: Record<EncodingName, ReadRequest> = {
  latin1: (buffer, start, end) => buffer.latin1Slice(start, end),
  ascii: (buffer, start, end) => buffer.asciiSlice(start, end),
  utf8: (buffer, start, end) => buffer.utf8Slice(start, end),
  hex: (buffer, start, end) => buffer.hexSlice(start, end),
  base64: (buffer, start, end) => buffer.base64Slice(start, end),
  json: (buffer, start, end) => JSON.parse(buffer.utf8Slice(start, end)),
}

/** The reader for decode_request; undefined: requests stay bytes. */
export function requestReader(
  decode: EncodingName | DecodeRequest | undefined,
): ReadRequest | undefined {
  if (decode === undefined) return undefined
  if (typeof decode === 'string') return READERS[decode]
  return (buffer, start, end) => decode(readView(buffer, start, end))
}

/** How strings become bytes: by encode_response's name, else decode_request's, else UTF-8. */
export function textEncoding(
  decode: EncodingName | DecodeRequest | undefined,
  encode: EncodingName | EncodeResponse | undefined,
): TextEncoding {
  for (const named of [encode, decode])
    if (typeof named === 'string' && named !== 'json') return named
  return 'utf8'
}

export const isBytes = (value: unknown): value is Bytes =>
  value instanceof Uint8Array || value instanceof ArrayBuffer

function encodeJson(value: unknown): unknown {
  return isBytes(value) ? value : JSON.stringify(value)
}

/** The function for encode_response; a text encoding needs none, see textEncoding(). */
export function responseEncoder(encode: EncodingName | EncodeResponse | undefined): Encode {
  if (typeof encode === 'function') return encode
  return encode === 'json' ? encodeJson : undefined
}

/** What a value is called in an error message. */
export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'object'
}

/** The error for a reply that has no bytes. */
export function replyError(value: unknown): TypeError {
  return misuse(
    'ERR_GAIDAROS_REPLY',
    `handle_request: replied with a value of type ${typeName(value)}; wanted bytes, a string, ` +
      '[reply, keepalive], undefined, a promise or an async iterable of these, or an encode_response that takes it',
  )
}

/**
 * Bytes of an encoded reply; undefined stays.
 * @throws TypeError ERR_GAIDAROS_REPLY for any other type
 */
export function bytesOf(value: unknown, encoding: TextEncoding): Uint8Array | undefined {
  if (value === undefined || value instanceof Uint8Array) return value
  if (typeof value === 'string') return Buffer.from(value, encoding)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  throw replyError(value)
}
