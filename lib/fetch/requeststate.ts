// What a Request holds, but for what has become of its body: of one that came in, or of one that was made.

import type { LightHeaders } from './headers.js'
import type { Payload } from './payload.js'
import type { Traits } from './traits.js'

export interface RequestState {
  readonly method: string
  /** Serialised. */
  readonly url: string
  readonly headers: LightHeaders
  readonly signal: AbortSignal
  readonly traits: Readonly<Traits>
  readonly payload: Payload
}

export interface Parts extends Omit<RequestState, 'signal'> {
  /** The signal to follow, asked for when somebody asks for this request's. */
  follows: (() => AbortSignal) | undefined
}

export class Made implements RequestState {
  readonly method: string
  readonly url: string
  readonly headers: LightHeaders
  readonly traits: Readonly<Traits>
  readonly payload: Payload
  readonly #follows: (() => AbortSignal) | undefined
  #signal: AbortSignal | undefined

  constructor({ method, url, headers, traits, payload, follows }: Parts) {
    this.method = method
    this.url = url
    this.headers = headers
    this.traits = traits
    this.payload = payload
    this.#follows = follows
  }

  get signal(): AbortSignal {
    this.#signal ??= following(this.#follows)
    return this.#signal
  }
}

const following = (signal: (() => AbortSignal) | undefined): AbortSignal =>
  signal === undefined ? new AbortController().signal : AbortSignal.any([signal()])
