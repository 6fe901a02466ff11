// end_request and split_request together: either a framer that the engine cuts with, or functions that are
// asked in JS, or one of each.

import type { HandlerPlan } from '../dispatch/plan.js'
import type { FramerSpec } from '../engine/engine.js'
import { misuse } from '../errors.js'
import type { DeclaredFramer } from '../frame/framer.js'
import { parseFramer } from '../frame/parse.js'
import type { EndRequest, FramerObject, SplitRequest } from './contract.js'
import type { FunctionValue } from './resolve.js'

export type FramingChoice = Pick<HandlerPlan, 'framer' | 'framing'>

const CHUNK: FramerSpec = { kind: 'chunk' }

/** Chooses; neither given: lines. Throws TypeError ERR_GAIDAROS_HANDLER for a framer that is none. */
export function chooseFraming(end: FunctionValue, split: FunctionValue): FramingChoice {
  const endRequest = typeof end === 'function' ? (end as EndRequest) : declared('end_request', end)
  const splitRequest =
    typeof split === 'function' ? (split as SplitRequest) : declared('split_request', split)
  if (typeof endRequest !== 'function' && typeof splitRequest !== 'function') {
    const framer = splitRequest ?? endRequest
    if (framer === undefined) return { framer: parseFramer('line') }
    if (endRequest === undefined || same(endRequest, framer)) return { framer }
  }
  return {
    framer: CHUNK,
    framing: { endRequest: endRequest ?? (parseFramer('line') as DeclaredFramer), splitRequest },
  }
}

function declared(option: string, value: FunctionValue): DeclaredFramer | undefined {
  if (value === undefined || value === '') return undefined
  try {
    return parseFramer(value as string | FramerObject) as DeclaredFramer
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw misuse('ERR_GAIDAROS_HANDLER', `${option}: ${why}`, error)
  }
}

const same = (a: DeclaredFramer, b: DeclaredFramer): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b)
