// Framing in JS: end_request or split_request is a function that is asked on the accumulated bytes.
// Cuts requests off the engine's chunk records and hands them over, at most max_pipelined in flight.

import type { CloseReason } from '../engine/reasons.js'
import type { HandleBatch, HandleRequest } from '../handler/contract.js'
import { Accumulator } from './accumulator.js'
import { BatchOfBuffers } from './bufferbatch.js'
import type { ReadRequest } from './codec.js'
import { HOLD } from './connection.js'
import type { Connections } from './connections.js'
import { type Cutting, makeCutting } from './cutting.js'
import type { Ledger } from './ledger.js'
import type { JsFraming } from './plan.js'
import type { Replies } from './replies.js'
import type { RawBuffer } from './view.js'

export interface FramingOptions {
  framing: JsFraming
  connections: Connections
  replies: Replies
  handleRequest: HandleRequest | undefined
  handleBatch: HandleBatch | undefined
  /** There is one where the access log is on. */
  ledger: Pick<Ledger, 'handedOver'> | undefined
  /** decode_request. */
  read: ReadRequest
  maxFrameSize: number
  maxPipelined: number
}

/** The input of one connection. */
interface Input {
  readonly slot: number
  readonly generation: number
  readonly waiting: Accumulator
  /** Number of the next request. */
  sequence: number
  inFlight: number
  /** What the engine was told last: an unfinished frame is at hand. */
  partial: boolean
  /** The peer will send nothing more. */
  ended: boolean
  /** Closed by us, or cut to its end: nothing more is cut. */
  over: boolean
  /** Cutting at this moment; answers that come meanwhile do not cut again. */
  cutting: boolean
}

export class Framing {
  #options: FramingOptions
  #cutting: Cutting
  #maxFrameSize: number
  #maxPipelined: number
  readonly #bySlot: (Input | undefined)[] = []

  constructor(options: FramingOptions) {
    this.#options = options
    this.#cutting = makeCutting(options.framing)
    this.#maxFrameSize = options.maxFrameSize
    this.#maxPipelined = options.maxPipelined
    options.replies.onAnswering = (slot, generation) => this.#answered(slot, generation)
  }

  /** Another handler from the next request on; what has come of it so far stays. The limits are setLimits()'. */
  replace(options: FramingOptions): void {
    this.#options = options
    this.#cutting = makeCutting(options.framing)
    options.replies.onAnswering = (slot, generation) => this.#answered(slot, generation)
  }

  setLimits(limits: { maxFrameSize: number; maxPipelined: number }): void {
    this.#maxFrameSize = limits.maxFrameSize
    this.#maxPipelined = limits.maxPipelined
  }

  /** Bytes [start, end) of `buffer` have come. */
  chunk(slot: number, generation: number, buffer: RawBuffer, start: number, end: number): void {
    const input = this.#input(slot, generation)
    if (input.over) return
    input.waiting.append(buffer, start, end)
    this.#cut(input)
  }

  /** The peer has half-closed. */
  ended(slot: number, generation: number): void {
    const input = this.#input(slot, generation)
    if (input.over) return
    input.ended = true
    this.#cut(input)
  }

  closed(slot: number, generation: number): void {
    if (this.#bySlot[slot]?.generation === generation) this.#bySlot[slot] = undefined
  }

  #input(slot: number, generation: number): Input {
    const known = this.#bySlot[slot]
    if (known !== undefined && known.generation === generation) return known
    const input: Input = {
      slot,
      generation,
      waiting: new Accumulator(),
      sequence: 0,
      inFlight: 0,
      partial: false,
      ended: false,
      over: false,
      cutting: false,
    }
    this.#bySlot[slot] = input
    return input
  }

