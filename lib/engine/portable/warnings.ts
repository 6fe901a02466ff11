// What the portable engine cannot do: one table, of which one line is made.

import type { EngineOptions } from '../engine.js'

interface Shortcoming {
  text: string
  /** Options for which it matters; always, where absent. */
  when?: (options: Wishes) => boolean
}

type Wishes = Pick<EngineOptions, 'tcpCork' | 'busyPoll'>

const SHORTCOMINGS: readonly Shortcoming[] = [
  { text: 'polling_type, send_batching, poll_timeout and recv_size are left to Node' },
  { text: 'nothing tells when the kernel cuts backlog' },
  { text: 'connections above max_connections are accepted and closed at once' },
  { text: 'tcp_cork is not to be had', when: (options) => options.tcpCork },
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
