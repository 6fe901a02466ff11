// new Request(input, init): what they say together (https://fetch.spec.whatwg.org/#dom-request).

import { dictionary, text } from './conversions.js'
import { isNodes } from './expose.js'
import { copyUnguarded, LightHeaders, setDefault } from './headers.js'
import { extract, NONE, type Payload, streamed, typeOf } from './payload.js'
import { Made, type RequestState } from './requeststate.js'
import { DEFAULTS, methodOf, type Traits, traitsIn, traitsOf } from './traits.js'

type Members = Readonly<Record<string, unknown>>

const OF_INIT = [
  'body',
  'cache',
  'credentials',
  'duplex',
  'headers',
  'integrity',
  'keepalive',
  'method',
  'mode',
  'priority',
  'redirect',
  'referrer',
  'referrerPolicy',
  'signal',
  'window',
] as const

/** @param input what was given, or the state of the Request that was */
export function made(input: RequestState | unknown, initValue: unknown, isLight: boolean): Made {
  const init = membersOf(initValue)
  const base = isLight ? (input as RequestState) : baseOf(input)
  const traits = init === undefined ? base.traits : traitsOf(init, base.traits)
  const method = init?.['method'] === undefined ? base.method : methodOf(init['method'])
  checkMode(traits, method)
  const headers =
    init?.['headers'] === undefined
      ? copyUnguarded(base.headers)
      : new LightHeaders(init['headers'])
  const follows = followed(init?.['signal'], base)
  const payload = payloadOf(init, base.payload, method, traits)
  const type = payload === base.payload ? null : typeOf(init?.['body'], payload)
  if (type !== null) setDefault(headers, 'content-type', type)
  return new Made({ method, url: base.url, headers, traits, payload, follows })
}

/** The members that init has, each read once; undefined: it has none. */
function membersOf(value: unknown): Members | undefined {
  const init = dictionary(value, 'Request')
  const members: Record<string, unknown> = {}
  let isEmpty = true
  for (const name of OF_INIT) {
    const member = init[name]
    if (member === undefined) continue
    members[name] = member
    isEmpty = false
  }
  return isEmpty ? undefined : members
}

/** What a Request of Node's, or a URL, begins with. */
function baseOf(input: unknown): RequestState {
  if (isNodes('Request', input)) return stateOfNode(input as Request)
  const url = new URL(text(input))
  if (url.username !== '' || url.password !== '')
    throw new TypeError('Request: the URL has a user or a password')
  return new Made({
    method: 'GET',
    url: url.href,
    headers: new LightHeaders(),
    traits: DEFAULTS,
    payload: NONE,
    follows: undefined,
  })
}

function stateOfNode(request: Request): RequestState {
  const { method, url, body } = request
  if (request.bodyUsed || body?.locked)
    throw new TypeError('Request: the body of the input is used')
  return new Made({
    method,
    url,
    headers: new LightHeaders(request.headers),
    traits: traitsIn(request),
    payload: body === null ? NONE : streamed(body as ReadableStream<Uint8Array>),
    follows: () => request.signal,
  })
}

function checkMode({ mode }: Readonly<Traits>, method: string): void {
  if (mode === 'no-cors' && !['GET', 'HEAD', 'POST'].includes(method))
    throw new TypeError(`Request: method ${method} in mode no-cors`)
}

function followed(signal: unknown, base: RequestState): (() => AbortSignal) | undefined {
  if (signal === undefined) return () => base.signal
  if (signal === null) return undefined
  if (!(signal instanceof AbortSignal)) throw new TypeError('Request: signal is no AbortSignal')
  return () => signal
}

function payloadOf(
  init: Members | undefined,
  before: Payload,
  method: string,
  traits: Readonly<Traits>,
): Payload {
  const { body = null } = init ?? {}
  if ((method === 'GET' || method === 'HEAD') && (body !== null || !before.isNull))
    throw new TypeError(`Request: method ${method} has no body`)
  if (body === null) return before.isNull ? before : before.moved()
  const payload = extract(body)
  if (isStream(body, payload)) checkStream(init ?? {}, traits)
  return payload
}

/** A body that can be sent only once. Those of Node's classes that have a type are none. */
const isStream = (body: unknown, payload: Payload): boolean =>
  body instanceof ReadableStream ||
  (payload.isStream && payload.type === null && !(body instanceof Blob))

function checkStream(init: Members, { mode, keepalive }: Traits): void {
  if (keepalive) throw new TypeError('Request: keepalive with a body that is a stream')
  if (init['duplex'] === undefined)
    throw new TypeError("Request: a body that is a stream wants duplex: 'half'")
  if (mode === 'no-cors') throw new TypeError('Request: mode no-cors with a body that is a stream')
}
