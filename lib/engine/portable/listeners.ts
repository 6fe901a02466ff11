// Listening sockets of node:net.

import {
  type AddressInfo,
  createServer,
  isIPv6,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net'
import type { Address, ListenSpec } from '../engine.js'
import { listenFailure } from '../listenfailure.js'
import type { Context } from './context.js'

/** How node:net names it. `exclusive`: a worker of node:cluster listens by itself. */
function listenOptions(spec: ListenSpec): ListenOptions & { fd?: number } {
  const { address, port, backlog, v6only, fd } = spec
  if (fd !== undefined) return { fd, backlog, exclusive: true }
  return { host: address, port, backlog, ipv6Only: v6only, exclusive: true }
}

export class Listeners {
  readonly #context: Context
  readonly #accept: (socket: Socket) => void
  readonly #servers = new Set<Server>()
  /** By the number of the listen() call: how it was asked for, and its server while it accepts. */
  readonly #places: { spec: ListenSpec; server?: Server }[] = []
  /** Accepted before start(); nothing of them is read. */
  #early: Socket[] | undefined = []
  #closed: Promise<unknown>[] = []

  constructor(context: Context, accept: (socket: Socket) => void) {
    this.#context = context
    this.#accept = accept
  }

  async listen(spec: ListenSpec): Promise<Address> {
    const place = { spec }
    this.#places.push(place)
    if (!spec.dormant) return this.#open(place)
    return {
      address: spec.address,
      family: isIPv6(spec.address) ? 'IPv6' : 'IPv4',
      port: spec.port,
    }
  }

  /** node:net accepts as soon as it listens, so a dormant descriptor is not listened on before. */
  async watch(number: number): Promise<void> {
    const place = this.#places[number]
    if (place !== undefined && place.server === undefined) await this.#open(place)
  }

  unwatch(number: number): void {
    const server = this.#places[number]?.server
    if (server === undefined || !this.#servers.delete(server)) return
    server.close()
  }

  get accepting(): boolean {
    return this.#servers.size > 0
  }

  #open(place: { spec: ListenSpec; server?: Server }): Promise<Address> {
    const server = this.#make()
    return new Promise((resolve, reject) => {
      const refused = (error: Error) => reject(listenFailure(place.spec, error))
      server.once('error', refused)
      server.listen(listenOptions(place.spec), () => {
        server.off('error', refused)
        server.on('error', () => this.#context.counters.accept_errors++)
        place.server = server
        this.#add(server)
        const { address, family, port } = server.address() as AddressInfo
        resolve({ address, family: family === 'IPv6' ? 'IPv6' : 'IPv4', port })
      })
    })
  }

  start(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const socket of early) this.#accept(socket)
  }

  /** Accepts no more. */
  stop(): void {
    for (const server of this.#servers) server.close()
    this.#servers.clear()
  }

  /** Settles when all listeners, and all that they accepted, are closed. */
  async closed(): Promise<void> {
    for (const socket of this.#early ?? []) socket.destroy()
    this.#early = undefined
    await Promise.all(this.#closed)
  }

  #add(server: Server): void {
    this.#servers.add(server)
    this.#closed.push(new Promise((resolve) => server.once('close', resolve)))
  }

  #make(): Server {
    const { disableNagle, tcpNodelay, limits } = this.#context.options
    // 0 is no mark: node:net's own would only make it report backpressure that nobody asks about.
    const mark = limits.outputHighWater === 0 ? {} : { highWaterMark: limits.outputHighWater }
    return createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: disableNagle || tcpNodelay,
      ...mark,
    }).on('connection', (socket: Socket) => {
      if (this.#early === undefined) this.#accept(socket)
      else this.#early.push(socket)
    })
  }
}
