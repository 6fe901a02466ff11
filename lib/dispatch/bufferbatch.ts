// A batch of requests that were cut in JS: the same lazy requests as on a turn's records, on records
// written here, so that handle_batch meets one kind of batch whatever framed it.

import { KIND, RECORD, RECORD_BIG, RECORD_WORDS, REPLY_WORDS } from '../engine/layout.js'
import type { HandleBatch } from '../handler/contract.js'
import { RequestBatch } from './batch.js'
import { callBatch } from './batchloop.js'
import type { Replies } from './replies.js'
import type { RawBuffer } from './view.js'

const NO_SLAB = Buffer.alloc(0) as RawBuffer

export class BatchOfBuffers {
  readonly #batch: RequestBatch

  /** @param first sequence of the first request */
  constructor(
    replies: Replies,
    slot: number,
    generation: number,
    first: number,
    requests: Buffer[],
  ) {
    const records = new Uint32Array(requests.length * RECORD_WORDS)
    const answers = new Uint32Array(requests.length * REPLY_WORDS)
    const source = { records, answers, slab: NO_SLAB, bigs: requests }
    this.#batch = new RequestBatch(replies, source)
    this.#batch.open(source, true)
    for (const [nth, request] of requests.entries()) {
      const at = nth * RECORD_WORDS
      records[at] = KIND.request | RECORD_BIG
      records[at + RECORD.slot] = slot
      records[at + RECORD.generation] = generation
      records[at + RECORD.sequence] = first + nth
      records[at + RECORD.offset] = nth
      records[at + RECORD.length] = request.length
      this.#batch.add(nth)
    }
  }

  call(handleBatch: HandleBatch): void {
    callBatch(this.#batch, handleBatch)
  }
}
