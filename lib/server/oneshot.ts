// handle(): the first request is answered, every other one ends its connection without an answer.

import type { HandlerPlan } from '../dispatch/plan.js'
import type { HandleBatch, HandleRequest } from '../handler/contract.js'

/** The plan of a server that serves one request (or one batch) and then calls `served`. */
export function onceOnly(plan: HandlerPlan, served: () => void): HandlerPlan {
  const { handleRequest, handleBatch } = plan
  if (handleRequest !== undefined) return { ...plan, handleRequest: first(handleRequest, served) }
  if (handleBatch !== undefined) return { ...plan, handleBatch: firstBatch(handleBatch, served) }
  return plan
}

function first(handle: HandleRequest, served: () => void): HandleRequest {
  let taken = false
  return (request, connection) => {
    if (taken) return [undefined, false]
    taken = true
    // In a task of its own, so that the reply is under way before the server begins to close.
    setImmediate(served)
    return handle(request, connection)
  }
}

function firstBatch(handle: HandleBatch, served: () => void): HandleBatch {
  let taken = false
  return (batch) => {
    if (!taken) {
      taken = true
      setImmediate(served)
      return handle(batch)
    }
    for (const request of batch) request.close()
  }
}
