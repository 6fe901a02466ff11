// One request of frontend fetch and what its handler is told besides: env, context, and the signal of the request, each
// made when it is asked for.

import type { ClientConnection } from '../dispatch/connection.js'
import type { Address } from '../engine/engine.js'
import type { Connection } from '../handler/contract.js'
import type { Background } from './background.js'

/** The second argument of a fetch handler. */
export interface FetchEnv {
  /** Of the client; of what a proxy says that it is. */
  readonly connection: Connection
  readonly remote: Address
}

/** The third. */
export interface FetchContext {
  /** The server does not end before `promise` has settled, for as long as shutdown_grace. */
  waitUntil(promise: unknown): void
  /** There is nothing to pass through to: an exception is answered with 500. */
  passThroughOnException(): void
}

/** @example export default { fetch(request, env) { return new Response(env.remote.address) } } */
export type FetchHandler = (
  request: Request,
  env: FetchEnv,
  context: FetchContext,
) => Response | Promise<Response>

export class Env implements FetchEnv {
  readonly connection: ClientConnection

  constructor(connection: ClientConnection) {
    this.connection = connection
  }

  get remote(): Address {
    return this.connection.remote
  }
}

export class Context implements FetchContext {
  readonly waitUntil: (promise: unknown) => void

  constructor(background: Background, { slot, generation }: ClientConnection) {
    // Not a method: handlers take it out of its object.
    this.waitUntil = (promise) => background.add(promise, slot, generation)
  }

  passThroughOnException(): void {}
}

/** Of a request that somebody may want to hear the end of. */
export class Exchange {
  readonly #connection: ClientConnection
  #controller: AbortController | undefined
  #forget: (() => void) | undefined
  #isOver = false

  constructor(connection: ClientConnection) {
    this.#connection = connection
  }

  /** Aborts when the connection is gone before the response is through. */
  signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal
    const controller = new AbortController()
    this.#controller = controller
    if (this.#connection.isClosed) controller.abort()
    else if (!this.#isOver) this.#forget = this.#connection.onClosed(() => controller.abort())
    return controller.signal
  }

  /** The response is through. */
  over(): void {
    this.#isOver = true
    this.#forget?.()
    this.#forget = undefined
  }
}
