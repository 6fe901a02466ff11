// What one connection has to send: replies of a turn are gathered here and leave in one write. node:net queues
// what the kernel does not take.

import type { Socket } from 'node:net'
import { View } from '../../dispatch/view.js'
import type { Deflater } from './compress/deflater.js'
import type { Spool } from './spool.js'

const EMPTY = Buffer.alloc(0)
/** Scattered pieces up to this many bytes are joined, which costs less than a gathering write. */
const JOIN_BYTES = 16 * 1024

export class Output {
  /** Where what is sent is compressed. */
  deflater: Deflater | undefined
  /** Bytes handed to the socket since it was accepted, sent or not. */
  written = 0
  /** Bytes that were to be sent: of what is compressed, before it was. */
  given = 0
  /** Bytes that wait for flush(). */
  gathered = 0

  #socket: Socket
  #run: Buffer = EMPTY
  #start = 0
  #end = 0
  #pieces: Buffer[] | undefined

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** What is written from now on goes there. */
  turnTo(socket: Socket): void {
    this.#socket = socket
  }

  /** Bytes that the kernel has not taken yet. */
  get queued(): number {
    return this.gathered + this.#socket.writableLength
  }

  /** Bytes of `given` that the kernel has not taken; 0 of what is compressed: nobody can tell. */
  get unsent(): number {
    return this.deflater === undefined ? this.#socket.writableLength : 0
  }

  /** Takes buffer[start..end) by reference: it must never be rewritten. Pieces that touch become one. */
  add(buffer: Buffer, start: number, end: number): void {
    if (start === end) return
    this.gathered += end - start
    if (buffer === this.#run && start === this.#end) {
      this.#end = end
      return
    }
    if (this.#run !== EMPTY) {
      this.#pieces ??= []
      this.#pieces.push(this.#piece())
    }
    this.#run = buffer
    this.#start = start
    this.#end = end
  }

  /** Takes a copy of data[start..end). */
  copy(spool: Spool, data: Uint8Array, start: number, end: number): void {
    if (start === end) return
    spool.copy(data, start, end)
    this.add(spool.buffer, spool.start, spool.end)
  }

  /** Hands what was gathered to the socket in one write, compressed where it has to be; returns how many bytes it was given. */
  flush(): number {
    const bytes = this.gathered
    if (bytes === 0) return 0
    const pieces = this.#pieces ?? []
    pieces.push(this.#piece())
    this.drop()
    this.given += bytes
    this.#write(this.deflater?.encode(pieces) ?? pieces)
    return bytes
  }

  /** The same, and what has to be said last. */
  end(): number {
    const bytes = this.flush()
    this.#write(this.deflater?.finish() ?? [])
    return bytes
  }

  /** Forgets what was gathered. */
  drop(): void {
    this.gathered = 0
    this.#run = EMPTY
    this.#pieces = undefined
  }

  #piece(): Buffer {
    const run = this.#run
    const whole = this.#start === 0 && this.#end === run.length
    if (whole) return run
    // subarray() costs three times as much.
    return new View(run.buffer, run.byteOffset + this.#start, this.#end - this.#start)
  }

  #write(pieces: readonly Buffer[]): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    this.written += bytes
    if (pieces.length === 1) this.#socket.write(pieces[0] as Buffer)
    else if (bytes > 0) this.#scattered(pieces, bytes)
  }

  #scattered(pieces: readonly Buffer[], bytes: number): void {
    if (bytes <= JOIN_BYTES) {
      this.#socket.write(Buffer.concat(pieces, bytes))
      return
    }
    this.#socket.cork()
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.uncork()
  }
}
