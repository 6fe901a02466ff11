// Decoders of one stream each: what has come in, what it inflates to, and whether it is over.

import { constants, crc32 } from 'node:zlib'
import { type Coder, GO_ON } from './coder.js'

/**
 * more: all input is used; room: the output is full, there may be more; end: the stream is over, and input behind it is
 * left; broken: this is no such stream.
 */
export type Progress = 'more' | 'room' | 'end' | 'broken'

export interface Decoder {
  /** Of the last decode(). */
  readonly used: number
  readonly made: number
  /** Takes input from `at` on and fills `output`. */
  decode(input: Buffer, at: number, output: Buffer): Progress
  /** Nothing is missing of the stream. Not to be used after it. */
  isWhole(): boolean
  close(): void
}

const NOTHING = Buffer.alloc(0)

/** zlib and brotli, which know their own end. */
export class PlainDecoder implements Decoder {
  used = 0
  made = 0
  readonly #coder: Coder
  readonly #finish: number
  readonly #accepts: (first: number) => boolean
  #hasBegun = false

  /**
   * @param finish what node:zlib calls the end of input
   * @param accepts whether a stream may begin with this byte
   */
  constructor(coder: Coder, finish: number, accepts: (first: number) => boolean = () => true) {
    this.#coder = coder
    this.#finish = finish
    this.#accepts = accepts
  }

  decode(input: Buffer, at: number, output: Buffer): Progress {
    this.used = 0
    this.made = 0
    const first = input[at]
    if (!this.#hasBegun && first !== undefined && !this.#accepts(first)) return 'broken'
    this.#hasBegun = true
    if (!this.#coder.step(GO_ON, input, at, output)) return 'broken'
    this.used = this.#coder.used
    this.made = this.#coder.made
    if (this.made === output.length) return 'room'
    return this.used === input.length - at ? 'more' : 'end'
  }

  isWhole(): boolean {
    return this.#coder.step(this.#finish, NOTHING, 0, Buffer.alloc(1))
  }

  close(): void {
    this.#coder.close()
  }
}

const MAGIC = [0x1f, 0x8b, 0x08] as const
const FLAG = { crc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const
const FIXED = 10
/** Longer ones are nobody's. */
const LONGEST_HEADER = 128 * 1024
const TRAILER = 8

/**
 * One member of gzip (RFC 1952): node:zlib's own decoder goes on with what stands behind it, and where that is no
 * member, it does not tell how far it had come.
 */
export class GzipDecoder implements Decoder {
  used = 0
  made = 0
  readonly #body: PlainDecoder
  #part: 'header' | 'body' | 'trailer' | 'end' = 'header'
  #held: Buffer = NOTHING
  #crc = 0
  #length = 0

  /** @param coder of raw deflate */
  constructor(coder: Coder) {
    this.#body = new PlainDecoder(coder, constants.Z_FINISH)
  }

  decode(input: Buffer, at: number, output: Buffer): Progress {
    this.used = 0
    this.made = 0
    if (this.#part === 'header') {
      const progress = this.#header(input, at)
      if (progress !== 'end') return progress
      this.#part = 'body'
    }
    if (this.#part === 'body') {
      const progress = this.#inflate(input, at + this.used, output)
      if (progress !== 'end') return progress
      this.#part = 'trailer'
    }
    return this.#trailer(input, at + this.used)
  }

  isWhole(): boolean {
    return this.#part === 'end'
  }

  close(): void {
    this.#body.close()
  }

  #inflate(input: Buffer, at: number, output: Buffer): Progress {
    const progress = this.#body.decode(input, at, output)
    if (progress === 'broken') return progress
    this.used += this.#body.used
    this.made = this.#body.made
    this.#crc = crc32(output.subarray(0, this.made), this.#crc)
    this.#length = (this.#length + this.made) >>> 0
    return progress
  }

  #header(input: Buffer, at: number): Progress {
    const before = this.#held.length
    this.#held = Buffer.concat([this.#held, input.subarray(at)])
    const length = headerLength(this.#held)
    if (length === 'broken' || (length === 'more' && this.#held.length > LONGEST_HEADER))
      return 'broken'
    this.used = length === 'more' ? input.length - at : length - before
    if (length === 'more') return 'more'
    this.#held = NOTHING
    return 'end'
  }

  #trailer(input: Buffer, at: number): Progress {
    const part = input.subarray(at, at + TRAILER - this.#held.length)
    this.#held = Buffer.concat([this.#held, part])
    this.used += part.length
    if (this.#held.length < TRAILER) return 'more'
    this.#part = 'end'
    const isGood =
      this.#held.readUInt32LE(0) === this.#crc && this.#held.readUInt32LE(4) === this.#length
    return isGood ? 'end' : 'broken'
  }
}

/** How long the header is that these bytes begin with. */
function headerLength(bytes: Buffer): number | 'more' | 'broken' {
  if (MAGIC.some((byte, i) => i < bytes.length && bytes[i] !== byte)) return 'broken'
  if (bytes.length < FIXED) return 'more'
  const flags = bytes[3] as number
  if ((flags & FLAG.reserved) !== 0) return 'broken'
  let at = FIXED
  if ((flags & FLAG.extra) !== 0) {
    if (bytes.length < at + 2) return 'more'
    at += 2 + bytes.readUInt16LE(at)
  }
  for (const flag of [FLAG.name, FLAG.comment]) {
    if ((flags & flag) === 0) continue
    const end = bytes.indexOf(0, at)
    if (end < 0) return 'more'
    at = end + 1
  }
  if ((flags & FLAG.crc) === 0) return at <= bytes.length ? at : 'more'
  if (bytes.length < at + 2) return 'more'
  return bytes.readUInt16LE(at) === (crc32(bytes.subarray(0, at)) & 0xffff) ? at + 2 : 'broken'
}
