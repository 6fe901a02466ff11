// Finds the handler of frontend fetch: the default export of an application's module, unmodified.

import { misuse } from '../errors.js'
import { type AnyFunction, compileArrow } from '../handler/code.js'
import type { Members } from '../handler/members.js'
import type { FunctionValue, HandlerSettings } from '../handler/resolve.js'
import { seesFirstArgument, seesSecondArgument } from '../handler/source.js'
import { classify } from '../options/expression.js'
import type { Secure } from './origin.js'
import type { FetchPlan } from './plan.js'

export interface Application {
  handle: AnyFunction
  fetch: FetchPlan
}

/**
 * handle_request as an option names it; without it, the method fetch of handler_class, the default export (an object with
 * a method fetch, or a function), an export named fetch or handleRequest.
 * @throws TypeError ERR_GAIDAROS_HANDLER when there is none of them
 */
export function findApplication(
  settings: HandlerSettings,
  members: Members,
  allowCode: boolean,
): Application {
  const { handleRequest } = settings
  const isGiven = handleRequest !== undefined && handleRequest !== ''
  const found = isGiven
    ? chosen(handleRequest, members, allowCode)
    : (ofClass(settings, members) ?? exported(members))
  const { handle, original } = found
  return { handle, fetch: { sees: sight(original), secure: secureOf(settings) } }
}

interface Found {
  handle: AnyFunction
  /** Whose source says what it looks at. */
  original: AnyFunction
}

function chosen(value: FunctionValue, members: Members, allowCode: boolean): Found {
  if (typeof value === 'function') return { handle: value, original: value }
  if (typeof value !== 'string')
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      'handle_request: is an object; wanted a function (request, env, context) => response',
    )
  const handle =
    classify(value, []) === 'code'
      ? compileArrow('handle_request', value, allowCode)
      : members.named('handle_request', value)
  return { handle, original: members.original(handle) }
}

function ofClass({ handlerClass }: HandlerSettings, members: Members): Found | undefined {
  const handle = handlerClass ? members.standard('fetch') : undefined
  if (typeof handle !== 'function') return undefined
  return { handle, original: members.original(handle) }
}

function exported(members: Members): Found {
  const standard = members.standard('default') as unknown
  // TypeScript's CommonJS has a default export in the default export.
  const inner = (standard as { default?: unknown } | undefined)?.default
  const byName = ['fetch', 'handleRequest'].map((name) => members.standard(name) as unknown)
  for (const each of [standard, inner, ...byName]) {
    const method = (each as { fetch?: unknown } | null | undefined)?.fetch
    if (typeof method === 'function')
      return { handle: method.bind(each) as AnyFunction, original: method as AnyFunction }
    if (typeof each === 'function')
      return { handle: each as AnyFunction, original: each as AnyFunction }
  }
  const where = members.isEmpty ? 'frontend fetch: there is no handler' : members.describe()
  throw misuse(
    'ERR_GAIDAROS_HANDLER',
    `${where}: has no fetch; wanted a module with export default { fetch(request) {} }, or handle_request`,
  )
}

function sight(original: AnyFunction): FetchPlan['sees'] {
  if (!seesFirstArgument(original)) return 'nothing'
  return seesSecondArgument(original) ? 'all' : 'request'
}

function secureOf({ tlsCert = [], tlsMode }: HandlerSettings): Secure {
  if (tlsCert.length === 0) return 'never'
  return tlsMode === 'starttls' ? 'asked' : 'always'
}
