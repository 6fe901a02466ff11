// Turns what a handler returned into answers: records of engine.replies within a turn, engine.reply()
// afterwards. One object a dispatcher; begin() points it at the buffers of the present turn.

import type { Engine } from '../engine/engine.js'
import {
  ANSWER,
  HTTP_FLAGS,
  RECORD,
  RECORD_WORDS,
  REPLY,
  REPLY_END,
  REPLY_FLAG,
  REPLY_WORDS,
} from '../engine/layout.js'
import { bytesOf, type Encode, replyError, type TextEncoding } from './codec.js'
import type { Connections } from './connections.js'
import type { Failures } from './failures.js'
import type { HandlerPlan } from './plan.js'
import { pump } from './stream.js'
import type { RawBuffer } from './view.js'
import type { Wrapping } from './wrapping.js'

export interface RepliesOptions {
  engine: Engine
  connections: Connections
  failures: Failures
  encode: Encode
  encoding: TextEncoding
  wrapping: Wrapping
  keepalive: boolean
  /** See HandlerPlan. */
  apology: HandlerPlan['apology']
}

export class Replies {
  readonly engine: Engine
  readonly connections: Connections
  readonly failures: Failures
  readonly encode: Encode
  readonly encoding: TextEncoding
  readonly wrapping: Wrapping
  /** Plain replies end the connection (keepalive = no). */
  readonly endsPlain: boolean
  readonly #apology: HandlerPlan['apology']
  /** A request is about to get its last bytes, or failed: JS framing counts what is in flight. */
  onAnswering: ((slot: number, generation: number) => void) | undefined
  #records: Uint32Array
  #answers: Uint32Array
  #out: RawBuffer
  #room = 0
  #used = 0
  /** The text that was written last in this turn, and where: the next reply is often the same. */
  #text: string | undefined
  #textOffset = 0
  #textLength = 0
  /** The slab of this turn, the memory that it lies in, and where it begins there. */
  slab: RawBuffer
  memory: ArrayBufferLike
  shift = 0

  constructor(options: RepliesOptions) {
    this.engine = options.engine
    this.connections = options.connections
    this.failures = options.failures
    this.encode = options.encode
    this.encoding = options.encoding
    this.wrapping = options.wrapping
    this.endsPlain = !options.keepalive
    this.#apology = options.apology
    this.#records = this.engine.records
    this.#answers = this.engine.replies
    this.#out = this.engine.out as RawBuffer
    this.slab = this.engine.slab as RawBuffer
    this.memory = this.slab.buffer
    this.shift = this.slab.byteOffset
  }

  /** The buffers of a new turn. */
  begin(): void {
    const { records, replies, out, slab } = this.engine
    this.#records = records
    this.#answers = replies
    this.#used = 0
    this.#text = undefined
    // The getters of typed arrays cost as much as a request: they are asked when the buffer has changed.
    if (out !== this.#out || this.#room === 0) {
      this.#out = out as RawBuffer
      this.#room = out.length
    }
    if (slab === this.slab) return
    this.slab = slab as RawBuffer
    this.memory = slab.buffer
    this.shift = slab.byteOffset
  }

  /** Answers record `index` of this turn with what handle_request returned. Throws what is wrong with it. */
  answer(index: number, returned: unknown): void {
    if (typeof returned === 'object' && returned !== null && !Buffer.isBuffer(returned))
      this.#answerObject(index, returned)
    else this.place(index, returned, this.endsPlain)
  }

  #answerObject(index: number, returned: object): void {
    const [value, keepalive] = isPair(returned) ? returned : [returned, !this.endsPlain]
    if (isThenable(value)) {
      this.#later(index)
      this.#settle(...this.#request(index), value, this.#flags(index))
    } else if (isAsyncIterable(value)) {
      this.#later(index)
      void pump(this, ...this.#request(index), value, !keepalive, this.#flags(index))
    } else this.place(index, value, !keepalive)
  }