  #answered(slot: number, generation: number): void {
    const input = this.#bySlot[slot]
    if (input === undefined || input.generation !== generation) return
    input.inFlight--
    if (!input.cutting && !input.over) this.#cut(input)
  }

  /** Cuts and hands over until no whole request remains or max_pipelined are in flight. */
  #cut(input: Input): void {
    input.cutting = true
    try {
      while (this.#round(input));
      this.#rest(input)
    } catch (error) {
      const { slot, generation, sequence } = input
      this.#options.replies.failures.report(error, 'split_request', slot, generation, sequence)
      this.#refuse(input, 'handler_error')
    } finally {
      input.cutting = false
    }
  }

  /** One round: what may be in flight is cut, announced and handed over. @returns whether to go on */
  #round(input: Input): boolean {
    const { slot, generation, waiting } = input
    const first = input.sequence
    const { requests, partial, refusal } = this.#collect(input)
    if (requests.length > 0) {
      input.sequence = (input.sequence + requests.length) >>> 0
      input.inFlight += requests.length
      this.#announce(input, requests.length, partial)
      this.#handOver(input, first, requests)
    }
    if (refusal !== undefined) this.#refuse(input, refusal)
    if (this.#options.connections.isStopped(slot, generation)) input.over = true
    return !input.over && requests.length > 0 && waiting.length > 0 && this.#mayCut(input)
  }

  /** Tells the engine what it does not know yet. */
  #announce(input: Input, count: number, partial: boolean): void {
    if (count === 0 && partial === input.partial) return
    input.partial = partial
    this.#options.replies.engine.framed(input.slot, input.generation, count, partial)
  }

  #mayCut(input: Input): boolean {
    return this.#maxPipelined === 0 || input.inFlight < this.#maxPipelined
  }

  /** Requests that may be in flight; `partial`: behind them is an unfinished frame, and no whole one. */
  #collect(input: Input): Cut {
    const requests: Buffer[] = []
    const { waiting } = input
    const room =
      this.#maxPipelined === 0 ? Number.POSITIVE_INFINITY : this.#maxPipelined - input.inFlight
    while (waiting.length > 0 && requests.length < room) {
      const next = this.#cutting.next(waiting.bytes, input.ended, this.#maxFrameSize)
      if (next === 'more')
        return this.#isLong(waiting.length) ? tooLong(requests) : { requests, partial: true }
      if (typeof next === 'string') return { requests, partial: false, refusal: next }
      if (this.#isLong(next.request.length)) return tooLong(requests)
      waiting.keep(next.rest)
      requests.push(next.request)
    }
    return { requests, partial: false }
  }

  #isLong(length: number): boolean {
    return this.#maxFrameSize !== 0 && length > this.#maxFrameSize
  }

  #handOver(input: Input, first: number, requests: Buffer[]): void {
    const { handleBatch, replies, ledger } = this.#options
    const { slot, generation } = input
    if (handleBatch !== undefined) {
      for (const [nth, { length }] of requests.entries())
        ledger?.handedOver(slot, generation, (first + nth) >>> 0, length)
      new BatchOfBuffers(replies, slot, generation, first, requests).call(handleBatch)
      return
    }
    for (const [nth, request] of requests.entries()) {
      if (this.#options.connections.isStopped(slot, generation)) return
      ledger?.handedOver(slot, generation, (first + nth) >>> 0, request.length)
      this.#handle(slot, generation, (first + nth) >>> 0, request as RawBuffer)
    }
  }

  #handle(slot: number, generation: number, sequence: number, bytes: RawBuffer): void {
    const { handleRequest, replies, connections, read } = this.#options
    if (handleRequest === undefined) return
    try {
      const request = read(bytes, 0, bytes.length, 0)
      const connection = connections.get(slot, generation)
      connection.request = sequence
      const returned = handleRequest(request, connection)
      replies.deliver(slot, generation, sequence, returned)
    } catch (error) {
      replies.failLater(slot, generation, sequence, error)
    }
  }

  /** After cutting: holds the peer back while input waits for answers; drops what no request comes of. */
  #rest(input: Input): void {
    const { slot, generation, waiting } = input
    if (input.over) return
    const { connections } = this.#options
    const held = !this.#mayCut(input)
    if (held) connections.get(slot, generation).hold(HOLD.framing)
    else connections.find(slot, generation)?.release(HOLD.framing)
    // Input that only waits for answers is no unfinished frame: the peer is not late with anything.
    this.#announce(input, 0, waiting.length > 0 && !held)
    // The engine was told of it and counts it; a later word that there is none would take that back.
    if (!input.ended || held) return
    waiting.clear()
    input.over = true
  }

  #refuse(input: Input, reason: CloseReason): void {
    const { slot, generation } = input
    input.over = true
    input.waiting.clear()
    this.#options.replies.engine.close(slot, generation, reason)
    this.#options.connections.stop(slot, generation)
  }
}

interface Cut {
  requests: Buffer[]
  partial: boolean
  refusal?: CloseReason
}

function tooLong(requests: Buffer[]): Cut {
  return { requests, partial: false, refusal: 'frame_size' }
}
