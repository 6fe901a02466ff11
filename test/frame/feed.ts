// Feeds input to a JS framer in pieces, as a connection does: bytes accumulate, whole frames are taken
// off the front, the rest stays.

import { HTTP_FLAG } from '../../lib/engine/layout.js'
import type { Cut, CutStatus, FrameState, JsFramer } from '../../lib/frame/framer.js'

/** A frame that was cut; `flags` are names of HTTP_FLAG. */
export interface Taken {
  whole: string
  payload: string
  flags: string
}

const namesOf = (flags = 0): string =>
  Object.entries(HTTP_FLAG)
    .filter(([, flag]) => (flags & flag) !== 0)
    .map(([name]) => name)
    .join(' ')

export class Feed {
  readonly frames: Taken[] = []
  status: CutStatus = 'more'
  wanted = 0
  refusal: number | undefined
  /** The client of the unfinished request waits for 100 Continue. */
  expects = false
  /** The connection has had its last request. */
  last = false
  /** Bytes fed so far. */
  fed = 0
  rest: Buffer = Buffer.alloc(0)
  readonly state: FrameState = { scanned: 0 }
  readonly #framer: JsFramer
  readonly #max: number
  readonly #room: number

  constructor(framer: JsFramer, max: number, room: number) {
    this.#framer = framer
    this.#max = max
    this.#room = room
  }

  /** False once the input was refused. */
  push(piece: Buffer): boolean {
    this.fed += piece.length
    this.rest = Buffer.concat([this.rest, piece])
    if (!this.last) {
      do this.#cut()
      while (this.status === 'room')
    }
    return this.status === 'more'
  }

  #cut(): void {
    const cut = this.#framer.cut(this.rest, this.#max, this.#room, this.state)
    let at = 0
    for (const { offset, length, head, tail, flags } of cut.frames) {
      if (offset !== at || length < 1 || head + tail > length)
        throw new Error('a frame out of place')
      const whole = this.rest.toString('latin1', offset, offset + length)
      this.frames.push({ whole, payload: whole.slice(head, length - tail), flags: namesOf(flags) })
      at += length
    }
    if (cut.consumed !== at) throw new Error('consumed is not the sum of the frames')
    if (cut.status === 'room' && cut.frames.length !== this.#room) throw new Error('room is left')
    this.rest = this.rest.subarray(at)
    if (this.state.scanned > this.rest.length) throw new Error('scanned lies past the rest')
    this.status = cut.status
    this.wanted = cut.wanted
    this.#heed(cut)
  }

  /** What framer http says besides. */
  #heed({ frames, refusal, expects = false, last = false }: Cut): void {
    if (frames.length > 0) this.expects = false
    if (this.expects && expects) throw new Error('100 Continue is asked for twice')
    if (last !== (this.frames.at(-1)?.flags.includes('last') ?? false))
      throw new Error('last is not what the last frame says')
    if (this.rest.length === 0 && this.state.http !== undefined)
      throw new Error('what is known of a request is kept longer than it')
    this.refusal = refusal
    this.expects ||= expects
    this.last = last
  }
}

/** Feeds `input` in pieces that end at `ends` (ascending), and at its end. */
export function feed(
  framer: JsFramer,
  max: number,
  room: number,
  input: Buffer,
  ends: number[],
): Feed {
  const fed = new Feed(framer, max, room)
  let from = 0
  for (const end of ends) {
    if (!fed.push(input.subarray(from, end))) return fed
    from = end
  }
  fed.push(input.subarray(from))
  return fed
}