  /** Answers record `index` of this turn with one value, after encode_response. */
  place(index: number, value: unknown, end: boolean): void {
    const encoded = value === undefined || this.encode === undefined ? value : this.#encoded(value)
    if (end) this.#stop(index)
    if (typeof encoded === 'string') this.#placeText(index, encoded, end)
    else if (encoded === undefined) this.#put(index, ANSWER.none, 0, 0, end)
    else this.#placeBytes(index, bytesOf(encoded, this.encoding) as Uint8Array, end)
  }

  /** Marks record `index` as failed. The engine closes its connection, behind the apology where there is one. */
  fail(index: number, error: unknown, where: string): void {
    const apology = this.#apology?.(this.#flags(index))
    if (apology === undefined) this.#put(index, ANSWER.failed, 0, 0, false)
    else this.#placeBytes(index, apology, true)
    this.#stop(index)
    this.failures.report(error, where, ...this.#request(index), apology?.length)
  }

  /**
   * Answers a request outside of a turn's replies; a wrong value is an error of the handler.
   * @param flags HTTP_FLAG of the request
   */
  deliver(slot: number, generation: number, sequence: number, returned: unknown, flags = 0): void {
    try {
      const [value, keepalive] =
        typeof returned === 'object' && returned !== null && isPair(returned)
          ? returned
          : [returned, !this.endsPlain]
      if (isThenable(value)) this.#settle(slot, generation, sequence, value, flags)
      else if (isAsyncIterable(value))
        void pump(this, slot, generation, sequence, value, !keepalive, flags)
      else this.send(slot, generation, sequence, this.bytes(value), !keepalive)
    } catch (error) {
      this.failLater(slot, generation, sequence, error, flags)
    }
  }

  /** Sends the whole reply of a request through engine.reply(). */
  send(
    slot: number,
    generation: number,
    sequence: number,
    bytes: Uint8Array | undefined,
    end: boolean,
  ): void {
    const frame = bytes === undefined ? 0 : this.wrapping.flag
    const data = bytes === undefined ? bytes : this.wrapping.outside(bytes)
    if (end) this.connections.stop(slot, generation)
    // Before the reply: after a half-close the engine closes as soon as nothing is in flight.
    this.onAnswering?.(slot, generation)
    this.engine.reply(slot, generation, sequence, data, (end ? REPLY_FLAG.end : 0) | frame)
  }

  /**
   * A handler's error after its turn: the connection is closed, behind the apology where there is one.
   * @param isBegun a part of the reply is under way
   */
  failLater(
    slot: number,
    generation: number,
    sequence: number,
    error: unknown,
    flags = 0,
    isBegun = false,
  ): void {
    const apology = isBegun ? undefined : this.#apology?.(flags)
    this.failures.report(error, 'handle_request', slot, generation, sequence, apology?.length)
    if (apology === undefined) this.engine.close(slot, generation, 'handler_error')
    else this.engine.reply(slot, generation, sequence, apology, REPLY_FLAG.end)
    this.connections.stop(slot, generation)
    this.onAnswering?.(slot, generation)
  }

  /** Bytes of one value, after encode_response. */
  bytes(value: unknown): Uint8Array | undefined {
    if (value === undefined) return undefined
    return bytesOf(this.encode === undefined ? value : this.#encoded(value), this.encoding)
  }

  #encoded(value: unknown): unknown {
    const encoded = this.encode?.(value)
    if (encoded === undefined) throw replyError(value)
    return encoded
  }

  #put(index: number, kind: number, offset: number, length: number, end: boolean): void {
    const at = index * REPLY_WORDS
    this.#answers[at] = end ? kind | REPLY_END : kind
    this.#answers[at + REPLY.offset] = offset
    this.#answers[at + REPLY.length] = length
  }

