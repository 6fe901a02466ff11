// Frames that begin with their payload's length as an unsigned LEB128 varint, as protobuf streams are
// delimited: at most five bytes and 2^32 - 1, in its shortest form.

import { cutFrames, type MeasureFrame } from './cutter.js'
import type { JsFramer } from './framer.js'

/** Bytes of the longest varint that is accepted. */
const LONGEST_VARINT = 5
/** The fifth byte carries the upper four bits of 32. */
const FIFTH_MAX = 0x0f

function encode(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
  bytes.push(left)
  return Buffer.from(bytes)
}

/** @param strip payloads come without the varint, replies get one */
export function varintFramer(strip: boolean): JsFramer {
  const measure: MeasureFrame = (data, start, limit, _state, out) => {
    out.total = 0
    let value = 0
    for (let i = 0, place = 1; start + i < data.length; i++, place *= 0x80) {
      const byte = data[start + i] as number
      if (i === LONGEST_VARINT - 1 && byte > FIFTH_MAX) return 'malformed'
      value += (byte & 0x7f) * place
      if (byte < 0x80) {
        if (byte === 0 && i > 0) return 'malformed'
        out.total = i + 1 + value
        out.head = strip ? i + 1 : 0
        return undefined
      }
      // What follows adds a byte and, being no zero, at least one in the next place.
      if (i + 2 + value + place * 0x80 > limit) return 'too_long'
    }
    return undefined
  }

  return {
    strips: strip,
    cut: (data, maxFrame, room, state) => cutFrames(measure, data, maxFrame, room, state),
    finish: () => undefined,
    wrap: (reply) => (strip ? Buffer.concat([encode(reply.length), reply]) : reply),
  }
}
