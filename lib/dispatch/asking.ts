// Which request asks for TLS: what stands behind it in plain may be anybody's, and is never heard.

import type { HandleRequest } from '../handler/contract.js'
import type { ClientConnection } from './connection.js'
import { named } from './naming.js'
import type { HandlerPlan } from './plan.js'

/**
 * A plan whose connections know the request in hand while handle_request runs, and none afterwards: a handler that takes
 * its time may ask for TLS when others have been handed over, and nobody can tell then which of them is meant.
 */
export function knowingWhoAsks(plan: HandlerPlan): HandlerPlan {
  const { handleRequest, seesConnection } = plan
  if (handleRequest === undefined || !seesConnection) return plan
  const knowing: HandleRequest = (request, connection) => {
    try {
      return handleRequest(request, connection)
    } finally {
      if (connection !== undefined) (connection as ClientConnection).request = undefined
    }
  }
  return { ...plan, handleRequest: named(knowing, handleRequest) }
}