  #placeBytes(index: number, bytes: Uint8Array, end: boolean): void {
    if (this.wrapping.strips) this.#placeCopy(index, this.wrapping.wrap(bytes), end)
    else if (bytes.buffer === this.memory && this.#isInSlab(bytes))
      this.#put(index, ANSWER.slab, bytes.byteOffset - this.shift, bytes.length, end)
    else this.#placeCopy(index, bytes, end)
  }

  /** The slab may be a part of its memory; what lies beside it is copied. */
  #isInSlab(bytes: Uint8Array): boolean {
    const offset = bytes.byteOffset - this.shift
    return offset >= 0 && offset + bytes.length <= this.slab.length
  }

  /** Copies bytes that are framed already to the scratch buffer, or hands them over if it is full. */
  #placeCopy(index: number, bytes: Uint8Array, end: boolean): void {
    const offset = this.#used
    if (offset + bytes.length > this.#room) {
      this.#later(index)
      this.engine.reply(...this.#request(index), bytes, end ? REPLY_FLAG.end : 0)
      return
    }
    this.#out.set(bytes, offset)
    this.#used = offset + bytes.length
    this.#put(index, ANSWER.out, offset, bytes.length, end)
  }

  #placeText(index: number, text: string, end: boolean): void {
    if (text === this.#text && this.#used + this.#textLength <= this.#room) {
      this.#placeAgain(index, end)
      return
    }
    const { suffix, suffixOnly } = this.wrapping
    const offset = this.#used
    const most = (this.encoding === 'utf8' ? text.length * 3 : text.length) + suffix.length
    if (offset + most > this.#room || !suffixOnly) {
      this.#placeBytes(index, Buffer.from(text, this.encoding), end)
      return
    }
    let length = this.#write(text, offset, most)
    if (suffix.length !== 0) {
      this.#out.set(suffix, offset + length)
      length += suffix.length
    }
    this.#used = offset + length
    this.#text = text
    this.#textOffset = offset
    this.#textLength = length
    this.#put(index, ANSWER.out, offset, length, end)
  }

  /** The same text once more, behind what there is: replies that lie side by side leave as one. */
  #placeAgain(index: number, end: boolean): void {
    const offset = this.#used
    const length = this.#textLength
    this.#out.copyWithin(offset, this.#textOffset, this.#textOffset + length)
    this.#used = offset + length
    this.#put(index, ANSWER.out, offset, length, end)
  }

  #write(text: string, offset: number, most: number): number {
    switch (this.encoding) {
      case 'utf8':
        return this.#out.utf8Write(text, offset, most)
      case 'latin1':
      case 'ascii':
        return this.#out.latin1Write(text, offset, most)
      default:
        return this.#out.write(text, offset, most, this.encoding)
    }
  }

  #later(index: number): void {
    this.#put(index, ANSWER.later, 0, 0, false)
  }

  #settle(
    slot: number,
    generation: number,
    sequence: number,
    promise: PromiseLike<unknown>,
    flags: number,
  ): void {
    promise.then(
      (value) => this.deliver(slot, generation, sequence, value, flags),
      (error) => this.failLater(slot, generation, sequence, error, flags),
    )
  }

  #stop(index: number): void {
    const at = index * RECORD_WORDS
    this.connections.stop(
      this.#records[at + RECORD.slot] as number,
      this.#records[at + RECORD.generation] as number,
    )
  }

  /** HTTP_FLAG of record `index`. */
  #flags(index: number): number {
    return (this.#records[index * RECORD_WORDS] as number) & HTTP_FLAGS
  }

  #request(index: number): [slot: number, generation: number, sequence: number] {
    const at = index * RECORD_WORDS
    return [
      this.#records[at + RECORD.slot] as number,
      this.#records[at + RECORD.generation] as number,
      this.#records[at + RECORD.sequence] as number,
    ]
  }
}

/** `[reply, keepalive]`. */
export function isPair(value: object): value is [unknown, boolean] {
  return Array.isArray(value) && value.length === 2 && typeof value[1] === 'boolean'
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
