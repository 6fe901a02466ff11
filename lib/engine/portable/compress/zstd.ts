// One frame of zstd. libzstd begins with the next where one ends, and node:zlib does not tell that it has: where a
// frame ends is read from its own lengths (RFC 8878, 3.1).

import { type Coder, GO_ON } from './coder.js'
import type { Decoder, Progress } from './decoder.js'

const MAGIC = 0xfd2fb528
const SKIPPED = 0x184d2a50
const MAGIC_BYTES = 4
const BLOCK_HEADER = 3
const CHECKSUM = 4
const LAST_BLOCK = 1
const RLE = 1
/** Bytes of the content's size and of the dictionary's identity, by their flags. */
const SIZE_BYTES = [0, 2, 4, 8] as const
const DICTIONARY_BYTES = [0, 1, 2, 4] as const

type Part = 'magic' | 'length' | 'descriptor' | 'header' | 'block' | 'content' | 'checksum'

/** Whether a frame, or one to be skipped, may begin with this byte. */
export const isZstdFrame = (first: number): boolean =>
  first === (MAGIC & 0xff) || (first & 0xf0) === (SKIPPED & 0xff)

/** Says how many of the bytes that come belong to a frame. What they say is for libzstd to judge. */
export class ZstdFrame {
  hasEnded = false
  /** What is being waited for, and how many bytes of it are missing, or to be skipped. */
  #part: Part = 'magic'
  #wanted = MAGIC_BYTES
  /** The value of the part's bytes so far, and their number. */
  #value = 0
  #read = 0
  #hasChecksum = false
  #isLast = false

  /** @returns how many of the bytes from `at` on are of this frame */
  take(input: Uint8Array, at: number): number {
    let next = at
    while (!this.hasEnded && next < input.length) {
      const taken = Math.min(this.#wanted, input.length - next)
      for (let i = 0; i < taken && this.#read < MAGIC_BYTES; i++)
        this.#value += (input[next + i] as number) * 2 ** (8 * this.#read++)
      next += taken
      this.#wanted -= taken
      this.#proceed()
    }
    return next - at
  }

  /** From one part to the next, for as long as nothing is missing of it. */
  #proceed(): void {
    while (this.#wanted === 0 && !this.hasEnded) {
      const value = this.#value
      this.#value = 0
      this.#read = 0
      this.#next(value)
    }
  }

  #next(value: number): void {
    switch (this.#part) {
      case 'magic':
        // A frame of another kind is refused by libzstd at its magic number.
        if ((value & ~0xf) >>> 0 === SKIPPED) this.#want('length', MAGIC_BYTES)
        else this.#want('descriptor', 1)
        return
      case 'length':
        this.#isLast = true
        this.#want('content', value)
        return
      case 'descriptor':
        this.#hasChecksum = (value & 4) !== 0
        this.#want('header', headerBytes(value))
        return
      case 'header':
        this.#want('block', BLOCK_HEADER)
        return
      case 'block': {
        const type = (value >> 1) & 3
        this.#isLast = (value & LAST_BLOCK) !== 0
        this.#want('content', type === RLE ? 1 : value >> 3)
        return
      }
      case 'content':
        if (!this.#isLast) this.#want('block', BLOCK_HEADER)
        else if (this.#hasChecksum) this.#want('checksum', CHECKSUM)
        else this.hasEnded = true
        return
      case 'checksum':
        this.hasEnded = true
    }
  }

  #want(part: Part, bytes: number): void {
    this.#part = part
    this.#wanted = bytes
  }
}

/** Bytes of a frame's header behind its descriptor. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeFlag = descriptor >> 6
  const size = sizeFlag === 0 && isSingleSegment ? 1 : (SIZE_BYTES[sizeFlag] as number)
  return (isSingleSegment ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number) + size
}

export class ZstdDecoder implements Decoder {
  used = 0
  made = 0
  readonly #coder: Coder
  readonly #frame = new ZstdFrame()
  /** Bytes of the frame that the coder has not had yet: the first of what is given next. */
  #known = 0
  #isWhole = false

  constructor(coder: Coder) {
    this.#coder = coder
  }

  decode(input: Buffer, at: number, output: Buffer): Progress {
    this.used = 0
    this.made = 0
    this.#known += this.#frame.take(input, at + this.#known)
    const own = input.subarray(0, at + this.#known)
    // It may stop before its input is used up, after a block for one.
    for (let isMoving = true; isMoving; ) {
      const room = output.subarray(this.made)
      if (!this.#coder.step(GO_ON, own, at + this.used, room)) return 'broken'
      const { used, made } = this.#coder
      this.used += used
      this.made += made
      this.#known -= used
      if (this.made === output.length) return 'room'
      isMoving = made > 0 || (used > 0 && this.#known > 0)
    }
    this.#isWhole = this.#frame.hasEnded && this.#known === 0
    return this.#isWhole ? 'end' : 'more'
  }

  isWhole(): boolean {
    return this.#isWhole
  }

  close(): void {
    this.#coder.close()
  }
}
