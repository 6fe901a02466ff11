// What framer http makes of a handler's plan: handle_request is given requests and returns responses. Called where a
// plan is made, in the server and in its workers.

import { requestReader } from '../dispatch/codec.js'
import { named } from '../dispatch/naming.js'
import type { HandlerPlan } from '../dispatch/plan.js'
import { isPair, isThenable } from '../dispatch/replies.js'
import type { RawBuffer } from '../dispatch/view.js'
import { overFetch } from '../frontend/plan.js'
import type { HandleRequest } from '../handler/contract.js'
import { echo } from '../handler/echo.js'
import { apology } from './apology.js'
import { type HttpRequest, readHttp } from './request.js'
import { type HttpResponse, write, writeText } from './response.js'

/**
 * The plan of a handler of requests of HTTP; any other is returned as it is. Where encode_response is given, responses
 * are its business. handle_batch is given the bytes of requests, and replies with those of responses.
 */
export function overHttp(plan: HandlerPlan): HandlerPlan {
  if (plan.fetch !== undefined) return overFetch(plan, plan.fetch)
  const { handleRequest, decodeRequest, encodeResponse, ...rest } = plan
  if (plan.framer.kind !== 'http' || handleRequest === undefined) return plan
  if (encodeResponse !== undefined)
    return { ...plan, apology, ...(decodeRequest === undefined && { read: readHttp }) }
  const handle = decoding(decodeRequest, handleRequest === echo ? echoed : handleRequest)
  const answering = answers(handle as HttpHandler, plan.keepalive)
  // Responses say themselves whether their connection is kept.
  const own = { read: readHttp, apology, keepalive: true }
  return { ...rest, ...own, handleRequest: named(answering, handleRequest) }
}

type HttpHandler = (request: HttpRequest, connection: never) => unknown

/** Without a handler the client is shown what came. */
const echoed = ({ bytes }: HttpRequest): HttpResponse => ({
  headers: { 'Content-Type': 'text/plain' },
  body: bytes,
})

/** decode_request is given the bytes of the whole request. */
function decoding(decode: HandlerPlan['decodeRequest'], handle: HandleRequest): HandleRequest {
  const read = requestReader(decode)
  if (read === undefined) return handle
  return ({ bytes }: HttpRequest, connection) =>
    handle(read(bytes as RawBuffer, 0, bytes.length, 0), connection)
}

function answers(handle: HttpHandler, keepalive: boolean): HandleRequest {
  return (request: HttpRequest, connection) => {
    const returned = handle(request, connection as never)
    if (typeof returned === 'string' && keepalive && request.flags === 0) return writeText(returned)
    return answer(returned, request.flags, keepalive)
  }
}

/** What the dispatcher is given for what the handler returned, or what its promise has become. */
function answer(returned: unknown, flags: number, keepalive: boolean): unknown {
  const [value, keep] =
    typeof returned === 'object' && returned !== null && isPair(returned)
      ? returned
      : [returned, keepalive]
  if (isThenable(value)) return value.then((later) => answer(later, flags, keep))
  const { data, end } = write(value, flags, keep)
  return end ? [data, false] : data
}
