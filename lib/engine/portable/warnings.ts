// What the portable engine cannot do: one table, of which one line is made.

import type { EngineOptions } from '../engine.js'
import { zeromqRefusal } from './datagrams/zeromq.js'

interface Shortcoming {
  text: string
  /** Options for which it matters; always, where absent. */
  when?: (options: Wishes) => boolean
}

/** Of an engine's options those that this one may not have. */
export type Wishes = Pick<
  EngineOptions,
  | 'tcpCork'
  | 'busyPoll'
  | 'quickAck'
  | 'socket'
  | 'datagrams'
  | 'local'
  | 'messages'
  | 'vsock'
  | 'zmq'
>

/** node:net knows when keepalive begins, and nothing else of all this. */
const isTuned = ({ quickAck, socket }: Wishes): boolean =>
  [
    quickAck,
    socket.sendBuffer,
    socket.receiveBuffer,
    socket.mark,
    socket.dscp,
    socket.busyPoll,
    socket.fastOpen,
    socket.deferAccept,
    socket.interface,
    socket.multipath,
  ].some(Boolean)

const LEFT: Shortcoming = {
  text: 'polling_type, send_batching, poll_timeout and recv_size are left to Node',
}
const BUSY_POLL: Shortcoming = {
  text: 'busy_poll is not to be had',
  when: (options) => options.busyPoll > 0,
}

const OF_STREAMS: readonly Shortcoming[] = [
  { text: 'nothing tells when the kernel cuts backlog' },
  { text: 'connections above max_connections are accepted and closed at once' },
  { text: 'tcp_cork is not to be had', when: (options) => options.tcpCork },
  { text: 'of the options of sockets only tcp_keepalive_idle is to be had', when: isTuned },
]

const OF_DATAGRAMS: readonly Shortcoming[] = [
  { text: 'nothing tells of the errors that ICMP reports' },
  { text: 'bound to all addresses, it answers from the one that the routes choose' },
  {
    text: 'socket_interface is where groups are joined, and datagrams from others come in, too',
    when: ({ socket }) => socket.interface !== '',
  },
]

/** What datagrams go without there, and whether it was asked for. */
const LACKING: Readonly<Record<string, (options: Wishes) => boolean>> = {
  socket_interface: ({ socket }) => socket.interface !== '' && socket.multicast.length === 0,
  socket_mark: ({ socket }) => socket.mark !== 0,
  socket_dscp: ({ socket }) => socket.dscp !== 0,
  socket_busy_poll: ({ socket }) => socket.busyPoll !== 0,
  udp_pktinfo: ({ socket }) => socket.pktinfo === 'on',
  udp_gro: ({ socket }) => socket.gro === 'on',
  udp_gso: ({ socket }) => socket.gso === 'on',
}

/**
 * Why datagrams, messages or a vsock cannot be served as these options ask; undefined where they can.
 * @example
 * portableRefusal(options) // 'protocol UDP is without socket_mark, socket_dscp on the portable engine (node:dgram)'
 */
export function portableRefusal(options: Wishes): string | undefined {
  const { local, messages, vsock } = options
  if (local || messages || vsock)
    return `protocol ${local ? 'unixdgram' : messages ? 'unixseqpacket' : 'vsock'}: Node has no such sockets; wanted the native engine`
  if (!options.datagrams) return undefined
  if (options.zmq !== undefined) {
    const refusal = zeromqRefusal()
    return refusal === undefined ? undefined : `protocol zmq: ${refusal}`
  }
  const lacking = Object.keys(LACKING).filter((name) => LACKING[name]?.(options))
  return lacking.length === 0
    ? undefined
    : `protocol UDP is without ${lacking.join(', ')} on the portable engine (node:dgram)`
}

/**
 * What these options ask for and Node does not do, for the log.
 * @returns one line
 * @example
 * portableWarnings(options) // ['portable engine (node:net): polling_type, send_batching, … are left to Node; …']
 */
export function portableWarnings(options: Wishes): string[] {
  const { own, module } = kindOf(options)
  const texts = [LEFT, ...own, BUSY_POLL]
    .filter(({ when }) => when === undefined || when(options))
    .map(({ text }) => text)
  return [`portable engine (${module}): ${texts.join('; ')}`]
}

function kindOf({ datagrams, zmq }: Wishes): { own: readonly Shortcoming[]; module: string } {
  if (zmq !== undefined) return { own: [], module: 'zeromq' }
  return datagrams
    ? { own: OF_DATAGRAMS, module: 'node:dgram' }
    : { own: OF_STREAMS, module: 'node:net' }
}
