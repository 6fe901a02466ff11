// The loop that all framers but eof share: measure the next frame, cut it, go on.

import type { Cut, CutStatus, Frame, FrameState } from './framer.js'

/** Longest frame that can be described: lengths are 32-bit in both twins. */
const LONGEST = 0xffff_ffff

/** What a framer finds at the front of the rest; written by measure(), reused for every frame. */
export interface Measure {
  /** Whole length of the next frame; 0: not known yet. */
  total: number
  head: number
  tail: number
}

/**
 * Finds the length of the frame that begins at `start` (there is at least one byte).
 * @returns undefined, or why there cannot be a frame
 */
export type MeasureFrame = (
  data: Buffer,
  start: number,
  limit: number,
  state: FrameState,
  out: Measure,
) => 'too_long' | 'malformed' | undefined

/** Cuts whole frames with `measure`; semantics of JsFramer.cut(). */
export function cutFrames(
  measure: MeasureFrame,
  data: Buffer,
  maxFrame: number,
  room: number,
  state: FrameState,
): Cut {
  const limit = maxFrame === 0 ? LONGEST : maxFrame
  const frames: Frame[] = []
  const next: Measure = { total: 0, head: 0, tail: 0 }
  let consumed = 0
  const end = (status: CutStatus, wanted = 0): Cut => ({ frames, consumed, status, wanted })
  while (consumed < data.length) {
    if (frames.length === room) return end('room')
    const refused = measure(data, consumed, limit, state, next)
    if (refused !== undefined) return end(refused)
    const { total, head, tail } = next
    if (total > limit) return end('too_long')
    if (total === 0 || total > data.length - consumed) return end('more', total)
    frames.push({ offset: consumed, length: total, head, tail })
    consumed += total
    state.scanned = 0
  }
  return end('more')
}
