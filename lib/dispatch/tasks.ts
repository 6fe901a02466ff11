// Green threads: handler_type gthread makes every request an async task of its own, gthreadpool runs at most
// so many of them at once. What waits is bounded by max_pipelined on each connection.

import type { HandleRequest } from '../handler/contract.js'
import type { HandlerPlan } from './plan.js'

/** A plan whose handle_request runs as a task; handle_batch, which takes a turn at once, stays as it is. */
export function asTasks(plan: HandlerPlan, atOnce: number): HandlerPlan {
  const { handleRequest } = plan
  if (handleRequest === undefined) return plan
  return { ...plan, handleRequest: limited(handleRequest, new Gate(atOnce)) }
}

function limited(handle: HandleRequest, gate: Gate): HandleRequest {
  return async (request, connection) => {
    // Never within the turn: the loop goes on, and the request is handled behind it.
    await gate.enter()
    try {
      if ((connection as { isStopped?: boolean } | undefined)?.isStopped) return undefined
      const returned = handle(request, connection)
      return returned instanceof Uint8Array && returned !== request
        ? kept(returned)
        : await returned
    } finally {
      gate.leave()
    }
  }
}

/** Bytes as they are now: before the reply leaves, other tasks may use the handler's buffer again. */
const kept = (bytes: Uint8Array): Uint8Array => Buffer.from(bytes)

/** Lets `room` in at once, the others in their order. */
class Gate {
  #room: number
  #waiting: (() => void)[] = []
  #next = 0

  constructor(room: number) {
    this.#room = room
  }

  enter(): Promise<void> {
    if (this.#room > 0) {
      this.#room--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  leave(): void {
    const next = this.#waiting[this.#next]
    if (next === undefined) {
      this.#room++
      return
    }
    this.#next++
    if (this.#next > 1000) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    next()
  }
}
