// What of a Response goes out: the server asks, and then it is used.

import { payloadOf } from './body.js'
import { isInstance, isNodes } from './expose.js'
import { LightResponse, pairsOf } from './response.js'

export interface Parts {
  /** 0: Response.error(). */
  status: number
  statusText: string
  /** Names in lower case; set-cookie comes as several pairs. */
  headers: Iterable<readonly [string, string]>
  /** A string is sent as UTF-8. */
  body: string | Uint8Array | AsyncIterable<Uint8Array> | undefined
}

/**
 * The parts of a Response of ours or of Node's; undefined: it is none.
 * @throws TypeError where its body was used before
 */
export function partsOf(response: unknown): Parts | undefined {
  if (isLight(response)) return partsOfLight(response)
  if (isNodes('Response', response)) return partsOfNode(response as Response)
  const foreign = response as { [PARTS]?: () => Parts } | null | undefined
  return foreign?.[PARTS]?.()
}

/** By which other copies of this library in the process know a Response of ours: the globals are one copy's. */
const PARTS = Symbol.for('gaidaros.fetch.parts')
Object.defineProperty(LightResponse.prototype, PARTS, {
  value(this: LightResponse): Parts {
    return partsOfLight(this)
  },
})

function partsOfLight(response: LightResponse): Parts {
  const headers = pairsOf(response)
  const body = bodyOf(payloadOf(response).take())
  return { status: response.status, statusText: response.statusText, headers, body }
}

const isLight = (value: unknown): value is LightResponse => isInstance(LightResponse, value)

function partsOfNode(response: Response): Parts {
  const { status, statusText, headers, body } = response
  if (response.bodyUsed || body?.locked)
    throw new TypeError('Body is unusable: it has been read, or is being read')
  return { status, statusText, headers, body: bodyOf(body as ReadableStream<Uint8Array> | null) }
}

function bodyOf(
  body: string | Uint8Array | ReadableStream<Uint8Array> | null,
): string | Uint8Array | AsyncIterable<Uint8Array> | undefined {
  if (body === null) return undefined
  return body instanceof ReadableStream ? new Pieces(body) : body
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** A stream that is read piece by piece, and cancelled where nobody wants the rest, even if nobody wanted any. */
class Pieces implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #reader: ReadableStreamDefaultReader<unknown>

  constructor(stream: ReadableStream<unknown>) {
    this.#reader = stream.getReader()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { done, value } = await this.#reader.read()
    if (done) return DONE
    if (value instanceof Uint8Array) return { done: false, value }
    const error = new TypeError(
      'Response: the stream of its body has a piece that is no Uint8Array',
    )
    await this.#reader.cancel(error)
    throw error
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#reader.cancel()
    return DONE
  }
}
