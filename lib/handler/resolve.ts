// From the options to the handler's functions: each given as a function, by the name of a method of
// handler_class or of an export of handler_module, or as an arrow expression. No handler: echo.

import type { HandlerPlan } from '../dispatch/plan.js'
import { misuse } from '../errors.js'
import { installGlobals } from '../fetch/index.js'
import { findApplication } from '../frontend/application.js'
import { classify } from '../options/expression.js'
import type { FunctionText } from '../options/option.js'
import type { HandlerClass } from '../options/settings.js'
import { type AnyFunction, compileArrow } from './code.js'
import type { EncodingName, FramerObject, HandleRequest } from './contract.js'
import { echo } from './echo.js'
import { chooseFraming, type FramingChoice } from './framing.js'
import { Members } from './members.js'
import { loadModule } from './module.js'
import { seesSecondArgument } from './source.js'

/** What a function option may be; '' and undefined: not given. */
export type FunctionValue = string | FramerObject | AnyFunction | undefined

/** The options that make a handler, as Settings has them. */
export interface HandlerSettings {
  handlerModule?: string
  handlerClass?: string | HandlerClass
  handlerClassArgs?: readonly unknown[]
  handlerClassKwargs?: Readonly<Record<string, unknown>>
  handleRequest?: FunctionValue
  handleBatch?: FunctionValue
  endRequest?: FunctionValue
  splitRequest?: FunctionValue
  decodeRequest?: FunctionValue
  encodeResponse?: FunctionValue
  opened?: FunctionValue
  closed?: FunctionValue
  keepalive?: boolean
  frontend?: string
  /** The scheme of requests. */
  tlsCert?: readonly string[]
  tlsMode?: string
}

export interface ResolveOptions {
  /** Where relative module paths begin. */
  base?: string
  /** Arrow expressions may be compiled. */
  allowCode?: boolean
  /** Imports the module anew though it was loaded before. */
  fresh?: boolean
}

/** Names of the functions and the option that each belongs to. */
export const OPTIONS = {
  handleRequest: 'handle_request',
  handleBatch: 'handle_batch',
  endRequest: 'end_request',
  splitRequest: 'split_request',
  decodeRequest: 'decode_request',
  encodeResponse: 'encode_response',
  opened: 'opened',
  closed: 'closed',
} as const
type FunctionName = keyof typeof OPTIONS

/**
 * Loads and checks the handler.
 * @throws TypeError ERR_GAIDAROS_HANDLER naming option, value and what was wanted
 * @example
 * const plan = await resolveHandler({ handleRequest: (line) => line })
 */
export async function resolveHandler(
  settings: HandlerSettings,
  options: ResolveOptions = {},
): Promise<HandlerPlan> {
  const { allowCode = true, base = process.cwd(), fresh = false } = options
  const isFetch = settings.frontend === 'fetch'
  // Before the module is there, which may take hold of them.
  if (isFetch) installGlobals()
  const members = await openMembers(settings, base, fresh)
  if (isFetch) return planOfFetch(settings, members, allowCode)
  const find = (name: FunctionName, takes: readonly FunctionText[] = []) =>
    resolveOne(name, settings[name], takes, members, allowCode)
  const handlers = chooseHandler(settings, find, members)
  const framing: FramingChoice = chooseFraming(
    find('endRequest', ['framer']) as FunctionValue,
    find('splitRequest', ['framer']) as FunctionValue,
  )
  const rest = {
    decodeRequest: find('decodeRequest', ['encoding']),
    encodeResponse: find('encodeResponse', ['encoding']),
    opened: find('opened'),
    closed: find('closed'),
  }
  if (handlers.handleBatch && typeof rest.decodeRequest === 'function')
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      'decode_request: a function goes with handle_request only; with handle_batch wanted an encoding, for request.text()',
    )
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return {
    ...handlers,
    ...framing,
    ...given,
    keepalive: settings.keepalive ?? true,
    idempotent: members.isIdempotent,
  }
}

/** Framing, decoding and encoding are the frontend's. Hooks are those that options name: a module may export anything. */
function planOfFetch(settings: HandlerSettings, members: Members, allowCode: boolean): HandlerPlan {
  const { handle, fetch } = findApplication(settings, members, allowCode)
  const hooks = (['opened', 'closed'] as const).flatMap((name) =>
    isGiven(settings[name])
      ? [[name, resolveOne(name, settings[name], [], members, allowCode)]]
      : [],
  )
  return {
    handleRequest: handle,
    seesConnection: fetch.sees !== 'nothing',
    framer: { kind: 'http' },
    fetch,
    ...Object.fromEntries(hooks),
    keepalive: settings.keepalive ?? true,
    idempotent: members.isIdempotent,
  }
}

async function openMembers(
  settings: HandlerSettings,
  base: string,
  fresh: boolean,
): Promise<Members> {
  const { handlerModule, handlerClass, handlerClassArgs = [], handlerClassKwargs = {} } = settings
  const module = handlerModule ? await loadModule(handlerModule, base, fresh) : undefined
  const members = new Members(module, handlerModule ?? '')
  if (handlerClass) members.construct(handlerClass, handlerClassArgs, handlerClassKwargs)
  return members
}

function resolveOne(
  name: FunctionName,
  value: FunctionValue,
  takes: readonly FunctionText[],
  members: Members,
  allowCode: boolean,
): FunctionValue {
  const option = OPTIONS[name]
  const chosen = value === undefined || value === '' ? members.standard(name) : value
  if (typeof chosen !== 'string') {
    checkKind(option, chosen, takes)
    return chosen
  }
  switch (classify(chosen, takes)) {
    case 'code':
      return compileArrow(option, chosen, allowCode)
    case 'framer':
    case 'encoding':
      return chosen as EncodingName
    default:
      return members.named(option, chosen)
  }
}

/** What an export or a given value may be, besides text. */
function checkKind(option: string, value: FunctionValue, takes: readonly FunctionText[]): void {
  if (value === undefined || typeof value === 'function') return
  if (takes.includes('framer') && typeof value === 'object' && value !== null) return
  throw misuse(
    'ERR_GAIDAROS_HANDLER',
    `${option}: is of type ${value === null ? 'null' : typeof value}; wanted a function`,
  )
}

type Handlers = Pick<HandlerPlan, 'handleRequest' | 'handleBatch' | 'seesConnection'>

/** handle_request or handle_batch: what the options name wins over what a module happens to export. */
function chooseHandler(
  settings: HandlerSettings,
  find: (name: FunctionName) => FunctionValue,
  members: Members,
): Handlers {
  const named = { request: isGiven(settings.handleRequest), batch: isGiven(settings.handleBatch) }
  const request = named.batch && !named.request ? undefined : find('handleRequest')
  const batch = named.request && !named.batch ? undefined : find('handleBatch')
  if (request !== undefined && batch !== undefined)
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      'handle_request and handle_batch: both are set; wanted one of them',
    )
  if (typeof batch === 'function')
    return {
      handleBatch: batch as Exclude<Handlers['handleBatch'], undefined>,
      seesConnection: true,
    }
  if (typeof request === 'function')
    return {
      handleRequest: request as HandleRequest,
      seesConnection: seesSecondArgument(members.original(request)),
    }
  if (members.isEmpty) return { handleRequest: echo, seesConnection: false }
  throw misuse(
    'ERR_GAIDAROS_HANDLER',
    `${members.describe()}: has neither handleRequest nor handleBatch; ${members.offer('handleRequest')}`,
  )
}

const isGiven = (value: FunctionValue): boolean => value !== undefined && value !== ''
