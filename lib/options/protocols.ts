// What only some protocols have, and what they want: options that make no sense with the protocol are refused.

import { isIP } from 'node:net'
import { about, current, isDefault } from './assignments.js'
import type { Effective } from './effective.js'
import type { Problem } from './problem.js'
import type { Assignment } from './source.js'

/** What only some protocols have. */
const BELONGS: readonly { to: RegExp; options: RegExp; wanted: string }[] = [
  {
    to: /^unix/,
    options: /^socket_(?:path|mode|group)$/,
    wanted: 'protocol unixsocket or unixdgram',
  },
  { to: /^TCP$/, options: /^(?:tcp_.+|disable_nagle)$/, wanted: 'protocol TCP' },
  {
    to: /^(?:TCP|UDP)$/,
    options: /^(?:host|port|ip_version|socket_(?:interface|mark|dscp|busy_poll|incoming_cpu))$/,
    wanted: 'protocol TCP or UDP',
  },
  { to: /^UDP$/, options: /^udp_/, wanted: 'protocol UDP' },
  {
    to: /^(?:TCP|unixsocket)$/,
    options:
      /^(?:end_request|split_request|proxy_protocol|max_connections_per_ip|keepalive|tls_.+)$/,
    wanted: 'a protocol of streams',
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
  const path = effective.get('socket_path') as Assignment
  if (!protocol.startsWith('unix')) return strange
  if (path.value === '') return [...strange, about(path, `wanted the path to listen on`)]
  return String(path.value) === '@'
    ? [...strange, about(path, 'wanted a name behind the @')]
    : strange
}

/** RFC 5771, RFC 4291. */
function isMulticast(text: string): boolean {
  const version = isIP(text.replace(/%.*/, ''))
  const first = Number(text.split('.')[0])
  return version === 4 ? first >= 224 && first <= 239 : version === 6 && /^ff/i.test(text)
}
