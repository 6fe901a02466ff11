// Request of the Fetch standard (https://fetch.spec.whatwg.org/#request-class).
// biome-ignore-all lint/complexity/noArguments: an argument may be given and undefined

import { inspect } from 'node:util'
import type { HttpRequest } from '../http/request.js'
import { LightBody, payloadOf } from './body.js'
import { needs } from './conversions.js'
import { expose } from './expose.js'
import { copyOf, type LightHeaders } from './headers.js'
import { Incoming } from './incoming.js'
import { node } from './node.js'
import { made } from './requestinit.js'
import { Made, type RequestState } from './requeststate.js'
import { traitsIn } from './traits.js'

export class LightRequest extends LightBody {
  readonly #state: RequestState

  constructor(input: unknown, init: unknown = null) {
    const state = isState(input) ? input : LightRequest.#made(input, init, arguments.length)
    super(state.payload)
    this.#state = state
  }

  get method(): string {
    return this.#state.method
  }

  get url(): string {
    return this.#state.url
  }

  override get headers(): LightHeaders {
    return this.#state.headers
  }

  get destination(): '' {
    void this.#state
    return ''
  }

  get referrer(): string {
    return this.#state.traits.referrer
  }

  get referrerPolicy(): string {
    return this.#state.traits.referrerPolicy
  }

  get mode(): string {
    return this.#state.traits.mode
  }

  get credentials(): string {
    return this.#state.traits.credentials
  }

  get cache(): string {
    return this.#state.traits.cache
  }

  get redirect(): string {
    return this.#state.traits.redirect
  }

  get integrity(): string {
    return this.#state.traits.integrity
  }

  get keepalive(): boolean {
    return this.#state.traits.keepalive
  }

  get isReloadNavigation(): false {
    void this.#state
    return false
  }

  get isHistoryNavigation(): false {
    void this.#state
    return false
  }

  get signal(): AbortSignal {
    return this.#state.signal
  }

  get duplex(): 'half' {
    void this.#state
    return 'half'
  }

  clone(): LightRequest {
    const payload = payloadOf(this).cloned()
    const { method, url, headers, traits } = this.#state
    const follows = () => this.#state.signal
    return new LightRequest(
      new Made({ method, url, headers: copyOf(headers), traits, payload, follows }),
    )
  }

  [inspect.custom](_depth: number, options: object, show: typeof inspect): string {
    const { method, url, headers, bodyUsed, redirect } = this
    return `Request ${show({ method, url, headers, bodyUsed, redirect }, options)}`
  }

  static #made(input: unknown, init: unknown, given: number): RequestState {
    needs(given, 1, 'Request')
    const isLight = typeof input === 'object' && input !== null && #state in input
    return made(isLight ? input.#state : input, init, isLight)
  }
}

const isState = (input: unknown): input is RequestState =>
  input instanceof Incoming || input instanceof Made

/**
 * The Request of a request; nothing of it is read before it is asked for.
 * @param origin 'http://example.com:8080', of scheme and Host; the target may have one of its own. Where the client
 *   sent none that is one, the URL's host is `invalid`
 * @param signal called when the handler asks for it
 */
export const requestOf = (
  request: HttpRequest,
  origin: string,
  signal: () => AbortSignal,
): Request => new LightRequest(new Incoming(request, origin, signal)) as unknown as Request

/** The same request for Node's fetch; its body is used. */
export function toNode(request: LightRequest): Request {
  const { url, method, signal } = request
  const body = payloadOf(request).take()
  const traits = traitsIn(request)
  return new (node().Request)(url, {
    ...traits,
    method,
    headers: [...request.headers],
    body,
    duplex: 'half',
    keepalive: traits.keepalive && !(body instanceof ReadableStream),
    signal,
  } as unknown as RequestInit)
}

expose(LightRequest, 'Request', LightBody)
