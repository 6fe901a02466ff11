// The portable engine: what stands in for the addon where that is not to be had.

import type { EngineHost, EngineOptions, ServingEngine } from '../engine.js'
import { DatagramEngine } from './datagrams/datagram-engine.js'
import { PortableEngine } from './portable-engine.js'

export { zeromqRefusal } from './datagrams/zeromq.js'
export { portableRefusal, portableWarnings, type Wishes } from './warnings.js'

/**
 * An engine over node:net, or of datagrams over node:dgram or ZeroMQ. Its listen() answers with a promise.
 * @param host is called on the thread that made the engine, once for each received chunk, each batch of datagrams or of events
 * @example
 * const engine = createPortableEngine(options, { turn: (count) => engine.replies.fill(ANSWER.none, 0, count * REPLY_WORDS) })
 * await engine.listen({ address: '127.0.0.1', port: 0, backlog: 511, v6only: false })
 * engine.start()
 */
export function createPortableEngine(options: EngineOptions, host: EngineHost): ServingEngine {
  return options.datagrams ? new DatagramEngine(options, host) : new PortableEngine(options, host)
}
