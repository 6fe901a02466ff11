// Options whose feature this version does not have: only their default is accepted. The one list; it shrinks to nothing.

import type { Option } from './option.js'
import type { OptionName } from './table.js'

/** Options that may only have their default value. `protocol`, for example, is TCP. */
export const unavailable: ReadonlySet<OptionName> = new Set<OptionName>([
  'protocol',
  'frontend',
  'compress',
  'profile',
  'doctest',
  'locale',
  'language',
  'tls_handshake_timeout',
  'inflate_max',
  'inflate_ratio',
  'udp_amplification',
  'http_max_line',
  'http_max_headers',
  'http_max_header_count',
  'http_max_body',
  'http_max_chunk_extension',
  'socket_path',
  'socket_mode',
  'socket_group',
  'socket_send_buffer',
  'socket_receive_buffer',
  'socket_interface',
  'socket_mark',
  'socket_dscp',
  'socket_busy_poll',
  'socket_incoming_cpu',
  'tcp_keepalive_idle',
  'tcp_keepalive_interval',
  'tcp_keepalive_count',
  'tcp_user_timeout',
  'tcp_fast_open',
  'tcp_quick_ack',
  'tcp_defer_accept',
  'tcp_multipath',
  'udp_multicast',
  'udp_broadcast',
  'tls_cert',
  'tls_key',
  'tls_ca',
  'tls_verify',
  'tls_min_version',
  'tls_ciphers',
  'tls_alpn',
  'tls_tickets',
  'cluster_nodes',
  'cluster_secrets',
  'cluster_bus',
  'cluster_name',
  'node_name',
  'cluster_heartbeat',
  'cluster_accept_timeout',
  'cluster_claim',
])

/** True when this version has the option's feature. */
export const isAvailable = (option: Option): boolean => !unavailable.has(option.name as OptionName)

/** What documents say of an option that is not: `Only TCP in this version`. */
export const laterNote = ({ kind, default: standard }: Option): string =>
  kind.type === 'enum' && standard !== ''
    ? `Only ${standard} in this version`
    : 'Not available in this version'
