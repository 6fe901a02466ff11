// Frames whose length stands in a field of fixed size near their beginning.

import type { FramerSpec } from '../engine/engine.js'
import { misuse } from '../errors.js'
import { cutFrames, type MeasureFrame } from './cutter.js'
import type { JsFramer } from './framer.js'

type LengthFramer = Extract<FramerSpec, { kind: 'length' }>

/** The one table of length fields: bytes, and how each is read and written. */
const FIELDS = {
  u8: {
    size: 1,
    read: (b: Buffer, at: number) => b[at] as number,
    write: Buffer.prototype.writeUInt8,
  },
  u16be: {
    size: 2,
    read: (b: Buffer, at: number) => b.readUInt16BE(at),
    write: Buffer.prototype.writeUInt16BE,
  },
  u16le: {
    size: 2,
    read: (b: Buffer, at: number) => b.readUInt16LE(at),
    write: Buffer.prototype.writeUInt16LE,
  },
  u32be: {
    size: 4,
    read: (b: Buffer, at: number) => b.readUInt32BE(at),
    write: Buffer.prototype.writeUInt32BE,
  },
  u32le: {
    size: 4,
    read: (b: Buffer, at: number) => b.readUInt32LE(at),
    write: Buffer.prototype.writeUInt32LE,
  },
} as const

/** Whole length = value of the field + base; less than the header is malformed. */
export function lengthFramer(spec: LengthFramer): JsFramer {
  const { strip } = spec
  const field = FIELDS[spec.type]
  const header = spec.offset + field.size
  const base = spec.adjust + (spec.inclusive ? 0 : header)
  const head = strip ? header : 0

  const measure: MeasureFrame = (data, start, limit, _state, out) => {
    out.total = 0
    // Before anything is read, so that the outcome does not depend on how the input was cut.
    if (header > limit) return 'too_long'
    if (data.length - start < header) return undefined
    const total = field.read(data, start + spec.offset) + base
    if (total < header) return 'malformed'
    out.total = total
    out.head = head
    return undefined
  }

  const wrap = (reply: Buffer): Buffer => {
    const value = header + reply.length - base
    if (value < 0 || value >= 2 ** (8 * field.size)) {
      throw misuse(
        'ERR_GAIDAROS_REPLY',
        `a reply of ${reply.length} bytes does not fit framer length:${spec.type}: the field would be ${value}, it takes 0 to ${2 ** (8 * field.size) - 1}`,
      )
    }
    const whole = Buffer.allocUnsafe(header + reply.length)
    field.write.call(whole, value, 0)
    reply.copy(whole, header)
    return whole
  }

  return {
    strips: strip,
    cut: (data, maxFrame, room, state) => cutFrames(measure, data, maxFrame, room, state),
    finish: () => undefined,
    wrap: strip ? wrap : (reply) => reply,
  }
}
