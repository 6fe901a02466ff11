// Frames of one size.

import { cutFrames, type MeasureFrame } from './cutter.js'
import type { JsFramer } from './framer.js'

/** @param size bytes of every frame, at least 1 */
export function fixedFramer(size: number): JsFramer {
  const measure: MeasureFrame = (_data, _start, _limit, _state, out) => {
    out.total = size
    return undefined
  }
  return {
    strips: false,
    cut: (data, maxFrame, room, state) => cutFrames(measure, data, maxFrame, room, state),
    finish: () => undefined,
    wrap: (reply) => reply,
  }
}
