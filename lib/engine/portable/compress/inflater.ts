// What comes on a connection, inflated: no more at a time than fits a buffer, the rest of the input is held until that
// was taken. The same rules as native/compress/compress_filter.cc.

import type { CompressOptions, Limits } from '../../engine.js'
import type { CloseReason } from '../../reasons.js'
import type { Decoder } from './decoder.js'
import type { Method } from './methods.js'

/** Shorter streams may have any ratio. */
export const RATIO_FROM = 64 * 1024
const NOTHING = Buffer.alloc(0)

type Bounds = Pick<Limits, 'inflateMax' | 'inflateRatio'>

export class Inflater {
  /** Why nothing further is understood. */
  refusal: CloseReason | undefined

  readonly #method: Method
  readonly #options: CompressOptions
  #decoder: Decoder | undefined
  #held: Buffer = NOTHING
  /** The decoder may have more without further input. */
  #isFull = false
  #hasEnded = false
  #isPadding = false
  /** Bytes of input so far. */
  used = 0
  /** Of what they became, and of what became of what was received last. */
  #made = 0
  #burst = 0

  constructor(method: Method, options: CompressOptions) {
    this.#method = method
    this.#options = options
  }

  /** There may be more to take without further input. */
  get holds(): boolean {
    return this.refusal === undefined && (this.#isFull || this.#held.length > 0)
  }

  /** Bytes of input that wait. */
  get held(): number {
    return this.#held.length
  }

  /** Takes a copy of what has come. */
  push(chunk: Buffer): void {
    if (this.refusal !== undefined) return
    if (!this.holds) this.#burst = 0
    this.#held = Buffer.concat([this.#held, chunk])
  }

  /** Inflates into `output`. @returns how many bytes; it may then hold no more, or have a refusal */
  take(output: Buffer, bounds: Bounds): number {
    const input = this.#held
    const { used, made } = this.#inflate(input, output)
    this.#held = used === input.length ? NOTHING : input.subarray(used)
    this.used += used
    this.#made += made
    this.#burst += made
    if (this.#isBeyond(bounds)) {
      this.#refuse('inflate_limit')
      return 0
    }
    return made
  }

  /** The peer has ended its input. @returns false when that was in the midst of a stream */
  finish(): boolean {
    if (this.used === 0 || this.#hasEnded || this.#decoder?.isWhole()) return true
    this.#refuse('inflate_truncated')
    return false
  }

  close(): void {
    this.#decoder?.close()
    this.#decoder = undefined
  }

  #inflate(input: Buffer, output: Buffer): { used: number; made: number } {
    let used = 0
    let made = 0
    while (this.#isFull || used < input.length) {
      if (this.#hasEnded && !this.#beginNext(input.subarray(used)))
        return { used: input.length, made }
      this.#decoder ??= this.#method.decoder(this.#options)
      const progress = this.#decoder.decode(input, used, output.subarray(made))
      this.#isFull = progress === 'room'
      used += this.#decoder.used
      made += this.#decoder.made
      if (progress === 'broken') {
        this.#refuse('inflate_error')
        return { used: input.length, made }
      }
      if (progress !== 'end') break
      this.#hasEnded = true
      this.close()
    }
    return { used, made }
  }

  /** Behind a stream: another one, padding, or what does not belong there. @returns whether there is one to decode */
  #beginNext(rest: Buffer): boolean {
    if (!this.#isPadding && this.#method.joins(rest[0] as number)) {
      this.#hasEnded = false
      return true
    }
    this.#isPadding = this.#method.pads && rest.every((byte) => byte === 0)
    if (!this.#isPadding) this.#refuse('inflate_trailing')
    return false
  }

  #isBeyond({ inflateMax, inflateRatio }: Bounds): boolean {
    if (inflateMax > 0 && this.#burst > inflateMax) return true
    return inflateRatio > 0 && this.#made > RATIO_FROM && this.#made > inflateRatio * this.used
  }

  #refuse(why: CloseReason): void {
    this.refusal = why
    this.#isFull = false
    this.#held = NOTHING
    this.close()
  }
}
