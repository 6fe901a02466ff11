// Chunks (RFC 9112, 7.1): a line with the size, and the data.

import { CR, LF, TEXT, takeLine } from './lines.js'
import { FINE, type HttpBounds, type HttpProgress, LONGEST, MORE } from './progress.js'

const MOST_DIGITS = 16
const MOST_BYTES = 2 ** 31
/** The line end of a chunk's line, and that behind its data. */
const AROUND_CHUNK = 4
/** What chunks may put around a body: as much as the body may be, and this. */
const ALLOWANCE = 64 * 1024
const SIZE = /^[0-9A-Fa-f]{1,16}/
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const [QUOTE, BACKSLASH] = [34, 92]

/** Takes a chunk's first line, once it is whole. */
export function chunkSize(
  data: Buffer,
  start: number,
  request: HttpProgress,
  bounds: HttpBounds,
): number {
  const most = MOST_DIGITS + bounds.chunkExtension
  const line = takeLine(data, start, request, most, 400)
  if (typeof line === 'number') return line
  const digits = SIZE.exec(line)?.[0]
  if (digits === undefined || line.length - digits.length > bounds.chunkExtension) return 400
  if (!areExtensions(line, digits.length)) return 400
  const size = Number.parseInt(digits, 16)
  request.body += size
  if (size > 0) request.around += line.length + AROUND_CHUNK
  if (size > MOST_BYTES || request.body > bounds.body || request.at + size > LONGEST - 2) return 413
  // All of it is kept until the request is whole: chunks of a byte with extensions would be hundreds of times as much.
  if (request.around > bounds.body + ALLOWANCE) return 413
  request.at += size
  request.phase = size === 0 ? 'trailer' : 'data'
  return FINE
}

/** Takes the line end behind a chunk's data, byte by byte. */
export function chunkData(data: Buffer, start: number, request: HttpProgress): number {
  const at = start + request.at
  if (at >= data.length) return MORE
  if (data[at] !== CR) return 400
  if (at + 1 === data.length) return MORE
  if (data[at + 1] !== LF) return 400
  request.at += 2
  request.phase = 'size'
  return FINE
}

/** From `at` on there is nothing but `;name`, `;name=value` and `;name="value"`; no white space, unlike in RFC 2616. */
function areExtensions(line: string, at: number): boolean {
  if (!TEXT.test(line)) return false
  while (at < line.length) {
    if (line[at] !== ';') return false
    at = afterToken(line, at + 1)
    if (at > 0 && line[at] === '=')
      at = line[at + 1] === '"' ? afterQuoted(line, at + 2) : afterToken(line, at + 1)
    if (at < 0) return false
  }
  return true
}

/** Where the token at `at` ends; -1: there is none. */
function afterToken(line: string, at: number): number {
  TOKEN.lastIndex = at
  return TOKEN.test(line) ? TOKEN.lastIndex : -1
}

/** Behind the quote that ends the string, of which `at` is the first character; -1: none does. */
function afterQuoted(line: string, at: number): number {
  for (; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at++
  }
  return -1
}
