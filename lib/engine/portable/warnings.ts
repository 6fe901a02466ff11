// What the portable engine cannot do: one table, of which one line is made.

import type { EngineOptions } from '../engine.js'

interface Shortcoming {
  text: string
  /** Options for which it matters; always, where absent. */
  when?: (options: Wishes) => boolean
}

type Wishes = Pick<EngineOptions, 'tcpCork' | 'busyPoll' | 'quickAck' | 'socket'>

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

const SHORTCOMINGS: readonly Shortcoming[] = [
  { text: 'polling_type, send_batching, poll_timeout and recv_size are left to Node' },
  { text: 'nothing tells when the kernel cuts backlog' },
  { text: 'connections above max_connections are accepted and closed at once' },
  { text: 'tcp_cork is not to be had', when: (options) => options.tcpCork },
  { text: 'of the options of sockets only tcp_keepalive_idle is to be had', when: isTuned },
  { text: 'busy_poll is not to be had', when: (options) => options.busyPoll > 0 },
]

/**
 * What these options ask for and node:net does not do, for the log.
 * @returns one line
 * @example
 * portableWarnings(options) // ['portable engine (node:net): polling_type, send_batching, … are left to Node; …']
 */
export function portableWarnings(options: Wishes): string[] {
  const texts = SHORTCOMINGS.filter(({ when }) => when === undefined || when(options)).map(
    ({ text }) => text,
  )
  return [`portable engine (node:net): ${texts.join('; ')}`]
}
