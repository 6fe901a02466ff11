// What is said when a socket cannot listen: the same, whoever opens it.

import { readFileSync } from 'node:fs'
import { GaidarosError } from '../errors.js'
import type { ListenSpec } from './engine.js'

/** Which option asked for what the kernel refused, by the call (native/net/socket_options.cc). */
const OPTIONS: Readonly<Record<string, string>> = {
  'setsockopt SO_SNDBUF': 'socket_send_buffer',
  'setsockopt SO_RCVBUF': 'socket_receive_buffer',
  'setsockopt SO_BINDTODEVICE': 'socket_interface',
  'setsockopt SO_MARK': 'socket_mark',
  'setsockopt IP_TOS': 'socket_dscp',
  'setsockopt IPV6_TCLASS': 'socket_dscp',
  'setsockopt SO_BUSY_POLL': 'socket_busy_poll',
  'setsockopt SO_INCOMING_CPU': 'socket_incoming_cpu',
  'setsockopt SO_KEEPALIVE': 'tcp_keepalive_idle',
  'setsockopt TCP_KEEPIDLE': 'tcp_keepalive_idle',
  'setsockopt TCP_KEEPINTVL': 'tcp_keepalive_interval',
  'setsockopt TCP_KEEPCNT': 'tcp_keepalive_count',
  'setsockopt TCP_USER_TIMEOUT': 'tcp_user_timeout',
  'setsockopt TCP_FASTOPEN': 'tcp_fast_open',
  'setsockopt TCP_DEFER_ACCEPT': 'tcp_defer_accept',
  'socket IPPROTO_MPTCP': 'tcp_multipath',
  'setsockopt SO_BROADCAST': 'udp_broadcast',
  'setsockopt IP_ADD_MEMBERSHIP': 'udp_multicast',
  'setsockopt IPV6_JOIN_GROUP': 'udp_multicast',
  'setsockopt IP_PKTINFO': 'udp_pktinfo',
  'setsockopt UDP_GRO': 'udp_gro',
  'setsockopt UDP_SEGMENT': 'udp_gso',
}

/** What cuts a buffer. */
const CUTS: Readonly<Record<string, string>> = {
  socket_send_buffer: 'net.core.wmem_max',
  socket_receive_buffer: 'net.core.rmem_max',
}

/** GaidarosError ERR_GAIDAROS_LISTEN of what socket(), setsockopt(), bind() or listen() answered. */
export function listenFailure(spec: ListenSpec, error: unknown): GaidarosError {
  const { errno, code, syscall, message } = error as NodeJS.ErrnoException
  const option = OPTIONS[syscall ?? '']
  const wanted =
    spec.cid !== undefined && code === 'EADDRNOTAVAIL'
      ? '; wanted as vsock_cid any, or one that this machine has'
      : ''
  return new GaidarosError(
    'ERR_GAIDAROS_LISTEN',
    option === undefined
      ? `cannot listen on ${placeOf(spec)}: ${message}${wanted}`
      : `${option}: the kernel refuses it for ${placeOf(spec)}: ${cutBy(option) ?? message}`,
    {
      address: spec.path ?? hostOf(spec),
      port: spec.port,
      ...(errno !== undefined && { errno }),
      ...(code !== undefined && { errnoCode: code }),
      ...(syscall !== undefined && { syscall }),
    },
    error,
  )
}

function placeOf(spec: ListenSpec): string {
  const { fd, path, port } = spec
  return fd === undefined ? (path ?? `${hostOf(spec)} port ${port}`) : `descriptor ${fd}`
}

/** A CID alone would look like a port. */
const hostOf = ({ cid, address }: ListenSpec): string =>
  cid === undefined ? address : `vsock:${address}`

function cutBy(option: string): string | undefined {
  const name = CUTS[option]
  if (name === undefined) return undefined
  try {
    const most = readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim()
    return `wanted at most ${most} bytes (${name}), or the right to go beyond (CAP_NET_ADMIN)`
  } catch {
    return undefined
  }
}
