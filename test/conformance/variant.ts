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

/** Titles of cases, and why they make no sense. */
type Misfits = readonly (readonly [titles: RegExp, why: string])[]

/** They choose transport, PROXY, TLS and compression themselves. */
const OF_ITS_OWN: Misfits = [
  [
    /^(?:addresses|PROXY protocol|unix sockets|unix datagrams|unix messages|vsock|UDP|TLS|compression): /,
    'it has a stream of its own',
  ],
]

/** The same with something else between peer and handler. */
function through(
  variant: Variant,
  name: string,
  options: Record<string, unknown>,
  misfits: Misfits,
): Variant {
  const all = [...OF_ITS_OWN, ...misfits]
  return {
    ...variant,
    name: `${variant.name}, ${name}`,
    options: { ...variant.options, ...options },
    unfit: (title) => all.find(([titles]) => titles.test(title))?.[1] ?? variant.unfit?.(title),
  }
}

/** What only TCP has: addresses and ports, resets, its own options. */
const OF_TCP =
  /reset|remote is|local is|port|max_connections_per_ip|address|ip_version|backlog of 1|tcp_|nagle|two hundred connections that leave|connection is that of the request|requests of two connections do not mix|counts are still there|connection is gone nothing throws|with handler, time and connection/

/** The same over unix sockets. */
export const overUnix = (variant: Variant): Variant =>
  through(variant, 'unix socket', { protocol: 'unixsocket' }, [
    [OF_TCP, 'TCP has it, a unix socket does not'],
  ])

/** The same over vsock. */
export const overVsock = (variant: Variant): Variant =>
  through(variant, 'vsock', { protocol: 'vsock' }, [
    [OF_TCP, 'TCP has it, vsock does not'],
    [
      /half-close|gone|leaves|leave\b|never reads?\b|does not read|above|beyond|segment|descriptors/,
      'the bridge to it has buffers and ends of its own',
    ],
  ])

/** The same over IPv6. */
export const overIpv6 = (variant: Variant): Variant =>
  through(variant, 'IPv6', { host: '::1' }, [
    [
      /localAddress|per_ip|ip_version|two hundred connections that leave/,
      'it has addresses of its own',
    ],
  ])

/** The same over TLS. */
export const overTls = (variant: Variant): Variant =>
  through(variant, 'TLS', serverTls(), [
    [/what is beyond waits or is refused/, 'it looks at what TLS changes'],
  ])

/** The same over compressed streams. Bytes that are all the same are no bombs here. */
export const overCompression = (variant: Variant, method: Method): Variant =>
  through(variant, method, { compress: method, inflateMax: 0, inflateRatio: 0 }, [
    [
      /never reads?\b|says false above|beyond output_limit|beyond the high-water mark|bytes that were not sent/,
      'what is all the same compresses well and fills no socket',
    ],
    [
      /both directions at once|closed by reason adds up/,
      'who leaves in the midst of a compressed stream has cut it short',
    ],
    [/a busy connection does not starve/, 'its client writes as it is'],
  ])

export type ProxyVersion = 'v1' | 'v2'
/** From a peer at 127.0.0.1, port 50000, to port 7000. */
const HEADERS: Record<ProxyVersion, Buffer> = {
  v1: Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 50000 7000\r\n'),
  v2: Buffer.from('0d0a0d0a000d0a515549540a2111000c7f0000017f000001c3501b58', 'hex'),
}

/** The same behind a proxy that says who its client is. */
export const overProxy = (variant: Variant, version: ProxyVersion): Variant => {
  const options = {
    proxyProtocol: version,
    proxyAllowFrom: ['127.0.0.0/8', '::1'],
    proxyTimeout: '10m',
  }
  const behind = through(variant, `PROXY ${version}`, options, [
    [OF_TCP, 'it looks at addresses or segments'],
    // The header is among them.
    [/half a frame does not outlast|count connections, requests/, 'it counts all bytes'],
  ])
  return { ...behind, ahead: HEADERS[version] }
}

/** True where a missing native engine is a failure and not a skip (CI). */
export const nativeRequired = process.env['GAIDAROS_NATIVE'] === 'require'

/** Skips or fails `t` for `reason`, by whether the native engine is required here. */
export function refuse(t: Test, reason: string): void {
  if (nativeRequired) t.fail(reason)
  else t.pass(reason, { skip: reason })
}
