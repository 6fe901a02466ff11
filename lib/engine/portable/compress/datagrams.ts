// Compression of datagrams: each is a stream by itself, that nothing follows. As native/compress/datagram_codec.cc.

import type { CompressOptions, EngineStats, Limits } from '../../engine.js'
import { ROOM } from './coder.js'
import type { Decoder } from './decoder.js'
import { encodeAll } from './deflater.js'
import { RATIO_FROM } from './inflater.js'
import type { Method } from './methods.js'

export class DatagramCodec {
  readonly #method: Method
  readonly #options: CompressOptions
  readonly #counters: EngineStats

  constructor(method: Method, options: CompressOptions, counters: EngineStats) {
    this.#method = method
    this.#options = options
    this.#counters = counters
  }

  /** @returns what `wire` becomes; undefined, and counted, where it is no such stream or becomes more than `limits` allow */
  inflate(wire: Buffer, limits: Limits): Buffer | undefined {
    this.#counters.compressed_bytes_in += wire.length
    const decoder = this.#method.decoder(this.#options)
    const plain = wholeOf(decoder, wire, mostOf(wire.length, limits))
    decoder.close()
    if (plain === undefined) this.#counters.datagrams_corrupt++
    return plain
  }

  deflate(plain: Uint8Array): Buffer {
    const encoder = this.#method.encoder(this.#options)
    const wire = Buffer.concat(encodeAll(encoder, plain, this.#method.finish))
    encoder.close()
    return wire
  }
}

/** Bytes that a datagram of `length` bytes may inflate to. */
function mostOf(length: number, { maxFrameSize, inflateMax, inflateRatio }: Limits): number {
  const byRatio = inflateRatio === 0 ? 0 : Math.max(RATIO_FROM, inflateRatio * length)
  return Math.min(...[maxFrameSize, inflateMax, byRatio].filter((bound) => bound > 0))
}

/** What the whole of `wire` inflates to, `most` bytes at the most. */
function wholeOf(decoder: Decoder, wire: Buffer, most: number): Buffer | undefined {
  const made: Buffer[] = []
  let at = 0
  for (let length = 0; length <= most; ) {
    const progress = decoder.decode(wire, at, ROOM)
    at += decoder.used
    length += decoder.made
    made.push(Buffer.from(ROOM.subarray(0, decoder.made)))
    if (progress === 'room') continue
    const isWhole =
      progress === 'end' ? at === wire.length : progress === 'more' && decoder.isWhole()
    return isWhole && length <= most ? Buffer.concat(made) : undefined
  }
  return undefined
}
