// Cuts whole requests off the accumulated input of a stream, in JS: the twin of native/frame with the
// same results to the byte (test/fixtures/frames proves it). The portable engine uses it. Pure computation.

import type { FramerSpec, HttpLimits } from '../engine/engine.js'
import { delimiterFramer } from './delimiter.js'
import { eofFramer } from './eof.js'
import { fixedFramer } from './fixed.js'
import { type HttpProgress, httpFramer } from './http.js'
import { lengthFramer } from './length.js'
import { varintFramer } from './varint.js'

/** A whole frame inside the data given to cut(); its payload is [offset + head, offset + length - tail). */
export interface Frame {
  offset: number
  length: number
  /** Bytes in front of and behind the payload; 0 unless the framer strips. */
  head: number
  tail: number
  /** http: HTTP_FLAGs (engine/layout.ts). */
  flags?: number
}

/** What a framer remembers of one connection between two calls. Begin with `{ scanned: 0 }`. */
export interface FrameState {
  /** Bytes, from the first of the unfinished frame, that need not be searched again. */
  scanned: number
  /** http: what is known of the unfinished request. */
  http?: HttpProgress | undefined
}

/**
 * more: the rest is an unfinished frame, or nothing. room: `room` frames were cut and bytes are left.
 * too_long: the next frame is longer than maxFrame. malformed: the next bytes cannot be a frame.
 */
export type CutStatus = 'more' | 'room' | 'too_long' | 'malformed'

export interface Cut {
  frames: Frame[]
  /** Bytes of those frames, from data[0] on. */
  consumed: number
  status: CutStatus
  /** more: whole length of the unfinished frame where it is known already, otherwise 0. */
  wanted: number
  /** http, too_long and malformed: the status that the client is answered with. */
  refusal?: number
  /** http, more: the client waits for 100 Continue before it sends the body. Said once a request. */
  expects?: boolean
  /** http: the last frame is the connection's last request; nothing behind it is looked at. */
  last?: boolean
}

/** Immutable; one serves all connections of a listener. */
export interface JsFramer {
  /**
   * Cuts up to `room` whole frames off the front of `data`. `state` describes data[0] on entry and
   * data[consumed] on return, so `data` must then begin there in the next call.
   * @param maxFrame longest frame as it stands on the wire, bytes; 0: no limit
   */
  cut(data: Buffer, maxFrame: number, room: number, state: FrameState): Cut
  /** End of input with `data` left over: that one last frame (eof, when it is not empty). */
  finish(data: Buffer): Frame | undefined
  /**
   * strip: the reply with its prefix or suffix put back; otherwise the reply itself.
   * @throws TypeError ERR_GAIDAROS_REPLY when its length does not fit the length field
   */
  wrap(reply: Buffer): Buffer
  readonly strips: boolean
  /** http: what is allowed from now on. Before that nothing is limited. */
  limit?(limits: HttpLimits): void
  /** http: the bytes that a request which cannot be is answered with. */
  refusal?(status: number): Buffer
}

/** Framers that cut here; 'chunk' leaves it to the handler's functions. */
export type DeclaredFramer = Exclude<FramerSpec, { kind: 'chunk' }>

/**
 * The framer of a checked spec (see parseFramer).
 * @example
 * const framer = makeFramer({ kind: 'delimiter', delimiter: Buffer.from('\n'), strip: true, cr: true })
 * framer.cut(Buffer.from('a\r\nb'), 0, 64, { scanned: 0 })
 * // { frames: [{ offset: 0, length: 3, head: 0, tail: 2 }], consumed: 3, status: 'more', wanted: 0 }
 */
export function makeFramer(spec: DeclaredFramer): JsFramer {
  switch (spec.kind) {
    case 'delimiter':
      return delimiterFramer(spec.delimiter, spec.strip, spec.cr ?? false)
    case 'length':
      return lengthFramer(spec)
    case 'varint':
      return varintFramer(spec.strip)
    case 'fixed':
      return fixedFramer(spec.size)
    case 'eof':
      return eofFramer()
    case 'http':
      return httpFramer()
  }
}
