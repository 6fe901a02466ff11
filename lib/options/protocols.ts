// What only some protocols have, and what they want: options that make no sense with the protocol are refused.

import { isIP } from 'node:net'
import { about, current, isDefault } from './assignments.js'
import { cidOf, WANTED_CID } from './cid.js'
import type { Effective } from './effective.js'
import type { Problem } from './problem.js'
import { wantedQuantity } from './quantity.js'
import type { Assignment } from './source.js'

/** Protocols whose requests are cut from a stream. */
export const STREAMS = /^(?:TCP|unixsocket|vsock)$/

/** What only some protocols have. */
const BELONGS: readonly { to: RegExp; options: RegExp; wanted: string }[] = [
  {
    to: /^(?:unix.+|zmq)$/,
    options: /^socket_(?:path|mode|group)$/,
    wanted: 'protocol unixsocket, unixdgram, unixseqpacket or zmq',
  },
  {
    to: /^(?:TCP|zmq)$/,
    options: /^tcp_(?:keepalive_.+|user_timeout)$/,
    wanted: 'protocol TCP or zmq',
  },
  {
    to: /^TCP$/,
    options: /^(?:tcp_(?!keepalive_|user_timeout).+|disable_nagle)$/,
    wanted: 'protocol TCP',
  },
  {
    to: /^(?:TCP|UDP|zmq)$/,
    options: /^(?:host|ip_version)$/,
    wanted: 'protocol TCP, UDP or zmq',
  },
  {
    to: /^(?:TCP|UDP|vsock|zmq)$/,
    options: /^port$/,
    wanted: 'protocol TCP, UDP, vsock or zmq',
  },
  {
    to: /^(?:TCP|UDP)$/,
    options: /^socket_(?:interface|mark|dscp|busy_poll|incoming_cpu)$/,
    wanted: 'protocol TCP or UDP',
  },
  {
    // What a peer may send ahead is of SO_VM_SOCKETS_BUFFER_SIZE there.
    to: /^(?!vsock$)/,
    options: /^socket_(?:send|receive)_buffer$/,
    wanted: 'a protocol whose sockets heed it',
  },
  { to: /^vsock$/, options: /^vsock_/, wanted: 'protocol vsock' },
  {
    to: /^(?!vsock$)/,
    options: /^proxy_allow_from$/,
    wanted: 'a protocol whose peers have such addresses',
  },
  { to: /^UDP$/, options: /^udp_/, wanted: 'protocol UDP' },
  { to: /^zmq$/, options: /^zmq_/, wanted: 'protocol zmq' },
  {
    to: STREAMS,
    options:
      /^(?:end_request|split_request|proxy_protocol|max_connections_per_ip|tls_.+|http_max_.+)$/,
    wanted: 'a protocol of streams',
  },
  {
    to: /^(?:TCP|unixsocket|unixseqpacket|vsock)$/,
    options: /^keepalive$/,
    wanted: 'a protocol of connections',
  },
  {
    to: /^(?!unixseqpacket$)/,
    options: /^compress$/,
    wanted: 'a protocol of streams or datagrams',
  },
]

/** Options that were given and that the protocol does not have, and what it wants. */
export function ofProtocol(effective: Effective): Problem[] {
  const protocol = String(current(effective, 'protocol'))
  const strange = [...effective.values()].flatMap((assignment) => {
    const { option } = assignment
    if (isDefault(assignment)) return []
    const rule = BELONGS.find(({ to, options }) => options.test(option.name) && !to.test(protocol))
    return rule === undefined
      ? []
      : [about(assignment, `wanted ${rule.wanted}, but it is ${protocol}`)]
  })
  const groups = effective.get('udp_multicast') as Assignment
  const none = (groups.value as readonly string[]).find((text) => !isMulticast(text))
  if (none !== undefined)
    strange.push(about(groups, `${none}: wanted addresses of multicast groups, such as 239.1.2.3`))
  if (protocol === 'zmq') strange.push(...ofZmq(effective))
  strange.push(...(protocol === 'vsock' ? ofVsock(effective) : ofPort(effective)))
  const path = effective.get('socket_path') as Assignment
  if (!protocol.startsWith('unix')) return strange
  if (path.value === '') return [...strange, about(path, `wanted the path to listen on`)]
  return String(path.value) === '@'
    ? [...strange, about(path, 'wanted a name behind the @')]
    : strange
}

function ofVsock(effective: Effective): Problem[] {
  const cid = effective.get('vsock_cid') as Assignment
  return cidOf(String(cid.value)) === undefined ? [about(cid, `wanted ${WANTED_CID}`)] : []
}

/** Only vsock has ports of 32 bits. */
function ofPort(effective: Effective): Problem[] {
  const port = effective.get('port') as Assignment
  const { kind } = port.option
  if (kind.type !== 'int' || Number(port.value) <= kind.max) return []
  const { wider: _, ...narrow } = kind
  return [about(port, `wanted ${wantedQuantity(narrow)}`)]
}

/** What libzmq does not do, and what belongs to the other kind of endpoint. */
const ZMQ: readonly { options: RegExp; wanted: string; when?: (path: string) => boolean }[] = [
  { options: /^compress$/, wanted: 'wanted none: messages of ZeroMQ are not compressed' },
  { options: /^server_type$/, wanted: 'wanted empty: no two processes share a socket of ZeroMQ' },
  {
    options: /^(?:host|port|ip_version|tcp_.+)$/,
    wanted: 'wanted no socket_path with it',
    when: (path) => path !== '',
  },
  {
    options: /^socket_(?:mode|group)$/,
    wanted: 'wanted a socket_path with it',
    when: (path) => path === '',
  },
  {
    options: /^socket_path$/,
    wanted: 'wanted a name behind the @',
    when: (path) => path === '@',
  },
]

function ofZmq(effective: Effective): Problem[] {
  const path = String(current(effective, 'socket_path'))
  const engine = effective.get('engine') as Assignment
  const host = effective.get('host') as Assignment
  const problems = [...effective.values()].flatMap((assignment) => {
    const { name } = assignment.option
    const rule = ZMQ.find(({ options, when }) => options.test(name) && when?.(path) !== false)
    return rule === undefined || isDefault(assignment) ? [] : [about(assignment, rule.wanted)]
  })
  if (engine.value === 'native')
    problems.push(about(engine, 'wanted auto or portable: ZeroMQ is served by no other'))
  if (host.value === '::' && current(effective, 'ip_version') === 6)
    problems.push(about(host, 'wanted ip_version 0: libzmq takes in IPv4 there, too'))
  return problems
}

/** RFC 5771, RFC 4291. */
function isMulticast(text: string): boolean {
  const version = isIP(text.replace(/%.*/, ''))
  const first = Number(text.split('.')[0])
  return version === 4 ? first >= 224 && first <= 239 : version === 6 && /^ff/i.test(text)
}
