// Fields of a head and of trailers (RFC 9112, 5 to 7): their syntax, and those that say where a request ends.

import { HOST, TEXT, TOKEN, takeLine, trimmed } from './lines.js'
import { FINE, type HttpBounds, type HttpProgress, LONGEST } from './progress.js'

const MOST_DIGITS = 15
const CODED = /^(?:(?:x-)?(?:gzip|compress)|deflate)$/
const HOST_FIELD = new RegExp(`^${HOST}*$`)

/** Takes the next line of a head, which is a field or the head's end. */
export function headField(
  data: Buffer,
  start: number,
  request: HttpProgress,
  bounds: HttpBounds,
): number {
  return nextField(data, start, request, bounds, heed, headEnd)
}

/** Takes the next line of trailers, which is a field or the request's end. */
export function trailerField(
  data: Buffer,
  start: number,
  request: HttpProgress,
  bounds: HttpBounds,
): number {
  return nextField(data, start, request, bounds, refuseFraming, (request) => {
    request.phase = 'whole'
    return FINE
  })
}

function nextField(
  data: Buffer,
  start: number,
  request: HttpProgress,
  bounds: HttpBounds,
  take: (request: HttpProgress, name: string, value: string) => number,
  end: (request: HttpProgress, bounds: HttpBounds) => number,
): number {
  // An empty line always has room.
  const room = Math.max(0, bounds.headers - request.fieldBytes - 2)
  const line = takeLine(data, start, request, room, 431)
  if (typeof line === 'number') return line
  if (line === '') return end(request, bounds)
  request.fieldBytes += line.length + 2
  if (++request.fields > bounds.headerCount) return 431
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  const value = line.slice(colon + 1)
  if (!TOKEN.test(name) || !TEXT.test(value)) return 400
  return take(request, name.toLowerCase(), trimmed(value))
}

/** Where a request ends was said in its head. */
function refuseFraming(_request: HttpProgress, name: string): number {
  return name === 'content-length' || name === 'transfer-encoding' || name === 'host' ? 400 : FINE
}

function heed(request: HttpProgress, name: string, value: string): number {
  switch (name) {
    case 'content-length':
      return contentLength(request, value)
    case 'transfer-encoding':
      return transferEncoding(request, value)
    case 'host':
      return host(request, value)
    case 'connection':
      return connection(request, value)
    case 'expect':
      return expectation(request, value)
    default:
      return FINE
  }
}

function contentLength(request: HttpProgress, value: string): number {
  if (request.length !== undefined || request.isChunked || !/^\d+$/.test(value)) return 400
  const digits = value.replace(/^0+/, '')
  if (digits.length > MOST_DIGITS) return 413
  request.length = Number(digits)
  return FINE
}

/** Chunks alone: who applies another coding below us cannot be told from who smuggles. */
function transferEncoding(request: HttpProgress, value: string): number {
  if (request.isChunked || request.isOld || request.length !== undefined) return 400
  request.isChunked = true
  const codings = value.toLowerCase().split(',').map(trimmed)
  if (codings.pop() !== 'chunked' || !codings.every((coding) => CODED.test(coding))) return 400
  return codings.length === 0 ? FINE : 501
}

function host(request: HttpProgress, value: string): number {
  if (request.hasHost || !HOST_FIELD.test(value)) return 400
  request.hasHost = true
  return FINE
}

function connection(request: HttpProgress, value: string): number {
  for (const option of value.toLowerCase().split(',').map(trimmed)) {
    if (option === 'close') request.closes = true
    if (option === 'keep-alive') request.keeps = true
  }
  return FINE
}

/** Who speaks HTTP/1.0 cannot know the answer (RFC 9110, 10.1.1). */
function expectation(request: HttpProgress, value: string): number {
  if (request.isOld) return FINE
  if (value.toLowerCase() !== '100-continue') return 417
  request.expects = true
  return FINE
}

/** How long the body is, if there is one. */
function headEnd(request: HttpProgress, bounds: HttpBounds): number {
  if (!request.hasHost && !request.isOld) return 400
  request.fieldBytes = 0
  const { at, isChunked, length = 0 } = request
  if (length > bounds.body || at + length > LONGEST) return 413
  if (!isChunked) request.wanted = at + length
  request.phase = isChunked ? 'size' : 'body'
  return FINE
}
