// [limits]: what one peer, one frame and one stop may cost. 0 is off.

import type { Option } from '../option.js'
import { COUNT, MILLISECONDS, SIZE, TIMEOUT } from './kinds.js'

const limit = { section: 'limits', zero: 'off', userFile: 'lower', reloadable: true } as const
const count = { ...limit, kind: COUNT, hint: 'N' } as const
const size = { ...limit, kind: SIZE, hint: 'SIZE' } as const
const time = { ...limit, kind: TIMEOUT, hint: 'TIME' } as const

export const limits = [
  {
    ...count,
    name: 'max_connections',
    default: 10000,
    doc: 'Connections open at once, in each server process. Never more than the limit of descriptors less 64.',
  },
  {
    ...count,
    name: 'max_connections_per_ip',
    default: 0,
    doc: 'Connections open at once from one address, in each server process.',
  },
  {
    ...size,
    name: 'max_frame_size',
    default: '1m',
    doc: 'Bytes of one request. A longer one closes its connection. Requests of framer http go by http_max_line and those behind it.',
  },
  {
    ...size,
    name: 'output_high_water',
    default: '64k',
    doc: 'Unsent bytes of a connection above which it is not read. It is read again at half of it.',
  },
  {
    ...size,
    name: 'output_limit',
    default: '1m',
    doc: 'Unsent bytes of a connection, beyond the response in hand, above which it is closed.',
  },
  {
    ...count,
    name: 'max_pipelined',
    default: 64,
    doc: 'Requests of one connection in flight. At the limit it is not read.',
  },
  {
    ...time,
    name: 'tls_handshake_timeout',
    default: '10s',
    doc: 'Time for a TLS handshake.',
  },
  {
    ...time,
    name: 'first_byte_timeout',
    default: '10s',
    doc: 'Time from accepting a connection to its first byte.',
  },
  {
    ...time,
    name: 'frame_timeout',
    default: '10s',
    doc: 'Time for one request, from its first byte to its last, however steadily it comes.',
  },
  {
    ...time,
    name: 'idle_timeout',
    default: '60s',
    doc: 'Time that a connection may be idle between requests.',
  },
  {
    ...time,
    name: 'write_timeout',
    default: '30s',
    doc: 'Time in which the client takes nothing of what waits for it. The portable engine sees no more of that than that the kernel has room again.',
  },
  {
    ...time,
    name: 'linger_idle_timeout',
    default: '5s',
    doc: 'Time without input after which a lingering close gives up.',
  },
  {
    ...time,
    name: 'linger_timeout',
    default: '30s',
    doc: 'Time after which a lingering close gives up.',
  },
  {
    ...size,
    name: 'linger_bytes',
    default: '1m',
    doc: 'Bytes of input after which a lingering close gives up.',
  },
  {
    ...time,
    name: 'shutdown_grace',
    default: '10s',
    doc: 'Time that what is in flight gets when the server stops.',
  },
  {
    ...time,
    name: 'reload_grace',
    default: '60s',
    doc: 'Time that connections of an old process get after a reload.',
  },
  {
    ...limit,
    name: 'stall_warning',
    kind: MILLISECONDS,
    hint: 'TIME',
    default: '100ms',
    doc: 'Time that one turn of the handler, or other code, may keep the loop from its sockets before the log says so.',
  },
  {
    ...size,
    name: 'inflate_max',
    default: '10m',
    doc: 'Bytes that what is received at once, or one datagram, may inflate to.',
  },
  {
    ...count,
    name: 'inflate_ratio',
    default: 100,
    doc: 'Ratio of inflated to compressed bytes of a connection or datagram, after the first 64 KiB.',
  },
  {
    ...count,
    name: 'udp_amplification',
    default: 0,
    doc: 'Ratio of the bytes of a reply to those of its datagram.',
  },
  {
    ...size,
    name: 'http_max_line',
    default: '8k',
    doc: 'Framer http: bytes of a request line. A longer one is refused with 414.',
  },
  {
    ...size,
    name: 'http_max_headers',
    default: '16k',
    doc: 'Framer http: bytes of the header fields, and as many of trailers. More are refused with 431.',
  },
  {
    ...count,
    name: 'http_max_header_count',
    default: 100,
    doc: 'Framer http: number of header fields and trailers. More are refused with 431.',
  },
  {
    ...size,
    name: 'http_max_body',
    default: '1m',
    doc: 'Framer http: bytes of a body. A longer one is refused with 413.',
  },
  {
    ...size,
    name: 'http_max_chunk_extension',
    default: 256,
    doc: 'Framer http: bytes of the extensions of one chunk. More are refused with 400.',
  },
] as const satisfies readonly Option[]
