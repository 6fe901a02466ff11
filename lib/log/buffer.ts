// Whole lines that wait for their target, in one piece of memory that is bounded: what does not fit is
// dropped and counted, line by line.

/** Lines beyond this many waiting bytes are dropped. */
export const MOST_BYTES = 1024 * 1024
/** Memory that an empty buffer keeps. */
const KEPT_BYTES = 64 * 1024
const NEWLINE = 0x0a

export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(4096)
  #start = 0
  #end = 0
  /** Bytes from #start on that are being written: they must not move. */
  #lent = 0
  /** The first byte is the middle of a line. */
  #cut = false

  get length(): number {
    return this.#end - this.#start
  }

  /** Adds whole lines, each with its end. @returns how many did not fit */
  add(lines: string): number {
    const room = MOST_BYTES - this.length
    const length = Buffer.byteLength(lines)
    if (length <= room) {
      this.#append(lines, length)
      return 0
    }
    const bytes = Buffer.from(lines)
    const fits = room > 0 ? bytes.lastIndexOf(NEWLINE, room - 1) + 1 : 0
    if (fits > 0) this.#append(bytes.toString('latin1', 0, fits), fits, 'latin1')
    return count(bytes.subarray(fits))
  }

  /** Whole lines from the front, at most `most` bytes unless one line alone is longer. Until taken() they stay. */
  lend(most: number): Buffer {
    const waiting = this.#bytes.subarray(this.#start, this.#end)
    const last =
      waiting.length <= most ? waiting.length : waiting.lastIndexOf(NEWLINE, most - 1) + 1
    this.#lent = last > 0 ? last : waiting.indexOf(NEWLINE) + 1
    return waiting.subarray(0, this.#lent)
  }

  /** So many bytes of those lent were written. */
  taken(bytes: number): void {
    this.#lent = 0
    if (bytes === 0) return
    this.#start += bytes
    this.#cut = this.#bytes[this.#start - 1] !== NEWLINE
    if (this.length > 0) return
    this.#start = this.#end = 0
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(4096)
  }

  /** What waits behind the bytes that are lent. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#start + this.#lent, this.#end)
  }

  /** So many bytes of the rest were written. */
  restTaken(bytes: number): void {
    this.#bytes.copyWithin(this.#start + this.#lent, this.#start + this.#lent + bytes, this.#end)
    this.#end -= bytes
  }

  /** Passes over what is being written already. */
  skipLent(): void {
    this.taken(this.#lent)
  }

  /** Drops the rest of a line whose beginning went elsewhere. @returns 1 when there was one */
  dropCut(): number {
    if (!this.#cut || this.length === 0) return 0
    this.lend(1)
    this.skipLent()
    return 1
  }

  #append(lines: string, length: number, encoding: BufferEncoding = 'utf8'): void {
    if (this.#end + length > this.#bytes.length) this.#makeRoom(length)
    this.#bytes.write(lines, this.#end, length, encoding)
    this.#end += length
  }

  /**
   * Moves what waits to the front, of other memory where that would leave less room than it takes (so that bytes
   * are moved seldom) or where bytes are lent.
   */
  #makeRoom(length: number): void {
    const wanted = 2 * (this.length + length)
    const waiting = this.#bytes.subarray(this.#start, this.#end)
    const same = this.#lent === 0 && wanted <= this.#bytes.length
    const bytes = same ? this.#bytes : Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(wanted)))
    waiting.copy(bytes)
    this.#bytes = bytes
    this.#end -= this.#start
    this.#start = 0
  }
}

/** Lines in bytes. */
function count(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++
  return lines
}
