// A response whose body comes in pieces, as the pieces of a streamed reply. Its head goes with the first of them, even
// an empty one: whatever fails before is answered as an error.

import { typeName } from '../dispatch/codec.js'
import type { Bytes } from '../handler/contract.js'
import { chunkOfBytes, chunkOfText, LAST_CHUNK } from './chunks.js'
import { wrong } from './fields.js'

type Piece = string | Uint8Array

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

export class StreamedResponse implements AsyncIterable<Piece>, AsyncIterator<Piece, undefined> {
  /** Sent already: ''. */
  #head: string
  readonly #pieces: AsyncIterator<Bytes | string>
  readonly #isChunked: boolean
  readonly #length: number | undefined
  #sent = 0
  #isOver = false

  /** @param length what the head says, where it says it: no piece may lack, none may be too much */
  constructor(
    head: string,
    body: AsyncIterable<Bytes | string>,
    isChunked: boolean,
    length: number | undefined,
  ) {
    this.#head = head
    this.#pieces = body[Symbol.asyncIterator]()
    this.#isChunked = isChunked
    this.#length = length
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Piece, undefined>> {
    while (!this.#isOver) {
      const { done, value } = await this.#pieces.next()
      const piece = done ? this.#last() : this.#piece(value)
      this.#head = ''
      if (piece.length > 0) return { done: false, value: piece }
    }
    return DONE
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#isOver = true
    await this.#pieces.return?.()
    return DONE
  }

  #last(): Piece {
    this.#isOver = true
    if (this.#length !== undefined && this.#sent < this.#length)
      throw wrong(`body: has ${this.#sent} bytes`, `${this.#length} as content-length says`)
    const end = this.#isChunked ? LAST_CHUNK : ''
    return Buffer.from(this.#head + end, 'latin1')
  }

  #piece(value: unknown): Piece {
    if (value === undefined) return this.#whole(EMPTY)
    if (typeof value === 'string' && this.#isChunked && value !== '') return this.#text(value)
    if (typeof value === 'string') return this.#whole(Buffer.from(value))
    if (value instanceof Uint8Array) return this.#whole(value)
    if (value instanceof ArrayBuffer) return this.#whole(new Uint8Array(value))
    throw wrong(`body: has a piece of type ${typeName(value)}`, 'strings or bytes')
  }

  #text(text: string): Piece {
    const chunk = chunkOfText(text)
    return this.#head === ''
      ? chunk
      : Buffer.concat([Buffer.from(this.#head, 'latin1'), Buffer.from(chunk)])
  }

  #whole(bytes: Uint8Array): Piece {
    this.#sent += bytes.length
    if (this.#length !== undefined && this.#sent > this.#length)
      throw wrong('body: has more bytes', `${this.#length} as content-length says`)
    if (this.#isChunked && bytes.length > 0) return chunkOfBytes(this.#head, bytes)
    return this.#head === '' ? bytes : Buffer.concat([Buffer.from(this.#head, 'latin1'), bytes])
  }
}

const EMPTY = new Uint8Array(0)

/** A body that nobody wants: what it holds on to is given back. What that throws is nobody's business any more. */
export function discard(body: AsyncIterable<unknown>): void {
  release(body).catch(() => undefined)
}

async function release(body: AsyncIterable<unknown>): Promise<void> {
  const stream = body as { destroy?: () => void }
  // A stream of Node that nobody has read from is not ended by its iterator.
  if (typeof stream.destroy === 'function') stream.destroy()
  else await body[Symbol.asyncIterator]().return?.()
}
