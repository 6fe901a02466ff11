// The engines and polling types that one list of cases runs over, and whether this machine has them.

import type { Test } from 'tap'
import { serverTls } from './certificates.js'
import type { Method } from './coding.js'

export interface Variant {
  name: string
  engine: 'native' | 'portable'
  /** What every server of this variant is constructed with. */
  options: Record<string, unknown>
  /** Handlers run in other threads or processes. */
  sent?: boolean
  /** What each client sends ahead of all else. */
  ahead?: Buffer
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

/** What is not TLS, or looks at segments, resets and the bytes of plain connections. */
const OF_CLEARTEXT = /^(?:PROXY protocol|UDP|TLS): |what is beyond waits or is refused/

/** The same over TLS. */
export const overTls = (variant: Variant): Variant => ({
  ...variant,
  name: `${variant.name}, TLS`,
  options: { ...variant.options, ...serverTls() },
  unfit: (title) =>
    OF_CLEARTEXT.test(title) ? 'it looks at what TLS changes' : variant.unfit?.(title),
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

/** What looks at addresses and ports of TCP over IPv4, or opens connections of its own. */
const OF_IPV4 =
  /^(?:addresses|PROXY protocol): |localAddress|per_ip|ip_version|two hundred connections that leave/

/** The same over IPv6. */
export const overIpv6 = (variant: Variant): Variant => ({
  ...variant,
  name: `${variant.name}, IPv6`,
  options: { ...variant.options, host: '::1' },
  unfit: (title) => (OF_IPV4.test(title) ? 'it has addresses of its own' : variant.unfit?.(title)),
})

export type ProxyVersion = 'v1' | 'v2'
/** From a peer at 127.0.0.1, port 50000, to port 7000. */
const HEADERS: Record<ProxyVersion, Buffer> = {
  v1: Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 50000 7000\r\n'),
  v2: Buffer.from('0d0a0d0a000d0a515549540a2111000c7f0000017f000001c3501b58', 'hex'),
}

/** The same behind a proxy that says who its client is. */
export const overProxy = (variant: Variant, version: ProxyVersion): Variant => ({
  ...variant,
  name: `${variant.name}, PROXY ${version}`,
  options: {
    ...variant.options,
    proxyProtocol: version,
    proxyAllowFrom: ['127.0.0.0/8', '::1'],
    proxyTimeout: '10m',
  },
  ahead: HEADERS[version],
  unfit: (title) => {
    if (OF_TCP.test(title)) return 'it looks at addresses or segments'
    // The header is among the bytes that came.
    return /half a frame does not outlast|count connections, requests/.test(title)
      ? 'it counts all bytes'
      : variant.unfit?.(title)
  },
})

/** True where a missing native engine is a failure and not a skip (CI). */
export const nativeRequired = process.env['GAIDAROS_NATIVE'] === 'require'

/** Skips or fails `t` for `reason`, by whether the native engine is required here. */
export function refuse(t: Test, reason: string): void {
  if (nativeRequired) t.fail(reason)
  else t.pass(reason, { skip: reason })
}
