// The body of a Request or Response: a string, bytes, or the request of HTTP that has them; Node's class holds it from
// the moment that its stream or a kind of body that we know nothing of is asked for. It is used once.

import { HttpRequest } from '../http/request.js'
import { whole } from './conversions.js'
import { node } from './node.js'

export const TEXT_TYPE = 'text/plain;charset=UTF-8'
const PARAMETERS_TYPE = 'application/x-www-form-urlencoded;charset=UTF-8'
const EMPTY = new Uint8Array(0)
/** What UTF-8 may begin with, and its decoders leave out. */
const MARK = 0xfeff

type Decoder = { readable: ReadableStream<string>; writable: WritableStream<Uint8Array> }

/** null: there is none; undefined: Node's class alone has it. */
type Source = string | Uint8Array | HttpRequest | null | undefined

export class Payload {
  /** Content-Type of what was given; null: none. */
  readonly type: string | null
  #source: Source
  /** Node's Response around the same body. */
  #carrier: Response | undefined
  #isTaken = false

  constructor(source: Source, type: string | null, carrier?: Response) {
    this.#source = source
    this.type = type
    this.#carrier = carrier
  }

  get isNull(): boolean {
    return this.#content() === null
  }

  /** bodyUsed. */
  get isUsed(): boolean {
    return this.#isTaken || this.#carrier?.bodyUsed === true
  }

  /** It is used, or somebody is about to. */
  get isUnusable(): boolean {
    return this.isUsed || this.#carrier?.body?.locked === true
  }

  /** It is a stream, which can be had only once. */
  get isStream(): boolean {
    return this.#source === undefined
  }

  get stream(): ReadableStream<Uint8Array> | null {
    if (this.isNull) return null
    const { body } = this.#carried()
    if (!this.isStream) payloads.set(body as ReadableStream, this)
    return body
  }

  /** Decoded piece by piece. */
  texts(): ReadableStream<string> {
    if (this.isUnusable) throw used()
    const stream = this.stream ?? new ReadableStream({ start: (controller) => controller.close() })
    return stream.pipeThrough(new TextDecoderStream() as unknown as Decoder)
  }

  async text(): Promise<string> {
    const source = this.#take()
    if (source === undefined) return (this.#carrier as Response).text()
    if (source === null) return ''
    return typeof source === 'string' ? withoutMark(whole(source)) : decoded(source)
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  /** Of the caller's own. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const source = this.#take()
    if (source === undefined) return new Uint8Array(await (this.#carrier as Response).arrayBuffer())
    if (source === null) return new Uint8Array(0)
    return typeof source === 'string' ? new TextEncoder().encode(source) : new Uint8Array(source)
  }

  /**
   * All of it, for who sends it; then it is used.
   * @throws TypeError where it was used before
   */
  take(): string | Uint8Array | ReadableStream<Uint8Array> | null {
    if (this.isUnusable) throw used()
    const content = this.#content()
    if (content === null) return null
    this.#isTaken = true
    return content ?? ((this.#carrier as Response).body as ReadableStream<Uint8Array>)
  }

  /** The same once more. */
  cloned(): Payload {
    if (this.isUnusable) throw used()
    return new Payload(this.#source, this.type, this.#carrier?.clone())
  }

  /** What goes on with this body in its place, and sets no type; this one is used. */
  moved(): Payload {
    const content = this.take()
    if (content === null || typeof content === 'string' || content instanceof Uint8Array)
      return new Payload(content, null)
    return streamed(content.pipeThrough(new TransformStream<Uint8Array, Uint8Array>()))
  }

  /** What is read by ourselves; undefined: Node's class has to. */
  #take(): string | Uint8Array | null | undefined {
    if (this.#isTaken) throw used()
    const content = this.#content()
    if (this.#carrier !== undefined) return undefined
    this.#isTaken = content !== null
    return content
  }

  #content(): string | Uint8Array | null | undefined {
    if (this.#source instanceof HttpRequest) this.#source = bodyOf(this.#source)
    return this.#source
  }

  #carried(): Response {
    this.#carrier ??= this.#isTaken ? finished() : new (node().Response)(this.#content() as string)
    return this.#carrier
  }
}

/**
 * What streams were made of. A Response of another one's stream goes on with what the other has, and so a body that
 * was only handed on is still a text: middleware does that to every response.
 */
const payloads = new WeakMap<object, Payload>()

/** No body. */
export const NONE = new Payload(null, null)

/** https://fetch.spec.whatwg.org/#bodyinit-safely-extract; what is no string and no bytes is Node's to judge. */
export function extract(body: unknown): Payload {
  if (typeof body === 'string') return new Payload(body, TEXT_TYPE)
  if (body === undefined || body === null) return NONE
  if (body instanceof ArrayBuffer) return new Payload(copied(body, 0, body.byteLength), null)
  if (ArrayBuffer.isView(body) && body.buffer instanceof ArrayBuffer)
    return new Payload(copied(body.buffer, body.byteOffset, body.byteLength), null)
  if (body instanceof URLSearchParams) return new Payload(String(body), PARAMETERS_TYPE)
  return payloadOfStream(body as object) ?? carried(body)
}

/** Content-Type for a body; a stream has none, whatever it is of. */
export const typeOf = (body: unknown, payload: Payload): string | null =>
  body instanceof ReadableStream ? null : payload.type

function payloadOfStream(stream: object): Payload | undefined {
  const payload = payloads.get(stream)
  const isFresh = payload?.stream === stream && !payload.isUnusable
  return isFresh ? payload : undefined
}

function carried(body: unknown): Payload {
  const carrier = new (node().Response)(body as Blob)
  return new Payload(undefined, carrier.headers.get('content-type'), carrier)
}

/** A body that a stream brings. */
export const streamed = (stream: ReadableStream<Uint8Array>): Payload =>
  new Payload(undefined, null, new (node().Response)(stream))

const copied = (buffer: ArrayBuffer, offset: number, length: number): Uint8Array =>
  length === 0 ? EMPTY : Buffer.from(new Uint8Array(buffer, offset, length))

/** GET and HEAD have none, whatever was sent. */
function bodyOf(request: HttpRequest): Uint8Array | null {
  const { method } = request
  if (method === 'GET' || method === 'HEAD') return null
  const { body } = request
  return body.length === 0 ? null : body
}

function decoded(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return withoutMark(buffer.toString())
}

const withoutMark = (text: string): string => (text.charCodeAt(0) === MARK ? text.slice(1) : text)

/** A body that was read to its end. */
function finished(): Response {
  const response = new (node().Response)('')
  response.text().catch(() => undefined)
  return response
}

const used = (): TypeError => new TypeError('Body is unusable: it has been read, or is being read')
