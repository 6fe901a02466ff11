// What an engine of datagrams wants of a socket: node:dgram's (udpsocket.ts) or ZeroMQ's (zmqsocket.ts).

import type { RemoteInfo } from 'node:dgram'
import type { Address, ListenSpec } from '../../engine.js'
import type { Envelope } from './envelope.js'

/** Where a datagram came from, as its socket names it: what a reply is sent to. */
export type Origin = RemoteInfo | Envelope

/** Who hears of a socket. */
export interface Receiver {
  received(socket: DatagramSocket, bytes: Buffer, from: Origin): void
  /** An error that belongs to no datagram of ours; the socket goes on. */
  failed(): void
  /** A message of `length` bytes came that is no request: it has several parts. */
  unfit(length: number): void
}

export interface DatagramSocket {
  readonly address: Address
  /** Datagrams that were given to send() and have not left. */
  readonly pending: number
  /** What comes meanwhile waits outside. */
  receiving: boolean
  remoteOf(from: Origin): Address
  /**
   * Sends one datagram; `bytes` are not to change before `done` is called, in a later tick.
   * @param done told how many bytes were taken; undefined: none
   */
  send(bytes: Uint8Array, to: Origin, done: (bytes: number | undefined) => void): void
  /** What was given to send() and has not left never will. */
  drop(): void
  /** @param graceMs what has left already may be on its way for so long */
  close(graceMs: number): Promise<void>
}

/** Makes one that is bound, silent until it is told to receive. @throws GaidarosError ERR_GAIDAROS_LISTEN */
export type OpenSocket = (
  spec: ListenSpec,
  receiver: Receiver,
) => DatagramSocket | Promise<DatagramSocket>
