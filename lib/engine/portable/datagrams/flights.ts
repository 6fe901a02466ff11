// Datagrams on their way through the host: from their arrival to the reply that answers them. Each is named like a
// connection, by a place and a generation, and to the host it is one, of one request.

import type { DatagramSocket, Origin } from './datagramsocket.js'

/** Its reply leaves by the socket that it came by. */
export interface Flight {
  readonly slot: number
  readonly generation: number
  readonly socket: DatagramSocket
  readonly from: Origin
  /** Bytes of the datagram, and of its replies so far. */
  readonly length: number
  sent: number
  /** It can be answered. */
  live: boolean
  /** A JS object stands for it: it is told of its end. */
  watched: boolean
  /** Since when a call is waited for that answers it; 0: none is. */
  lateSince: number
}

export class Flights {
  live = 0
  /** Places that are not free. */
  used = 0
  readonly #places: (Flight | undefined)[] = []
  readonly #generations: number[] = []
  readonly #free: number[] = []
  /** Those that are answered by calls, oldest first. */
  readonly #late = new Set<Flight>()

  begin(socket: DatagramSocket, from: Origin, length: number): Flight {
    const slot = this.#free.pop() ?? this.#places.length
    const flight: Flight = {
      slot,
      generation: this.#generations[slot] ?? 0,
      socket,
      from,
      length,
      sent: 0,
      live: true,
      watched: false,
      lateSince: 0,
    }
    this.#places[slot] = flight
    this.#generations[slot] = flight.generation
    this.live++
    this.used++
    return flight
  }

  /** The flight of that name, also while its end is still to be told. */
  find(slot: number, generation: number): Flight | undefined {
    const flight = this.#places[slot]
    return flight?.generation === generation ? flight : undefined
  }

  wait(flight: Flight, now: number): void {
    flight.lateSince = now
    this.#late.add(flight)
  }

  /** Of those that are answered by calls the one that has waited for longest. */
  get oldest(): Flight | undefined {
    return this.#late.values().next().value
  }

  /** It can be answered no more. Its place is kept until release(). */
  end(flight: Flight): void {
    flight.live = false
    this.live--
    this.#late.delete(flight)
  }

  release(flight: Flight): void {
    this.#places[flight.slot] = undefined
    this.#generations[flight.slot] = (flight.generation + 1) >>> 0
    this.#free.push(flight.slot)
    this.used--
  }

  *[Symbol.iterator](): Generator<Flight> {
    for (const flight of this.#places) if (flight?.live) yield flight
  }
}
