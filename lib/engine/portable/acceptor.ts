// Makes connections of accepted sockets, within the limits on their number.

import type { Socket } from 'node:net'
import { KIND } from '../layout.js'
import type { CloseReason } from '../reasons.js'
import type { Arrivals } from './arrivals.js'
import type { Closing } from './closing.js'
import { Connection } from './connection.js'
import type { Context } from './context.js'
import { Receiver } from './receiver.js'

export class Acceptor {
  readonly #context: Context
  readonly #closing: Closing
  readonly #arrivals: Arrivals
  readonly #receiver = new Receiver()
  readonly #perIp = new Map<string, number>()

  constructor(context: Context, closing: Closing, arrivals: Arrivals) {
    this.#context = context
    this.#closing = closing
    this.#arrivals = arrivals
  }

  accept(accepted: Socket): void {
    const { counters, options, table } = this.#context
    const refused = this.#refused(accepted.remoteAddress ?? '')
    const socket = this.#receiver.adopt(accepted, (chunk) =>
      this.#arrivals.received(connection, chunk),
    )
    const connection: Connection = table.claim(
      (slot, generation) => new Connection(slot, generation, socket, performance.now()),
    )
    counters.accepted++
    counters.active++
    this.#count(connection, 1)
    this.#arrivals.attach(connection)
    if (refused !== undefined) this.#closing.close(connection, refused)
    else if (options.wantOpened) this.#context.tell(KIND.opened, connection, 0)
    if (refused === undefined) socket.resume()
  }

  /** A connection is gone. */
  gone(connection: Connection): void {
    this.#count(connection, -1)
  }

  #refused(address: string): CloseReason | undefined {
    const { counters, limits } = this.#context
    if (limits.maxConnections > 0 && counters.active >= limits.maxConnections)
      return 'max_connections'
    const most = limits.maxConnectionsPerIp
    return most > 0 && (this.#perIp.get(address) ?? 0) >= most
      ? 'max_connections_per_ip'
      : undefined
  }

  #count(connection: Connection, change: number): void {
    const { address } = connection.remote
    const count = (this.#perIp.get(address) ?? 0) + change
    if (count === 0) this.#perIp.delete(address)
    else this.#perIp.set(address, count)
  }
}
