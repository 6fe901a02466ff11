// What becomes of requests that workers have, told to the access log as it happens.

import { KIND } from '../../layout.js'
import { NOTE, NOTE_AT, NOTE_WORDS, type Noted } from '../../notes.js'
import { type Entry, isRequest } from './batch.js'

export class Journal {
  readonly #noted: Noted
  readonly #words = new Uint32Array(NOTE_WORDS)

  constructor(noted: Noted) {
    this.#noted = noted
  }

  /** @param ago milliseconds since it happened */
  add(kind: number, about: Entry, value: number, member = 0, ago = 0): void {
    const words = this.#words
    words[NOTE_AT.kind] = kind
    words[NOTE_AT.slot] = about.slot
    words[NOTE_AT.generation] = about.generation
    words[NOTE_AT.sequence] = about.sequence
    words[NOTE_AT.value] = value
    words[NOTE_AT.member] = member
    words[NOTE_AT.agoUs] = Math.max(0, ago * 1000)
    this.#noted(words)
  }

  /** A record that goes to a worker, of which the server's own log has to hear. */
  handed(entry: Entry): void {
    if (isRequest(entry)) this.add(NOTE.handed, entry, entry.bytes.length)
    else if (entry.kind === KIND.opened) this.add(NOTE.opened, entry, 0)
    else if (entry.kind === KIND.closed) this.add(NOTE.closed, entry, entry.extra)
  }
}
