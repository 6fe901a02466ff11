// A request that came in, as far as a Request asks for it.

import type { HttpRequest } from '../http/request.js'
import { incomingHeaders, type LightHeaders } from './headers.js'
import { Payload } from './payload.js'
import type { RequestState } from './requeststate.js'
import { DEFAULTS } from './traits.js'

/** Targets that are the end of a URL as they are. */
const PLAIN = /^\/[\w\-.~!$&()*+,;=:@%/]*(?:\?[\w\-.~!$&()*+,;=:@%/?]*)?$/
/** Where a segment of dots may begin. */
const DOTS = /\/(?:\.|%2e)/i
/** In place of a host that is none (RFC 2606 2). */
const NOWHERE = 'http://invalid'

export class Incoming implements RequestState {
  readonly payload: Payload
  readonly traits = DEFAULTS
  readonly #request: HttpRequest
  readonly #origin: string
  readonly #makeSignal: () => AbortSignal
  #url: string | undefined
  #method: string | undefined
  #headers: LightHeaders | undefined
  #signal: AbortSignal | undefined

  constructor(request: HttpRequest, origin: string, signal: () => AbortSignal) {
    this.payload = new Payload(request, null)
    this.#request = request
    this.#origin = origin
    this.#makeSignal = signal
  }

  get method(): string {
    this.#method ??= this.#request.method
    return this.#method
  }

  get url(): string {
    this.#url ??= urlOf(this.#request.target, this.#origin)
    return this.#url
  }

  get headers(): LightHeaders {
    this.#headers ??= incomingHeaders(this.#request.headers)
    return this.#headers
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#makeSignal()
    return this.#signal
  }
}

function urlOf(target: string, origin: string): string {
  if (PLAIN.test(target) && !DOTS.test(target)) return normalOrigin(origin) + target
  if (target === '*') return `${normalOrigin(origin)}/*`
  if (target.startsWith('/')) return new URL(normalOrigin(origin) + target).href
  return URL.canParse(target) ? new URL(target).href : `${NOWHERE}/`
}

/** The last origin, and how it is spelled in a URL: most requests have the same. */
let lastOrigin: string | undefined
let lastNormal = ''

function normalOrigin(origin: string): string {
  if (origin === lastOrigin) return lastNormal
  lastNormal = URL.canParse(origin) ? new URL(origin).origin : NOWHERE
  lastOrigin = origin
  return lastNormal
}
