// What a stream can go through between a peer and the handler: all combinations of it, listed once.

import type { Method } from '../conformance/coding.js'
import {
  overCompression,
  overIpv6,
  overProxy,
  overTls,
  overUnix,
  type ProxyVersion,
  VARIANTS,
  type Variant,
} from '../conformance/variant.js'
import type { Backend } from './combination.js'

export interface Stream {
  transport: 'IPv4' | 'IPv6' | 'unix'
  proxy: 'no proxy' | ProxyVersion
  tls: 'plain' | 'TLS'
  compress: 'as it is' | Method
  backend: Backend
}
const AXES: { [A in keyof Stream]: Stream[A][] } = {
  backend: ['edge', 'level', 'completion', 'portable'],
  transport: ['IPv4', 'IPv6', 'unix'],
  proxy: ['no proxy', 'v1', 'v2'],
  tls: ['plain', 'TLS'],
  compress: ['as it is', 'gzip', 'zlib', 'brotli'],
}

/** Every combination. */
export const STREAMS: readonly Stream[] = product(AXES)

function product<T extends object>(axes: { [A in keyof T]: T[A][] }): T[] {
  return (Object.keys(axes) as (keyof T)[]).reduce(
    (all, name) => all.flatMap((each) => axes[name].map((value) => ({ ...each, [name]: value }))),
    [{}] as Partial<T>[],
  ) as T[]
}

/** For example 'IPv6, v1, TLS, gzip on edge'. */
export const titleOfStream = ({ transport, proxy, tls, compress, backend }: Stream): string =>
  `${transport}, ${proxy}, ${tls}, ${compress} on ${backend}`

export function streamVariant({ transport, proxy, tls, compress, backend }: Stream): Variant {
  let variant: Variant = VARIANTS[backend]
  if (transport === 'unix') variant = overUnix(variant)
  if (transport === 'IPv6') variant = overIpv6(variant)
  if (proxy !== 'no proxy') variant = overProxy(variant, proxy)
  if (tls === 'TLS') variant = overTls(variant)
  return compress === 'as it is' ? variant : overCompression(variant, compress)
}
