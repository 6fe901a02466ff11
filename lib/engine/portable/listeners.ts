// Listening sockets of node:net.

import { once } from 'node:events'
import {
  type AddressInfo,
  createServer,
  isIPv6,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net'
import { Aside } from '../../process/socketfile.js'
import type { Address, ListenSpec } from '../engine.js'
import { listenFailure } from '../listenfailure.js'
import type { Context } from './context.js'

/** How node:net names it. `exclusive`: a worker of node:cluster listens by itself. */
function listenOptions(
  spec: ListenSpec,
  path: string | undefined,
): ListenOptions & { fd?: number } {
  const { address, port, backlog, v6only, fd } = spec
  if (fd !== undefined) return { fd, backlog, exclusive: true }
  if (path !== undefined) return { path: path.replace(/^@/, '\0'), backlog, exclusive: true }
  return { host: address, port, backlog, ipv6Only: v6only, exclusive: true }
}

const placeOf = ({ address, path, port }: ListenSpec): Address =>
  path !== undefined
    ? { address: path, family: 'unix', port: 0 }
    : { address, family: isIPv6(address) ? 'IPv6' : 'IPv4', port }

/** What node:net says of it: an object, or the path of a unix socket, but not of one that it was given open. */
function addressOf(found: AddressInfo | string | null, spec: ListenSpec): Address {
  if (found === null || typeof found === 'string') return placeOf(spec)
  const { address, family, port } = found
  if (address === undefined) return placeOf(spec)
  return { address, family: family === 'IPv6' ? 'IPv6' : 'IPv4', port }
}

export class Listeners {
  readonly #context: Context
  readonly #accept: (socket: Socket, path: string | undefined) => void
  readonly #servers = new Set<Server>()
  /** By the number of the listen() call: how it was asked for, and its server while it accepts. */
  readonly #places: { spec: ListenSpec; server?: Server }[] = []
  /** Accepted before start(); nothing of them is read. */
  #early: [socket: Socket, path: string | undefined][] | undefined = []
  #closed: Promise<unknown>[] = []

  constructor(context: Context, accept: (socket: Socket, path: string | undefined) => void) {
    this.#context = context
    this.#accept = accept
  }

  async listen(spec: ListenSpec): Promise<Address> {
    const place = { spec }
    this.#places.push(place)
    if (!spec.dormant) return this.#open(place)
    return placeOf(spec)
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

  async #open(place: { spec: ListenSpec; server?: Server }): Promise<Address> {
    const { spec } = place
    const { fd, path } = spec
    const server = this.#make(path)
    let aside: Aside | undefined
    try {
      // One that is open already has its name.
      if (fd === undefined && path !== undefined && !path.startsWith('@')) aside = new Aside(path)
      server.listen(listenOptions(spec, aside?.name ?? path))
      await once(server, 'listening')
      aside?.place(false)
    } catch (error) {
      server.close()
      throw listenFailure(spec, error)
    } finally {
      aside?.end()
    }
    server.on('error', () => this.#context.counters.accept_errors++)
    place.server = server
    this.#add(server)
    return addressOf(server.address(), spec)
  }

  start(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const [socket, path] of early) this.#accept(socket, path)
  }

  /** Accepts no more. */
  stop(): void {
    for (const server of this.#servers) server.close()
    this.#servers.clear()
  }

  /** Settles when all listeners, and all that they accepted, are closed. */
  async closed(): Promise<void> {
    for (const [socket] of this.#early ?? []) socket.destroy()
    this.#early = undefined
    await Promise.all(this.#closed)
  }

  #add(server: Server): void {
    this.#servers.add(server)
    this.#closed.push(new Promise((resolve) => server.once('close', resolve)))
  }

  #make(path: string | undefined): Server {
    const { disableNagle, tcpNodelay, limits, socket } = this.#context.options
    const { keepaliveIdle } = socket
    // 0 is no mark: node:net's own would only make it report backpressure that nobody asks about.
    const mark = limits.outputHighWater === 0 ? {} : { highWaterMark: limits.outputHighWater }
    return createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: path === undefined && (disableNagle || tcpNodelay),
      keepAlive: path === undefined && keepaliveIdle > 0,
      keepAliveInitialDelay: keepaliveIdle,
      ...mark,
    }).on('connection', (socket: Socket) => {
      if (this.#early === undefined) this.#accept(socket, path)
      else this.#early.push([socket, path])
    })
  }
}
