// A request of HTTP as handle_request is given it: the bytes of its frame, and what they say, each made when it is
// asked for. The framer has found all of it right before.

import { type RawBuffer, slabUse, View } from '../dispatch/view.js'
import { HTTP_FLAG } from '../engine/layout.js'
import { decodeChunks } from './chunks.js'
import { HttpHeaders } from './headers.js'

const LF = 0x0a
const CRLF = 2
const NO_HEADERS = new HttpHeaders('')
/** Scheme and authority of a target in absolute form. */
const ORIGIN = /^https?:\/\/[^/?]*/i
const HOST = /(?:^|\n)host:[\t ]*([^\r\t ]*)/i

/** What was asked for already: apart, because many a handler asks for nothing. */
interface Found {
  line: string | undefined
  /** Field lines. */
  fields: string | undefined
  headers: HttpHeaders | undefined
  body: Buffer | undefined
  trailers: HttpHeaders | undefined
}

/**
 * One whole request.
 * @example
 * new HttpRequest(Buffer.from('GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n')).path // '/a'
 */
export class HttpRequest {
  readonly #buffer: RawBuffer
  readonly #start: number
  readonly #end: number
  #flags: number | undefined
  #found: Found | undefined

  /**
   * Bytes [start, end) of `buffer` are a request as framer http cuts it; they must stay as they are.
   * @param flags HTTP_FLAG of a Buffer's request; found out where they are not known
   */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, flags?: number) {
    const isBuffer = flags !== undefined || Buffer.isBuffer(bytes)
    this.#buffer = (isBuffer ? bytes : view(bytes, 0, bytes.length)) as RawBuffer
    this.#start = start
    this.#end = end
    this.#flags = flags
  }

  /** As it was sent: 'GET'. */
  get method(): string {
    const line = this.#requestLine()
    return line.slice(0, line.indexOf(' '))
  }

  /** As it was sent: '/search?q=donkey', 'http://example.com/', '*'. */
  get target(): string {
    const line = this.#requestLine()
    return line.slice(line.indexOf(' ') + 1, line.lastIndexOf(' '))
  }

  /** The target up to its query, without scheme and host; not decoded. */
  get path(): string {
    const target = this.#local()
    const query = target.indexOf('?')
    const path = query < 0 ? target : target.slice(0, query)
    return path === '' ? '/' : path
  }

  /** What stands behind the first question mark, not decoded; for `new URLSearchParams()`. */
  get query(): string {
    const target = this.#local()
    const query = target.indexOf('?')
    return query < 0 ? '' : target.slice(query + 1)
  }

  get version(): '1.0' | '1.1' {
    return this.#requestLine().endsWith('1.0') ? '1.0' : '1.1'
  }

  get headers(): HttpHeaders {
    const found = this.#finds()
    found.headers ??= new HttpHeaders(this.#fieldLines())
    return found.headers
  }

  /** The value of Host, for which the other fields are not looked at. */
  get host(): string | undefined {
    return HOST.exec(this.#fieldLines())?.[1]
  }

  /** What came behind a body in chunks. */
  get trailers(): HttpHeaders {
    const found = this.#finds()
    if (found.trailers === undefined) this.#readBody(found)
    return found.trailers as HttpHeaders
  }

  /** The body, without what chunks put around it. The handler's to keep. */
  get body(): Buffer {
    const found = this.#finds()
    return found.body ?? this.#readBody(found)
  }

  /** The body as UTF-8. */
  text(): string {
    return this.body.toString()
  }

  /**
   * The body as JSON.
   * @throws TypeError that says what is wrong with it
   */
  json(): unknown {
    try {
      return JSON.parse(this.text())
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new TypeError(`request body: wanted JSON: ${why}`, { cause: error })
    }
  }

  /** The connection is kept for further requests, as far as the client is concerned. */
  get keepAlive(): boolean {
    return (this.flags & HTTP_FLAG.last) === 0
  }

  /** HEAD: its response has no body. */
  get isHead(): boolean {
    return (this.flags & HTTP_FLAG.head) !== 0
  }

  /** The whole request as it was sent. The handler's to keep. */
  get bytes(): Buffer {
    return view(this.#buffer, this.#start, this.#end)
  }

  /** HTTP_FLAG; for what writes the response. */
  get flags(): number {
    this.#flags ??= this.#findFlags()
    return this.#flags
  }

  #finds(): Found {
    this.#found ??= {
      line: undefined,
      fields: undefined,
      headers: undefined,
      body: undefined,
      trailers: undefined,
    }
    return this.#found
  }

  #requestLine(): string {
    const found = this.#finds()
    found.line ??= this.#buffer.latin1Slice(this.#start, this.#lineEnd() - CRLF)
    return found.line
  }

  /** The target without scheme and host. */
  #local(): string {
    const { target } = this
    return target.startsWith('/') ? target : target.replace(ORIGIN, '')
  }

  /** Where the first field line begins. */
  #lineEnd(): number {
    return this.#buffer.indexOf(LF, this.#start) + 1
  }

  /** Where the body begins. */
  #headEnd(): number {
    // The empty line may follow the request line.
    return this.#buffer.indexOf('\r\n\r\n', this.#lineEnd() - CRLF, 'latin1') + 2 * CRLF
  }

  #fieldLines(): string {
    const found = this.#finds()
    found.fields ??= this.#buffer.latin1Slice(this.#lineEnd(), this.#headEnd() - CRLF)
    return found.fields
  }

  #readBody(found: Found): Buffer {
    const start = this.#headEnd()
    found.trailers = NO_HEADERS
    found.body = view(this.#buffer, start, this.#end)
    if (start === this.#end || !this.headers.has('transfer-encoding')) return found.body
    const { body, trailers } = decodeChunks(this.#buffer, start, this.#end)
    found.trailers = new HttpHeaders(trailers)
    found.body = body
    return body
  }

  #findFlags(): number {
    const isOld = this.version === '1.0'
    const options = (this.headers.get('connection') ?? '').toLowerCase().split(/[\t ,]+/)
    const isLast = options.includes('close') || (isOld && !options.includes('keep-alive'))
    return (
      (isLast ? HTTP_FLAG.last : 0) |
      (this.method === 'HEAD' ? HTTP_FLAG.head : 0) |
      (isOld ? HTTP_FLAG.old : 0)
    )
  }
}

/** decode_request of framer http, unless there is another. */
export function readHttp(
  buffer: RawBuffer,
  start: number,
  end: number,
  flags: number,
): HttpRequest {
  slabUse.kept = true
  return new HttpRequest(buffer, start, end, flags)
}

const view = ({ buffer, byteOffset }: Uint8Array, start: number, end: number): Buffer =>
  new View(buffer, byteOffset + start, end - start)
