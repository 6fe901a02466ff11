// The engines and polling types that one list of cases runs over, and whether this machine has them.

import type { Test } from 'tap'
import type { Method } from './coding.js'

export interface Variant {
  name: string
  engine: 'native' | 'portable'
  /** What every server of this variant is constructed with. */
  options: Record<string, unknown>
  /** Handlers run in other threads or processes. */
  sent?: boolean
  /** Why a case ('subject: name') makes no sense here; undefined where it does. */
  unfit?: (title: string) => string | undefined
}

const native = (name: string, options: Record<string, unknown>): Variant => ({
  name,
  engine: 'native',
  options: { engine: 'native', ...options },
})

export const VARIANTS = {
  edge: native('native, epoll edge', { pollingType: 'edge' }),
  level: native('native, epoll level', { pollingType: 'level' }),
  completion: native('native, io_uring', { pollingType: 'completion' }),
  unbatched: native('native, epoll edge without a ring', {
    pollingType: 'edge',
    sendBatching: false,
  }),
  portable: { name: 'portable', engine: 'portable', options: { engine: 'portable' } },
} satisfies Record<string, Variant>

/** What only TCP has: addresses and ports, resets, its own options. */
const OF_TCP =
  /^(?:addresses|PROXY protocol): |reset|remote is|local is|port|max_connections_per_ip|address|ip_version|backlog of 1|tcp_|nagle|two hundred connections that leave|connection is that of the request|requests of two connections do not mix|counts are still there|connection is gone nothing throws|with handler, time and connection/

/** The same over unix sockets. */
export const overUnix = (variant: Variant): Variant => ({
  ...variant,
  name: `${variant.name}, unix socket`,
  options: { ...variant.options, protocol: 'unixsocket' },
  unfit: (title) =>
    OF_TCP.test(title) ? 'TCP has it, a unix socket does not' : variant.unfit?.(title),
})

/** Why a case makes no sense where streams are compressed. */
const OF_PLAIN: readonly (readonly [titles: RegExp, why: string])[] = [
  [/^(?:compression|PROXY protocol|UDP): /, 'compression has cases of its own'],
  [
    /never reads?\b|says false above|beyond output_limit|beyond the high-water mark|bytes that were not sent/,
    'what is all the same compresses well and fills no socket',
  ],
  [
    /both directions at once|closed by reason adds up/,
    'who leaves in the midst of a compressed stream has cut it short',
  ],
  [
    /takes every IPv4 address|a busy connection does not starve|abstract namespace/,
    'its client writes as it is',
  ],
]

/** The same over compressed streams. */
export const overCompression = (variant: Variant, method: Method): Variant => ({
  ...variant,
  name: `${variant.name}, ${method}`,
  // Bytes that are all the same are no bombs here.
  options: { ...variant.options, compress: method, inflateMax: 0, inflateRatio: 0 },
  unfit: (title) => OF_PLAIN.find(([titles]) => titles.test(title))?.[1] ?? variant.unfit?.(title),
})

/** True where a missing native engine is a failure and not a skip (CI). */
export const nativeRequired = process.env['GAIDAROS_NATIVE'] === 'require'

/** Skips or fails `t` for `reason`, by whether the native engine is required here. */
export function refuse(t: Test, reason: string): void {
  if (nativeRequired) t.fail(reason)
  else t.pass(reason, { skip: reason })
}
