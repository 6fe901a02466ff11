// The pieces of a fetch handler's body on their way to the client.

import type { BodyPieces } from '../http/response.js'

/**
 * The same pieces.
 * @param isEager an empty one goes ahead, with which the head is sent
 * @param over called when they have ended, however they did
 */
export function noting(
  body: AsyncIterable<Uint8Array>,
  isEager: boolean,
  over: () => void,
): BodyPieces {
  return {
    [Symbol.asyncIterator]: () => new NotedPieces(body[Symbol.asyncIterator](), isEager, over),
  }
}

const NOTHING = new Uint8Array(0)

class NotedPieces implements AsyncIterator<Uint8Array, undefined> {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #over: () => void
  #isEager: boolean

  constructor(pieces: AsyncIterator<Uint8Array>, isEager: boolean, over: () => void) {
    this.#pieces = pieces
    this.#isEager = isEager
    this.#over = over
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#isEager) {
      this.#isEager = false
      return { done: false, value: NOTHING }
    }
    try {
      const result = await this.#pieces.next()
      if (result.done) this.#over()
      return result.done ? { done: true, value: undefined } : result
    } catch (error) {
      this.#over()
      throw error
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#over()
    await this.#pieces.return?.()
    return { done: true, value: undefined }
  }
}
