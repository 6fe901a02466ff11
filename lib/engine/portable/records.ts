// The records of one turn (Engine.records).

import type { Frame } from '../../frame/framer.js'
import { KIND, RECORD, RECORD_WORDS } from '../layout.js'
import type { Connection } from './connection.js'

/** Records of one turn; further ones are further turns. */
export const MAX_RECORDS = 1024

export class Records {
  readonly words = new Uint32Array(MAX_RECORDS * RECORD_WORDS)

  /** Requests from number `first` on, whose frames lie `base` bytes behind what their offsets say. */
  requests(
    { slot, generation }: Connection,
    first: number,
    base: number,
    frames: readonly Frame[],
  ): void {
    const { words } = this
    let word = 0
    let sequence = first
    for (const { offset, length, head, tail, flags = 0 } of frames) {
      words[word + RECORD.kind] = KIND.request | flags
      words[word + RECORD.slot] = slot
      words[word + RECORD.generation] = generation
      words[word + RECORD.sequence] = sequence++
      words[word + RECORD.offset] = base + offset + head
      words[word + RECORD.length] = length - head - tail
      words[word + RECORD.extra] = 0
      word += RECORD_WORDS
    }
  }

  /** Any other record. `sequence` is the number that the next request will have. */
  event(
    index: number,
    connection: Connection,
    kind: number,
    offset: number,
    length: number,
    extra: number,
  ): void {
    const { words } = this
    const word = index * RECORD_WORDS
    words[word + RECORD.kind] = kind
    words[word + RECORD.slot] = connection.slot
    words[word + RECORD.generation] = connection.generation
    words[word + RECORD.sequence] = connection.pipeline.next
    words[word + RECORD.offset] = offset
    words[word + RECORD.length] = length
    words[word + RECORD.extra] = extra
  }
}
