// Frames that end with a fixed run of bytes; "line" is the delimiter "\n".

import { cutFrames, type MeasureFrame } from './cutter.js'
import type { JsFramer } from './framer.js'

const CR = 13

/** Bytes at the end of data[start..] that are a beginning of `delimiter`, at most all but its last. */
function partial(data: Buffer, start: number, delimiter: Buffer): number {
  const most = Math.min(delimiter.length - 1, data.length - start)
  for (let n = most; n > 0; n--) {
    if (data.compare(delimiter, 0, n, data.length - n) === 0) return n
  }
  return 0
}

/**
 * @param bytes the delimiter, 1 to 255 bytes; copied
 * @param strip payloads come without it, replies get it
 * @param cr with strip: one CR in front of it goes too
 */
export function delimiterFramer(bytes: Uint8Array, strip: boolean, cr: boolean): JsFramer {
  const delimiter = Buffer.from(bytes)
  const size = delimiter.length
  const needle = size === 1 ? (delimiter[0] as number) : delimiter

  const tailAt = (data: Buffer, start: number, at: number): number =>
    !strip ? 0 : cr && at > start && data[at - 1] === CR ? size + 1 : size

  const measure: MeasureFrame = (data, start, limit, state, out) => {
    const at = data.indexOf(needle, start + state.scanned)
    if (at >= 0) {
      out.total = at + size - start
      out.tail = tailAt(data, start, at)
      return undefined
    }
    const rest = data.length - start
    out.total = 0
    // A delimiter may have begun in the last bytes: they are looked at again with what follows.
    state.scanned = Math.max(0, rest - size + 1)
    if (rest + size <= limit) return undefined
    return rest + size - partial(data, start, delimiter) > limit ? 'too_long' : undefined
  }

  return {
    strips: strip,
    cut: (data, maxFrame, room, state) => cutFrames(measure, data, maxFrame, room, state),
    finish: () => undefined,
    wrap: (reply) => (strip ? Buffer.concat([reply, delimiter], reply.length + size) : reply),
  }
}
