// end_request and split_request as one question: the next whole request of the input, if there is one.
// A declared framer may stand in for either function.

import { misuse } from '../errors.js'
import { type DeclaredFramer, type JsFramer, makeFramer } from '../frame/framer.js'
import type { EndRequest, SplitRequest } from '../handler/contract.js'
import { typeName } from './codec.js'
import type { JsFraming } from './plan.js'

/** A request and what follows it. 'split': the rest is not shorter. Other texts: the declared framer's refusal. */
export type NextRequest =
  | { request: Buffer; rest: Uint8Array }
  | 'more'
  | 'split'
  | 'frame_size'
  | 'frame_error'

export interface Cutting {
  /** The next request of `bytes`; throws what the handler's functions throw. */
  next(bytes: Buffer, ended: boolean, maxFrameSize: number): NextRequest
  /** Input that is left at its end is a request if split_request (or nothing) makes one of it. */
  readonly takesAllAtEnd: boolean
}

/** Combines the two. */
export function makeCutting(framing: JsFraming): Cutting {
  const isWhole = endQuestion(framing.endRequest)
  const split = splitter(framing.splitRequest)
  const takesAllAtEnd = typeof framing.endRequest === 'object' && framing.endRequest.kind === 'eof'
  return {
    takesAllAtEnd,
    next: (bytes, ended, maxFrameSize) => {
      const whole = takesAllAtEnd ? ended : isWhole(bytes, maxFrameSize)
      if (whole === true) return split(bytes, maxFrameSize)
      return whole === false ? 'more' : whole
    },
  }
}

type Refusal = 'frame_size' | 'frame_error'

function endQuestion(
  end: EndRequest | DeclaredFramer,
): (bytes: Buffer, maxFrameSize: number) => boolean | Refusal {
  if (typeof end === 'function') return (bytes) => Boolean(end(bytes))
  const framer = makeFramer(end)
  return (bytes, maxFrameSize) => {
    const cut = framer.cut(bytes, maxFrameSize, 1, { scanned: 0 })
    return cut.frames.length > 0 || refusal(cut.status) || false
  }
}

function splitter(
  split: SplitRequest | DeclaredFramer | undefined,
): (bytes: Buffer, maxFrameSize: number) => NextRequest {
  if (split === undefined)
    return (bytes) => ({ request: bytes, rest: bytes.subarray(bytes.length) })
  if (typeof split === 'object') return declaredSplit(makeFramer(split))
  return (bytes) => {
    const [request, rest] = checkedParts(split(bytes))
    return rest.length < bytes.length ? { request: asBuffer(request), rest } : 'split'
  }
}

function declaredSplit(framer: JsFramer): (bytes: Buffer, maxFrameSize: number) => NextRequest {
  return (bytes, maxFrameSize) => {
    const cut = framer.cut(bytes, maxFrameSize, 1, { scanned: 0 })
    const frame = cut.frames[0]
    if (frame === undefined) return refusal(cut.status) ?? 'more'
    const { head, tail, length } = frame
    return { request: bytes.subarray(head, length - tail), rest: bytes.subarray(cut.consumed) }
  }
}

function refusal(status: string): Refusal | undefined {
  if (status === 'too_long') return 'frame_size'
  return status === 'malformed' ? 'frame_error' : undefined
}

function checkedParts(parts: unknown): [Uint8Array, Uint8Array] {
  if (Array.isArray(parts) && parts.length === 2) {
    const [request, rest] = parts as unknown[]
    if (request instanceof Uint8Array && rest instanceof Uint8Array) return [request, rest]
  }
  const got = Array.isArray(parts) ? `[${parts.map(typeName).join(', ')}]` : typeName(parts)
  throw misuse(
    'ERR_GAIDAROS_HANDLER',
    `split_request: returned ${got}; wanted [request, rest], both bytes`,
  )
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
