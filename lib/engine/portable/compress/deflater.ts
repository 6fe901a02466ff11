// What a connection sends, compressed.

import type { CompressOptions, EngineStats } from '../../engine.js'
import { type Coder, GO_ON, ROOM } from './coder.js'
import type { Method } from './methods.js'

const NOTHING = Buffer.alloc(0)

export class Deflater {
  readonly #counters: EngineStats
  readonly #method: Method
  readonly #options: CompressOptions
  #coder: Coder | undefined

  constructor(method: Method, options: CompressOptions, counters: EngineStats) {
    this.#counters = counters
    this.#method = method
    this.#options = options
  }

  /** What the peer can make all of `pieces` out of. */
  encode(pieces: readonly Buffer[]): Buffer[] {
    const { flush } = this.#method
    return pieces.flatMap((piece, i) => this.#run(piece, i < pieces.length - 1 ? GO_ON : flush))
  }

  /** The stream's end: a stream without any bytes has one, too. */
  finish(): Buffer[] {
    const last = this.#run(NOTHING, this.#method.finish)
    this.close()
    return last
  }

  close(): void {
    this.#coder?.close()
    this.#coder = undefined
  }

  #run(piece: Buffer, flush: number): Buffer[] {
    this.#coder ??= this.#method.encoder(this.#options)
    const coded = encodeAll(this.#coder, piece, flush)
    for (const { length } of coded) this.#counters.compressed_bytes_out += length
    return coded
  }
}

/** All that an encoder makes of this. */
export function encodeAll(coder: Coder, piece: Uint8Array, flush: number): Buffer[] {
  const coded: Buffer[] = []
  for (let at = 0, made = ROOM.length; made === ROOM.length; at += coder.used) {
    if (!coder.step(flush, piece, at, ROOM)) throw new Error('no memory for compression')
    made = coder.made
    if (made > 0) coded.push(Buffer.from(ROOM.subarray(0, made)))
  }
  return coded
}
