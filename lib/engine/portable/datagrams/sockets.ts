// The sockets of an engine of datagrams: which of them receive, and why none does.

import type { Address, ListenSpec } from '../../engine.js'
import type { DatagramSocket, OpenSocket, Receiver } from './datagramsocket.js'

export class DatagramSockets {
  readonly #receiver: Receiver
  readonly #open: OpenSocket
  /** By the number of the listen() call. */
  readonly #places: { socket: DatagramSocket; wanted: boolean }[] = []
  #started = false
  #paused = false
  /** Sockets that rest would not keep the process alive. */
  #alive: NodeJS.Timeout | undefined

  constructor(receiver: Receiver, open: OpenSocket) {
    this.#receiver = receiver
    this.#open = open
  }

  async listen(spec: ListenSpec): Promise<Address> {
    const socket = await this.#open(spec, this.#receiver)
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

  /** What has not left never will. */
  drop(): void {
    for (const { socket } of this.#places) socket.drop()
  }

  /** @param graceMs what has left may be on its way for so long */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#alive)
    await Promise.all(this.#places.splice(0).map(({ socket }) => socket.close(graceMs)))
  }

  #steer(): void {
    for (const { socket, wanted } of this.#places)
      socket.receiving = this.#started && !this.#paused && wanted
  }
}
