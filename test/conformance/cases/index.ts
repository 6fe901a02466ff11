// The one list of cases, by subject.

import { join } from 'node:path'
import type { Cases } from '../case.js'
import { asynchronous } from './async.js'
import { backpressure } from './backpressure.js'
import { badinput } from './badinput.js'
import { batch } from './batch.js'
import { codec } from './codec.js'
import { compression } from './compression.js'
import { errors } from './errors.js'
import { fetch } from './fetch.js'
import { fetchstreams } from './fetchstreams.js'
import { framing } from './framing.js'
import { halfclose } from './halfclose.js'
import { hooks } from './hooks.js'
import { http } from './http.js'
import { httpconnections } from './httpconnections.js'
import { httprefusals } from './httprefusals.js'
import { jsframing } from './jsframing.js'
import { keepalive } from './keepalive.js'
import { addresses, options } from './options.js'
import { order } from './order.js'
import { pipelining } from './pipelining.js'
import { proxy } from './proxy.js'
import { seqpacket } from './seqpacket.js'
import { shutdown } from './shutdown.js'
import { statistics } from './statistics.js'
import { streaming } from './streaming.js'
import { timers } from './timers.js'
import { tls } from './tls.js'
import { udp } from './udp.js'
import { unix } from './unix.js'
import { unixdgram } from './unixdgram.js'
import { vsock } from './vsock.js'

export const SUBJECTS: Record<string, Cases> = {
  framing,
  'framing by functions': jsframing,
  pipelining,
  order,
  backpressure,
  'half-close': halfclose,
  errors,
  'timers and limits': timers,
  keepalive,
  async: asynchronous,
  streaming,
  batch,
  'types of requests and replies': codec,
  http,
  'HTTP connections': httpconnections,
  'HTTP refusals': httprefusals,
  'frontend fetch': fetch,
  'frontend fetch in pieces': fetchstreams,
  connection: hooks,
  options,
  addresses,
  'PROXY protocol': proxy,
  'unix sockets': unix,
  UDP: udp,
  TLS: tls,
  compression,
  'unix datagrams': unixdgram,
  'unix messages': seqpacket,
  vsock,
  'start and stop': shutdown,
  statistics,
  'bad input': badinput,
}

/** Files of the subjects that are not named like theirs. */
const FILES: Record<string, string> = {
  'framing by functions': 'jsframing',
  'half-close': 'halfclose',
  'timers and limits': 'timers',
  'types of requests and replies': 'codec',
  connection: 'hooks',
  'HTTP connections': 'httpconnections',
  'HTTP refusals': 'httprefusals',
  'frontend fetch': 'fetch',
  'frontend fetch in pieces': 'fetchstreams',
  addresses: 'options',
  'PROXY protocol': 'proxy',
  'unix sockets': 'unix',
  UDP: 'udp',
  TLS: 'tls',
  'unix datagrams': 'unixdgram',
  'unix messages': 'seqpacket',
  'start and stop': 'shutdown',
  'bad input': 'badinput',
}

/** Where a subject's cases stand. */
export const fileOf = (subject: string): string =>
  join(import.meta.dirname, `${FILES[subject] ?? subject}.ts`)
