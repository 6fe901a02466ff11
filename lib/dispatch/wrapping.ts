// strip: what is put back around a reply. The engine does it for replies that go through it (`flag`),
// JS for those it writes into the scratch buffer, and for all of them when it does the framing itself.

import { REPLY_FLAG } from '../engine/layout.js'
import { type DeclaredFramer, type JsFramer, makeFramer } from '../frame/framer.js'
import { MESSAGE, MESSAGE_HEAD } from '../frame/message.js'

const NOTHING = Buffer.alloc(0)

export class Wrapping {
  readonly strips: boolean
  /** Put behind each reply; empty when nothing is, or when a prefix is put before it. */
  readonly suffix: Uint8Array
  /** True when `suffix` is all that is added. */
  readonly suffixOnly: boolean
  /** For engine.reply(): the engine adds prefix or suffix. */
  readonly flag: number
  /** Bytes of what is added that the peer is not sent. */
  readonly hidden: number
  readonly #framer: JsFramer | undefined
  readonly #inEngine: boolean
  readonly #spec: DeclaredFramer | undefined

  /** @param spec the framer that strips, if one does; @param inEngine whether the engine cuts with it */
  constructor(spec: DeclaredFramer | undefined, inEngine: boolean) {
    const framer = spec === undefined ? undefined : makeFramer(spec)
    this.strips = framer?.strips ?? false
    this.#framer = this.strips ? framer : undefined
    this.#inEngine = inEngine
    this.#spec = this.strips ? spec : undefined
    this.suffixOnly = !this.strips || spec?.kind === 'delimiter'
    this.suffix = this.suffixOnly && this.#framer ? this.#framer.wrap(NOTHING) : NOTHING
    this.hidden = spec === MESSAGE ? MESSAGE_HEAD : 0
    this.flag = this.strips && inEngine ? REPLY_FLAG.frame : 0
  }

  /** A reply with prefix and suffix. */
  wrap(bytes: Uint8Array): Uint8Array {
    return this.#framer === undefined ? bytes : this.#framer.wrap(asBuffer(bytes))
  }

  /** Bytes of a reply of `length` bytes with prefix and suffix. */
  size(length: number): number {
    switch (this.#spec?.kind) {
      case undefined:
        return length
      case 'length':
        return length + this.#spec.offset + Number(this.#spec.type.replace(/\D/g, '')) / 8
      case 'varint':
        return length + varintSize(length)
      default:
        return length + this.suffix.length
    }
  }

  /** A reply as engine.reply() takes it: wrapped here unless the engine will do it. */
  outside(bytes: Uint8Array): Uint8Array {
    return this.#inEngine ? bytes : this.wrap(bytes)
  }
}

/** Bytes of an unsigned LEB128 number. */
function varintSize(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
