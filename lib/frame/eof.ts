// One frame: everything up to the end of input. Empty input is no frame.

import type { JsFramer } from './framer.js'

export function eofFramer(): JsFramer {
  return {
    strips: false,
    cut: (data, maxFrame) => ({
      frames: [],
      consumed: 0,
      status: maxFrame !== 0 && data.length > maxFrame ? 'too_long' : 'more',
      wanted: 0,
    }),
    finish: (data) =>
      data.length === 0 ? undefined : { offset: 0, length: data.length, head: 0, tail: 0 },
    wrap: (reply) => reply,
  }
}
