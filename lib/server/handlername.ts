// What the access log calls the handler of this server.

import { basename } from 'node:path'
import type { HandlerPlan } from '../dispatch/plan.js'
import type { Settings } from '../options/settings.js'

/**
 * File of the module and name of the function, as far as there are such.
 * @example
 * handlerName(settings, plan) // 'adder.ts:handleRequest'
 */
export function handlerName(
  { handlerModule }: Pick<Settings, 'handlerModule'>,
  { handleRequest, handleBatch }: Pick<HandlerPlan, 'handleRequest' | 'handleBatch'>,
): string {
  const name = (handleBatch ?? handleRequest)?.name.replace(/^(?:bound )+/, '') || 'anonymous'
  return handlerModule === '' ? name : `${basename(handlerModule)}:${name}`
}
