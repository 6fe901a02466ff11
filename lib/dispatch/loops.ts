// The hot path: one loop for each way that requests reach handle_request. A loop walks the records of
// one turn and answers each; it is chosen once, when the dispatcher is made, and never throws.

import { ANSWER, KIND, RECORD, RECORD_WORDS, REPLY_WORDS } from '../engine/layout.js'
import type { HandleRequest } from '../handler/contract.js'
import type { ReadRequest } from './codec.js'
import type { Connections } from './connections.js'
import type { Replies } from './replies.js'
import { slabUse, View } from './view.js'

/** What a loop needs; all of it stays the same for the dispatcher's life. */
export interface LoopParts {
  replies: Replies
  connections: Connections
  handle: HandleRequest
  seesConnection: boolean
  /** Takes the records that are no plain request in the slab. */
  other(index: number): void
}

export type Loop = (count: number) => void

/** Requests as Buffers on the slab. A handler that returns what it got costs one view. */
export function bytesLoop(parts: LoopParts): Loop {
  const { replies, connections, seesConnection, other } = parts
  const { engine } = replies
  const copiesNatively = !replies.endsPlain && replies.encode === undefined
  const handle = parts.handle as (request: Buffer, connection?: unknown) => unknown
  return (count) => {
    const { records } = engine
    const answers = engine.replies
    const { memory, shift } = replies
    slabUse.kept = true
    for (let index = 0; index < count; index++) {
      const at = index * RECORD_WORDS
      if (records[at] !== KIND.request || connections.anyStopped) {
        other(index)
        continue
      }
      try {
        const request = new View(
          memory,
          shift + (records[at + RECORD.offset] as number),
          records[at + RECORD.length] as number,
        )
        const reply = seesConnection
          ? handle(request, connectionOf(connections, records, at))
          : handle(request)
        if (reply === request && copiesNatively) answers[index * REPLY_WORDS] = ANSWER.same
        else replies.answer(index, reply)
      } catch (error) {
        replies.fail(index, error, 'handle_request')
      }
    }
  }
}

/** Requests as what decode_request makes of their bytes. Those with flags are taken by other(). */
export function decodedLoop(parts: LoopParts, read: ReadRequest): Loop {
  const { replies, connections, seesConnection, other } = parts
  const { engine } = replies
  const handle = parts.handle as (request: unknown, connection?: unknown) => unknown
  return (count) => {
    const { records } = engine
    const { slab } = replies
    for (let index = 0; index < count; index++) {
      const at = index * RECORD_WORDS
      if (records[at] !== KIND.request || connections.anyStopped) {
        other(index)
        continue
      }
      try {
        const start = records[at + RECORD.offset] as number
        const request = read(slab, start, start + (records[at + RECORD.length] as number), 0)
        replies.answer(
          index,
          seesConnection
            ? handle(request, connectionOf(connections, records, at))
            : handle(request),
        )
      } catch (error) {
        replies.fail(index, error, 'handle_request')
      }
    }
  }
}

function connectionOf(connections: Connections, records: Uint32Array, at: number): unknown {
  const connection = connections.get(
    records[at + RECORD.slot] as number,
    records[at + RECORD.generation] as number,
  )
  connection.request = records[at + RECORD.sequence] as number
  return connection
}
