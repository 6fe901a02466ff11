// Response of the Fetch standard (https://fetch.spec.whatwg.org/#response-class).
// biome-ignore-all lint/complexity/noArguments: an argument may be given and undefined

import { inspect } from 'node:util'
import { LightBody, payloadOf } from './body.js'
import { dictionary, needs, text, unsignedShort } from './conversions.js'
import { expose } from './expose.js'
import { copyOf, fieldsOf, LightHeaders, makeImmutable, setDefault } from './headers.js'
import type { Pair } from './headersiterator.js'
import { extract, type Payload, TEXT_TYPE, typeOf } from './payload.js'

const JSON_TYPE = 'application/json'
const NO_BODY = [101, 103, 204, 205, 304]
const REDIRECTS = [301, 302, 303, 307, 308]
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/
const NO_FIELDS: readonly Pair[] = []
/** What partsOf() says of a string, or of JSON, that was given no fields. */
export const TEXT_FIELDS = typeField(TEXT_TYPE)
export const JSON_FIELDS = typeField(JSON_TYPE)

/** The fields of a response; those of one that was given none are not made for it. */
export let pairsOf: (response: LightResponse) => readonly Pair[]

export class LightResponse extends LightBody {
  #status = 200
  #statusText = ''
  #isError = false
  #headers: LightHeaders | undefined
  /** Content-Type that the headers are to have, unless they have one; null: they have what they should. */
  #type: string | null

  constructor(body: unknown = null, init: unknown = null) {
    const payload = body instanceof Body ? body.payload : extract(body)
    super(payload)
    this.#type = typeOf(body, payload)
    if (init !== null) this.#init(init, payload)
  }

  static error(): LightResponse {
    const response = new LightResponse()
    response.#status = 0
    response.#isError = true
    response.#headers = makeImmutable(new LightHeaders())
    return response
  }

  static redirect(url: unknown, status: unknown = 302): LightResponse {
    needs(arguments.length, 1, 'Response.redirect')
    const location = new URL(text(url)).href
    const code = unsignedShort(status)
    if (!REDIRECTS.includes(code)) throw new RangeError(`Response.redirect: status ${code}`)
    const response = new LightResponse()
    response.#status = code
    response.#headers = makeImmutable(new LightHeaders([['location', location]]))
    return response
  }

  static json(data: unknown, init: unknown = null): LightResponse {
    needs(arguments.length, 1, 'Response.json')
    const body: unknown = JSON.stringify(data)
    if (body === undefined) throw new TypeError('Response.json: JSON has nothing for this value')
    const response = new LightResponse(body, init)
    response.#type = JSON_TYPE
    return response
  }

  get type(): 'default' | 'error' {
    return this.#isError ? 'error' : 'default'
  }

  get url(): string {
    void this.#status
    return ''
  }

  get redirected(): boolean {
    void this.#status
    return false
  }

  get status(): number {
    return this.#status
  }

  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299
  }

  get statusText(): string {
    return this.#statusText
  }

  override get headers(): LightHeaders {
    this.#headers ??= new LightHeaders()
    if (this.#type !== null) {
      setDefault(this.#headers, 'content-type', this.#type)
      this.#type = null
    }
    return this.#headers
  }

  clone(): LightResponse {
    const copy = new LightResponse(new Body(payloadOf(this).cloned()))
    copy.#status = this.#status
    copy.#statusText = this.#statusText
    copy.#isError = this.#isError
    if (this.#headers !== undefined) copy.#headers = copyOf(this.#headers)
    copy.#type = this.#type
    return copy
  }

  [inspect.custom](_depth: number, options: object, show: typeof inspect): string {
    const { status, statusText, headers, bodyUsed, ok, type, url } = this
    return `Response ${show({ status, statusText, headers, bodyUsed, ok, type, url }, options)}`
  }

  static {
    pairsOf = (response) => response.#pairs()
  }

  /** https://fetch.spec.whatwg.org/#initialize-a-response */
  #init(init: unknown, payload: Payload): void {
    const members = dictionary(init, 'Response')
    const { headers, status, statusText } = members
    if (headers !== undefined) this.#headers = new LightHeaders(headers)
    if (status !== undefined) this.#status = unsignedShort(status)
    if (statusText !== undefined) this.#statusText = reasonOf(statusText)
    if (this.#status < 200 || this.#status > 599)
      throw new RangeError(`Response: status ${this.#status}; wanted one from 200 to 599`)
    if (NO_BODY.includes(this.#status) && !payload.isNull)
      throw new TypeError(`Response: status ${this.#status} has no body`)
  }

  #pairs(): readonly Pair[] {
    if (this.#headers !== undefined) return fieldsOf(this.headers)
    if (this.#type === null) return NO_FIELDS
    if (this.#type === TEXT_TYPE) return TEXT_FIELDS
    return this.#type === JSON_TYPE ? JSON_FIELDS : typeField(this.#type)
  }
}

/** A body that is there already. */
class Body {
  readonly payload: Payload

  constructor(payload: Payload) {
    this.payload = payload
  }
}

function typeField(type: string): readonly Pair[] {
  return Object.freeze([Object.freeze(['content-type', type] as const)])
}

function reasonOf(value: unknown): string {
  const reason = text(value)
  if (!REASON.test(reason))
    throw new TypeError(`Response: statusText: ${JSON.stringify(reason)} is no reason phrase`)
  return reason
}

expose(LightResponse, 'Response', LightBody)
