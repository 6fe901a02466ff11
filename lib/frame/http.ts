// Framer http: whole requests of HTTP/1.1 and HTTP/1.0 (RFC 9112), strictly. What two readers may take for two
// different requests is refused. Lines are taken in the order of the stream, each once.

import type { HttpLimits } from '../engine/engine.js'
import { HTTP_FLAG } from '../engine/layout.js'
import type { Cut, CutStatus, Frame, FrameState, JsFramer } from './framer.js'
import { chunkData, chunkSize } from './http/chunks.js'
import { headField, trailerField } from './http/fields.js'
import { FINE, type HttpBounds, HttpProgress, MORE } from './http/progress.js'
import { isTooLong, refusal } from './http/refusal.js'
import { requestLine } from './http/requestline.js'

export type { HttpProgress } from './http/progress.js'

const bound = (limit: number): number => (limit === 0 ? Number.POSITIVE_INFINITY : limit)

const boundsOf = (limits: HttpLimits): HttpBounds => ({
  line: bound(limits.httpMaxLine),
  headers: bound(limits.httpMaxHeaders),
  headerCount: bound(limits.httpMaxHeaderCount),
  body: bound(limits.httpMaxBody),
  chunkExtension: bound(limits.httpMaxChunkExtension),
})

const UNLIMITED: HttpLimits = {
  httpMaxLine: 0,
  httpMaxHeaders: 0,
  httpMaxHeaderCount: 0,
  httpMaxBody: 0,
  httpMaxChunkExtension: 0,
}

/** A frame's head are the blank lines in front of the request. */
export function httpFramer(): JsFramer {
  let bounds = boundsOf(UNLIMITED)
  return {
    strips: false,
    cut: (data, _maxFrame, room, state) => cut(data, room, state, bounds),
    finish: () => undefined,
    wrap: (reply) => reply,
    limit: (limits) => {
      bounds = boundsOf(limits)
    },
    refusal,
  }
}

function cut(data: Buffer, room: number, state: FrameState, bounds: HttpBounds): Cut {
  const frames: Frame[] = []
  let consumed = 0
  const end = (status: CutStatus, wanted = 0): Cut => ({ frames, consumed, status, wanted })
  while (consumed < data.length) {
    if (frames.length === room) return end('room')
    state.http ??= new HttpProgress()
    const request = state.http
    const outcome = advance(data, consumed, request, bounds)
    if (outcome === MORE) return waiting(end('more', request.wanted), request)
    if (outcome !== FINE)
      return { ...end(isTooLong(outcome) ? 'too_long' : 'malformed'), refusal: outcome }
    const { at: length, blank: head, flags } = request
    frames.push({ offset: consumed, length, head, tail: 0, flags })
    consumed += length
    state.http = undefined
    if ((flags & HTTP_FLAG.last) !== 0) return { ...end('more'), last: true }
  }
  return end('more')
}

/** The client may wait as well: for 100 Continue, of which it is told once. */
function waiting(more: Cut, request: HttpProgress): Cut {
  const { phase, expects } = request
  if (!expects || phase === 'line' || phase === 'field') return more
  request.expects = false
  return { ...more, expects: true }
}

/** Goes on to the end of the request, which is then FINE, or as far as the input goes. */
function advance(data: Buffer, start: number, request: HttpProgress, bounds: HttpBounds): number {
  while (request.phase !== 'whole') {
    const outcome = step(data, start, request, bounds)
    if (outcome !== FINE) return outcome
  }
  return FINE
}

function step(data: Buffer, start: number, request: HttpProgress, bounds: HttpBounds): number {
  switch (request.phase) {
    case 'line':
      return requestLine(data, start, request, bounds)
    case 'field':
      return headField(data, start, request, bounds)
    case 'size':
      return chunkSize(data, start, request, bounds)
    case 'data':
      return chunkData(data, start, request)
    case 'trailer':
      return trailerField(data, start, request, bounds)
    default:
      return body(data, start, request)
  }
}

/** One whose length the head has said. */
function body(data: Buffer, start: number, request: HttpProgress): number {
  if (data.length - start < request.wanted) return MORE
  request.at = request.wanted
  request.phase = 'whole'
  return FINE
}
