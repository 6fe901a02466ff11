// Bodies in chunks (RFC 9112 7.1): taken apart where they are requests', put together where they are replies'.

import type { RawBuffer } from '../dispatch/view.js'

const LF = 0x0a
const CRLF = 2

export interface Dechunked {
  body: Buffer
  /** Field lines. */
  trailers: string
}

/** Chunks and trailers [start, end) of `buffer`, as the framer has found them right. */
export function decodeChunks(buffer: RawBuffer, start: number, end: number): Dechunked {
  const pieces: Buffer[] = []
  for (let at = start; ; ) {
    const data = buffer.indexOf(LF, at) + 1
    // What stands behind the digits is extensions.
    const size = Number.parseInt(buffer.latin1Slice(at, data), 16)
    if (!(size > 0)) return { body: joined(pieces), trailers: buffer.latin1Slice(data, end - CRLF) }
    pieces.push(buffer.subarray(data, data + size))
    at = data + size + CRLF
  }
}

/** One piece needs no copy. */
const joined = (pieces: Buffer[]): Buffer =>
  pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)

/** One chunk of a text. */
export const chunkOfText = (text: string): string =>
  `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

/** One chunk, behind `head` (latin1). */
export function chunkOfBytes(head: string, bytes: Uint8Array): Buffer {
  const before = `${head}${bytes.length.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(before.length + bytes.length + CRLF) as RawBuffer
  chunk.latin1Write(before, 0, before.length)
  chunk.set(bytes, before.length)
  chunk.latin1Write('\r\n', before.length + bytes.length, CRLF)
  return chunk
}

export const LAST_CHUNK = '0\r\n\r\n'
