// Green threads: handler_type gthread makes every request an async task of its own, gthreadpool runs at most
// so many of them at once. What waits is bounded by max_pipelined on each connection.

import type { HandleRequest } from '../handler/contract.js'
import type { ClientConnection } from './connection.js'
import { type Deferred, deferred } from './deferred.js'
import { named } from './naming.js'
import type { HandlerPlan } from './plan.js'

/**
 * A plan whose handle_request runs as a task, at most `atOnce` of them; handle_batch, which takes a turn at once,
 * stays as it is. A task counts until its promise settles or its connection is gone, whichever is first.
 */
export function asTasks(plan: HandlerPlan, atOnce: number): HandlerPlan {
  const { handleRequest } = plan
  if (handleRequest === undefined) return plan
  if (atOnce === Number.POSITIVE_INFINITY)
    return { ...plan, handleRequest: named(task(handleRequest), handleRequest) }
  // The connection tells when it is gone, so there has to be one.
  const limitedOne = limited(handleRequest, new Gate(atOnce))
  return { ...plan, handleRequest: named(limitedOne, handleRequest), seesConnection: true }
}

function task(handle: HandleRequest): HandleRequest {
  return async (request, connection) => {
    // Never within the turn: the loop goes on, and the request is handled behind it.
    await undefined
    return call(handle, request, connection as ClientConnection | undefined)
  }
}

function limited(handle: HandleRequest, gate: Gate): HandleRequest {
  return async (request, connection) => {
    const client = connection as ClientConnection
    if (client.isStopped) return undefined
    const place = gate.take()
    const forget = client.onClosed(() => place.leave())
    try {
      await place.entered
      return await call(handle, request, client)
    } finally {
      forget()
      place.leave()
    }
  }
}

function call(
  handle: HandleRequest,
  request: unknown,
  connection: ClientConnection | undefined,
): unknown {
  if (connection?.isStopped) return undefined
  const returned = handle(request as never, connection as never)
  return returned instanceof Uint8Array && returned !== request ? kept(returned) : returned
}

/** Bytes as they are now: before the reply leaves, other tasks may use the handler's buffer again. */
const kept = (bytes: Uint8Array): Uint8Array => Buffer.from(bytes)

/** Lets `room` in at once, the others in their order. */
class Gate {
  #room: number
  /** In the order of their coming. */
  readonly #waiting = new Set<Place>()

  constructor(room: number) {
    this.#room = room
  }

  take(): Place {
    const place = new Place(this)
    if (this.#room === 0) {
      this.#waiting.add(place)
      return place
    }
    this.#room--
    place.enter()
    return place
  }

  /** Is given back a place: of one who waited or was in. */
  left(place: Place): void {
    if (this.#waiting.delete(place)) return
    const [next] = this.#waiting
    if (next === undefined) {
      this.#room++
      return
    }
    this.#waiting.delete(next)
    next.enter()
  }
}

class Place {
  readonly #gate: Gate
  readonly #entry: Deferred = deferred()
  #hasLeft = false

  constructor(gate: Gate) {
    this.#gate = gate
  }

  /** Settles when it is its turn, or it has left. */
  get entered(): Promise<void> {
    return this.#entry.promise
  }

  enter(): void {
    this.#entry.resolve()
  }

  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#gate.left(this)
    this.#entry.resolve()
  }
}
