// What frontend fetch makes of a handler's plan: the handler is given Requests of the Fetch standard and returns Responses.
// Called where a plan is made, in the server and in its workers.

import type { ClientConnection } from '../dispatch/connection.js'
import { named } from '../dispatch/naming.js'
import type { HandlerPlan } from '../dispatch/plan.js'
import { isThenable } from '../dispatch/replies.js'
import { partsOf, requestOf } from '../fetch/index.js'
import type { HandleRequest } from '../handler/contract.js'
import { apology } from '../http/apology.js'
import { type HttpRequest, readHttp } from '../http/request.js'
import { Background } from './background.js'
import { Context, Env, Exchange } from './exchange.js'
import { originReader, type Secure } from './origin.js'
import { unwanted, writeFetched, writePlainly } from './response.js'

/** The part of a plan that makes it one of frontend fetch. */
export interface FetchPlan {
  /** What of its arguments the handler may look at. */
  sees: 'nothing' | 'request' | 'all'
  secure: Secure
}

/** Makes the response's data of what the handler has returned. */
type Finish = (returned: unknown, flags: number, exchange: Exchange | undefined) => unknown

export function overFetch(plan: HandlerPlan, { sees, secure }: FetchPlan): HandlerPlan {
  const handle = plan.handleRequest as HandleRequest
  const background = new Background()
  const finish = finisher(plan.keepalive)
  const answering =
    sees === 'nothing'
      ? blind(handle as () => unknown, finish)
      : seeing(handle, finish, originReader(secure), sees === 'all' ? background : undefined)
  return {
    ...plan,
    read: readHttp,
    apology,
    // Responses say themselves whether their connection is kept.
    keepalive: true,
    background,
    handleRequest: named(answering, handle),
  }
}

function finisher(keepalive: boolean): Finish {
  return (returned, flags, exchange) => {
    let isBegun = false
    try {
      const parts = partsOf(returned)
      if (parts === undefined) throw unwanted(returned)
      const plain = keepalive && flags === 0 ? writePlainly(parts) : undefined
      if (plain !== undefined) return plain
      const { data, end } = writeFetched(parts, flags, keepalive, () => exchange?.over())
      isBegun = typeof data === 'object' && Symbol.asyncIterator in data
      return end ? [data, false] : data
    } finally {
      if (!isBegun) exchange?.over()
    }
  }
}

/** A handler that asks for nothing is given nothing. */
function blind(handle: () => unknown, finish: Finish): HandleRequest {
  return ({ flags }: HttpRequest) => {
    const returned = handle()
    if (isThenable(returned)) return returned.then((later) => finish(later, flags, undefined))
    return finish(returned, flags, undefined)
  }
}

/** @param background undefined: the handler looks at nothing but its request */
function seeing(
  handle: HandleRequest,
  finish: Finish,
  originOf: ReturnType<typeof originReader>,
  background: Background | undefined,
): HandleRequest {
  return (request: HttpRequest, given) => {
    const connection = given as ClientConnection
    const exchange = new Exchange(connection)
    const { flags } = request
    const asked = requestOf(request, originOf(request, connection), () => exchange.signal())
    const returned =
      background === undefined
        ? (handle as (request: Request) => unknown)(asked)
        : (handle as (...all: unknown[]) => unknown)(
            asked,
            new Env(connection),
            new Context(background, connection),
          )
    if (!isThenable(returned)) return finish(returned, flags, exchange)
    return returned.then(
      (later) => finish(later, flags, exchange),
      (error: unknown) => {
        exchange.over()
        throw error
      },
    )
  }
}
