// The sockets of an engine of datagrams: which of them receive, and why none does.

import type { RemoteInfo } from 'node:dgram'
import type { Address, ListenSpec } from '../../engine.js'
import { UdpSocket } from './udpsocket.js'

export interface Receiver {
  received(socket: UdpSocket, bytes: Buffer, from: RemoteInfo): void
  failed(): void
}

export class DatagramSockets {
  readonly #receiver: Receiver
  /** By the number of the listen() call. */
  readonly #places: { socket: UdpSocket; wanted: boolean }[] = []
  #started = false
  #paused = false
  /** Sockets that rest would not keep the process alive. */
  #alive: NodeJS.Timeout | undefined

  constructor(receiver: Receiver) {
    this.#receiver = receiver
  }

  listen(spec: ListenSpec): Address {
    const socket = UdpSocket.open(spec)
    socket.listen(
      (bytes, from) => this.#receiver.received(socket, bytes, from),
      () => this.#receiver.failed(),
    )
    this.#places.push({ socket, wanted: spec.dormant !== true })
    return socket.address
  }

  start(): void {
    this.#started = true
    this.#alive = setInterval(() => undefined, 2 ** 30)
    this.#steer()
  }

  /** None receives any more; what is answered late still leaves by them. */
  stop(): void {
    this.#started = false
    this.#steer()
  }

  want(number: number, on: boolean): void {
    const place = this.#places[number]
    if (place === undefined) return
    place.wanted = on
    this.#steer()
  }

  get paused(): boolean {
    return this.#paused
  }

  /** No more are read for a while. */
  set paused(on: boolean) {
    this.#paused = on
    this.#steer()
  }

  get receiving(): boolean {
    return this.#places.some(({ socket }) => socket.receiving)
  }

  /** Datagrams that were given to a socket and have not left. */
  get pending(): number {
    return this.#places.reduce((sum, { socket }) => sum + socket.pending, 0)
  }

  async close(): Promise<void> {
    clearInterval(this.#alive)
    await Promise.all(this.#places.splice(0).map(({ socket }) => socket.close()))
  }

  #steer(): void {
    for (const { socket, wanted } of this.#places)
      socket.receiving = this.#started && !this.#paused && wanted
  }
}
