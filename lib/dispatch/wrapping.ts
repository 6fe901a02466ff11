// strip: what is put back around a reply. The engine does it for replies that go through it (`flag`),
// JS for those it writes into the scratch buffer, and for all of them when it does the framing itself.

import { REPLY_FLAG } from '../engine/layout.js'
import { type DeclaredFramer, type JsFramer, makeFramer } from '../frame/framer.js'

const NOTHING = Buffer.alloc(0)

export class Wrapping {
  readonly strips: boolean
  /** Put behind each reply; empty when nothing is, or when a prefix is put before it. */
  readonly suffix: Uint8Array
  /** True when `suffix` is all that is added. */
  readonly suffixOnly: boolean
  /** For engine.reply(): the engine adds prefix or suffix. */
  readonly flag: number
  readonly #framer: JsFramer | undefined
  readonly #inEngine: boolean

  /** @param spec the framer that strips, if one does; @param inEngine whether the engine cuts with it */
  constructor(spec: DeclaredFramer | undefined, inEngine: boolean) {
    const framer = spec === undefined ? undefined : makeFramer(spec)
    this.strips = framer?.strips ?? false
    this.#framer = this.strips ? framer : undefined
    this.#inEngine = inEngine
    this.suffixOnly = !this.strips || spec?.kind === 'delimiter'
    this.suffix = this.suffixOnly && this.#framer ? this.#framer.wrap(NOTHING) : NOTHING
    this.flag = this.strips && inEngine ? REPLY_FLAG.frame : 0
  }

  /** A reply with prefix and suffix. */
  wrap(bytes: Uint8Array): Uint8Array {
    return this.#framer === undefined ? bytes : this.#framer.wrap(asBuffer(bytes))
  }

  /** A reply as engine.reply() takes it: wrapped here unless the engine will do it. */
  outside(bytes: Uint8Array): Uint8Array {
    return this.#inEngine ? bytes : this.wrap(bytes)
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
