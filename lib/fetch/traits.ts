// What a Request says about how it is to be fetched; a server is not concerned, but hands it on.

import { isToken, text } from './conversions.js'

export interface Traits {
  referrer: string
  referrerPolicy: string
  mode: string
  credentials: string
  cache: string
  redirect: string
  integrity: string
  keepalive: boolean
}

export const DEFAULTS: Readonly<Traits> = Object.freeze({
  referrer: 'about:client',
  referrerPolicy: '',
  mode: 'cors',
  credentials: 'same-origin',
  cache: 'default',
  redirect: 'follow',
  integrity: '',
  keepalive: false,
})

/** What a Request of either kind says. */
export function traitsIn(request: Readonly<Traits>): Traits {
  const { referrer, referrerPolicy, mode, credentials, cache, redirect } = request
  const { integrity, keepalive } = request
  return { referrer, referrerPolicy, mode, credentials, cache, redirect, integrity, keepalive }
}

const CHOICES = {
  referrerPolicy: [
    '',
    'no-referrer',
    'no-referrer-when-downgrade',
    'same-origin',
    'origin',
    'strict-origin',
    'origin-when-cross-origin',
    'strict-origin-when-cross-origin',
    'unsafe-url',
  ],
  mode: ['same-origin', 'no-cors', 'cors'],
  credentials: ['omit', 'same-origin', 'include'],
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  redirect: ['follow', 'error', 'manual'],
  duplex: ['half'],
  priority: ['high', 'low', 'auto'],
} as const

type Members = Readonly<Record<string, unknown>>

/** https://fetch.spec.whatwg.org/#dom-request, steps 13 to 25. */
export function traitsOf(init: Members, before: Readonly<Traits>): Readonly<Traits> {
  const { referrer, integrity, keepalive, window } = init
  if (window !== undefined && window !== null) throw new TypeError('Request: window is not null')
  const traits: Traits = { ...before, referrer: DEFAULTS.referrer, referrerPolicy: '' }
  if (referrer !== undefined) traits.referrer = referrerOf(text(referrer))
  for (const name of ['referrerPolicy', 'mode', 'credentials', 'cache', 'redirect'] as const)
    traits[name] = choice(name, init[name]) ?? traits[name]
  if (integrity !== undefined) traits.integrity = text(integrity)
  if (keepalive !== undefined) traits.keepalive = Boolean(keepalive)
  for (const name of ['duplex', 'priority'] as const) choice(name, init[name])
  if (traits.cache === 'only-if-cached' && traits.mode !== 'same-origin')
    throw new TypeError('Request: cache only-if-cached is for mode same-origin')
  return traits
}

function choice(name: keyof typeof CHOICES, value: unknown): string | undefined {
  if (value === undefined) return undefined
  const chosen = text(value)
  if ((CHOICES[name] as readonly string[]).includes(chosen)) return chosen
  throw new TypeError(`Request: ${name} is ${JSON.stringify(chosen)}`)
}

function referrerOf(referrer: string): string {
  if (referrer === '') return ''
  const { href, protocol, pathname } = new URL(referrer)
  return protocol === 'about:' && pathname === 'client' ? DEFAULTS.referrer : href
}

const NORMAL = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']
const FORBIDDEN = ['CONNECT', 'TRACE', 'TRACK']

/** A method as it is sent; those that everybody knows in upper case. */
export function methodOf(value: unknown): string {
  const method = text(value)
  const upper = method.toUpperCase()
  if (!isToken(method) || FORBIDDEN.includes(upper))
    throw new TypeError(`Request: method ${JSON.stringify(method)}`)
  return NORMAL.includes(upper) ? upper : method
}
