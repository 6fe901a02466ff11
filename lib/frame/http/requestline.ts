// The request line (RFC 9112, 3), and the blank lines in front of it.

import { CR, HOST, LF, TOKEN, takeLine } from './lines.js'
import { FINE, type HttpBounds, type HttpProgress, MORE } from './progress.js'

const METHODS: ReadonlySet<string> = new Set([
  ...['ACL', 'BIND', 'CHECKOUT', 'COPY', 'DELETE', 'GET', 'HEAD', 'LINK', 'LOCK', 'M-SEARCH'],
  ...['MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MOVE', 'NOTIFY', 'OPTIONS', 'PATCH', 'POST'],
  ...['PROPFIND', 'PROPPATCH', 'PURGE', 'PUT', 'QUERY', 'REBIND', 'REPORT', 'SEARCH', 'SOURCE'],
  ...['SUBSCRIBE', 'TRACE', 'UNBIND', 'UNLINK', 'UNLOCK', 'UNSUBSCRIBE'],
])
const SHAPE = /^([^ ]+) ([^ ]+) HTTP\/(\d\.\d)$/
/** No fragment: that is not for servers. */
const VISIBLE = /^[\x21\x22\x24-\x7e]+$/
/** A host is there (RFC 9110, 4.2.1), and nobody in front of it (4.2.4). */
const ABSOLUTE = new RegExp(`^https?://${HOST}+(?:[/?]|$)`, 'i')

/** Takes the request line, once it is whole. */
export function requestLine(
  data: Buffer,
  start: number,
  request: HttpProgress,
  bounds: HttpBounds,
): number {
  const skipped = skipBlank(data, start, request, bounds.line)
  if (skipped !== FINE) return skipped
  const line = takeLine(data, start, request, bounds.line - request.at, 414)
  if (typeof line === 'number') return line
  request.phase = 'field'
  return read(line, request)
}

/** An empty line in front of a request is skipped (RFC 9112, 2.2), and counts as part of its first line. */
function skipBlank(data: Buffer, start: number, request: HttpProgress, limit: number): number {
  for (;;) {
    const at = start + request.at
    if (at === data.length) return MORE
    if (data[at] !== CR) break
    if (at + 1 === data.length) return MORE
    if (data[at + 1] !== LF) return 400
    request.at += 2
    if (request.at > limit) return 414
  }
  request.blank = request.at
  // At once: what speaks another protocol may never send a line end.
  return TOKEN.test(String.fromCharCode(data[start + request.at] as number)) ? FINE : 400
}

function read(line: string, request: HttpProgress): number {
  const [, method, target, version] = SHAPE.exec(line) ?? []
  if (method === undefined || target === undefined || !TOKEN.test(method)) return 400
  if (version !== '1.1' && version !== '1.0') return 505
  if (!METHODS.has(method)) return 501
  request.isOld = version === '1.0'
  request.isHead = method === 'HEAD'
  return isTarget(target, method) ? FINE : 400
}

function isTarget(target: string, method: string): boolean {
  if (!VISIBLE.test(target)) return false
  if (target === '*') return method === 'OPTIONS'
  return target.startsWith('/') || ABSOLUTE.test(target)
}
