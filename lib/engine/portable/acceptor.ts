// Makes connections of accepted sockets, within the limits on their number.

import type { Socket } from 'node:net'
import { KIND } from '../layout.js'
import { networks } from '../network.js'
import type { CloseReason } from '../reasons.js'
import type { Arrivals } from './arrivals.js'
import type { Closing } from './closing.js'
import { Deflater } from './compress/deflater.js'
import { Inflater } from './compress/inflater.js'
import { methodOf } from './compress/methods.js'
import { Connection } from './connection.js'
import type { Context } from './context.js'
import type { Opening } from './opening.js'
import { Receiver } from './receiver.js'

/** The address of who comes by a unix socket. */
const LOCAL = ''

export class Acceptor {
  readonly #context: Context
  readonly #closing: Closing
  readonly #arrivals: Arrivals
  readonly #opening: Opening
  readonly #receiver = new Receiver()
  readonly #believes: (address: string) => boolean
  readonly #perIp = new Map<string, number>()

  constructor(context: Context, closing: Closing, arrivals: Arrivals, opening: Opening) {
    this.#context = context
    this.#closing = closing
    this.#arrivals = arrivals
    this.#opening = opening
    opening.onOpened = (connection) => this.#announce(connection)
    arrivals.onIntroduced = (connection) => this.introduced(connection)
    this.#believes = networks(context.options.proxy.allow)
  }

  /** @param path of the unix socket that it came by */
  accept(accepted: Socket, path?: string): void {
    const { counters, options, table } = this.#context
    const refused = this.#refused(path === undefined ? (accepted.remoteAddress ?? '') : LOCAL)
    const receive = (chunk: Buffer) => this.#arrivals.received(connection, chunk)
    // What speaks TLS reads by itself.
    const socket = this.#opening.isPossible
      ? this.#opening.isImplicit && options.proxy.versions === 'off'
        ? accepted
        : accepted.on('data', receive)
      : this.#receiver.adopt(accepted, receive)
    const connection: Connection = table.claim(
      (slot, generation) => new Connection(slot, generation, socket, performance.now(), path),
    )
    counters.accepted++
    counters.active++
    this.#arrivals.attach(connection)
    this.#compress(connection)
    if (options.proxy.versions !== 'off')
      connection.greeting = { since: performance.now(), held: Buffer.alloc(0) }
    else this.#count(connection, 1)
    if (refused === undefined && connection.greeting === undefined) this.#secure(connection)
    if (refused !== undefined) this.#closing.close(connection, refused)
    else this.#announce(connection)
    if (refused === undefined) connection.socket.resume()
  }

  #secure(connection: Connection): void {
    if (this.#opening.isImplicit) this.#opening.begin(connection)
  }

  #compress(connection: Connection): void {
    const { compress } = this.#context.options
    const method = methodOf(compress)
    if (method === undefined) return
    connection.inflater = new Inflater(method, compress)
    connection.output.deflater = new Deflater(method, compress, this.#context.counters)
  }

  /** Its proxy has said who it is: only now is it one of its address's connections, and one to be heard of. */
  introduced(connection: Connection): void {
    const refused = this.#crowded(connection.remote.address)
    this.#count(connection, 1)
    if (refused) this.#closing.close(connection, 'max_connections_per_ip')
    else {
      this.#secure(connection)
      this.#announce(connection)
    }
  }

  /** The handler hears of it, once all is agreed that stands before its first request. */
  #announce(connection: Connection): void {
    if (connection.greeting !== undefined || connection.opening !== undefined) return
    if (connection.announced) return
    connection.announced = true
    if (this.#context.options.wantOpened) this.#context.tell(KIND.opened, connection, 0)
  }

  /** A connection is gone. */
  gone(connection: Connection): void {
    if (connection.greeting === undefined) this.#count(connection, -1)
  }

  #refused(address: string): CloseReason | undefined {
    const { counters, limits, options } = this.#context
    const { versions, allow } = options.proxy
    const isLocal = address === LOCAL
    if (versions !== 'off' && allow.length > 0 && !isLocal && !this.#believes(address))
      return 'proxy_denied'
    if (limits.maxConnections > 0 && counters.active >= limits.maxConnections)
      return 'max_connections'
    return versions === 'off' && this.#crowded(address) ? 'max_connections_per_ip' : undefined
  }

  #crowded(address: string): boolean {
    const most = this.#context.limits.maxConnectionsPerIp
    if (address === LOCAL) return false
    return most > 0 && (this.#perIp.get(address) ?? 0) >= most
  }

  #count(connection: Connection, change: number): void {
    const { address } = connection.remote
    if (address === LOCAL) return
    const count = (this.#perIp.get(address) ?? 0) + change
    if (count === 0) this.#perIp.delete(address)
    else this.#perIp.set(address, count)
  }
}
