// One zlib or brotli context of node:zlib, driven step by step on the caller's memory: the streams that node:zlib
// offers take all they are given, and answer in a later turn.

import type { BrotliDecompress, Gzip } from 'node:zlib'

/** What node:zlib calls going on, of each method. */
export const GO_ON = 0
/** Where a step's output goes before it is known how much it is: whoever wants it copies it out. */
export const ROOM = Buffer.allocUnsafeSlow(64 * 1024)

/** What node:zlib does not document: where its streams keep their context, and what that answers. */
interface Under {
  _handle: {
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void
    onerror: () => void
  }
  /** Room and input that the last step has left. */
  _writeState: Uint32Array
}

/** Any stream of node:zlib. */
export type ZlibStream = Gzip | BrotliDecompress

export class Coder {
  /** Bytes of input that the last step has used, and of output that it has made. */
  used = 0
  made = 0
  readonly #stream: ZlibStream & Under
  #isBroken = false

  constructor(stream: ZlibStream) {
    this.#stream = stream as ZlibStream & Under
    this.#stream._handle.onerror = () => {
      this.#isBroken = true
    }
  }

  /**
   * Takes input from `at` on and fills `output`, as far as both go.
   * @param flush one of the constants of node:zlib
   * @returns false when the input is no such stream, or no memory is left
   */
  step(flush: number, input: Uint8Array, at: number, output: Uint8Array): boolean {
    const { _handle: handle, _writeState: state } = this.#stream
    const available = input.length - at
    handle.writeSync(flush, input, at, available, output, 0, output.length)
    if (this.#isBroken) return false
    this.made = output.length - (state[0] as number)
    this.used = available - (state[1] as number)
    return true
  }

  /** Gives its memory back. */
  close(): void {
    this.#stream.close()
  }
}
