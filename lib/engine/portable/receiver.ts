// Reads all connections into one buffer. node:net would allocate 64 KiB for each chunk, shrink it, and make an
// ArrayBuffer of it for the collector to free: a fifth of all that an echo costs.

import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import { View } from '../../dispatch/view.js'

const RECV_BYTES = 64 * 1024

/** Called with what has come, which is written over after the call. */
export type Receive = (chunk: Buffer) => void

/** What node:net does not document: where a socket keeps its handle, and how its server makes a socket of one. */
type Accepted = Socket & { _handle?: object | null }
type SocketOptions = SocketConstructorOpts & {
  handle: object
  pauseOnCreate: boolean
  writableHighWaterMark: number
  onread: OnReadOpts
}

export class Receiver {
  // One is enough: libuv reads and calls back at once, before it reads from the next connection.
  readonly #memory = new ArrayBuffer(RECV_BYTES)
  readonly #buffer = Buffer.from(this.#memory)

  /**
   * Takes over a socket that a server has accepted. node:net can be told where to read to only when it makes a
   * socket, and its server does not ask.
   * @returns the socket to use from now on, paused as the other one was
   */
  adopt(accepted: Socket, receive: Receive): Socket {
    const { _handle: handle } = accepted as Accepted
    if (handle === undefined || handle === null) return accepted.on('data', receive)
    const memory = this.#memory
    const callback = (length: number): boolean => {
      receive(new View(memory, 0, length))
      return true
    }
    const options: SocketOptions = {
      handle,
      allowHalfOpen: true,
      pauseOnCreate: true,
      writableHighWaterMark: accepted.writableHighWaterMark,
      onread: { buffer: this.#buffer, callback },
    }
    const socket = new Socket(options)
    // Without a handle this ends nothing but the server's count of its sockets.
    ;(accepted as Accepted)._handle = null
    accepted.destroy()
    return socket
  }
}
