// Hands all requests of a turn to handle_batch at once, and sees to it that each gets an answer.

import { KIND, RECORD, RECORD_WORDS } from '../engine/layout.js'
import { misuse } from '../errors.js'
import type { HandleBatch } from '../handler/contract.js'
import { type BatchSource, RequestBatch } from './batch.js'
import type { Connections } from './connections.js'
import type { Loop } from './loops.js'
import { isThenable, type Replies } from './replies.js'
import type { RawBuffer } from './view.js'

export interface BatchParts {
  replies: Replies
  connections: Connections
  handleBatch: HandleBatch
  /** Takes the records that are no request. */
  other(index: number): void
}

/**
 * A loop over handle_batch. Records that come before the requests of their connection (opened, chunk)
 * are taken first, those that come after them (closed, drained, ended) last.
 */
export function batchLoop(parts: BatchParts): Loop {
  const { replies, other } = parts
  const { engine } = replies
  let pooled: RequestBatch | undefined
  return (count) => {
    const source: BatchSource = {
      records: engine.records,
      answers: engine.replies,
      slab: engine.slab as RawBuffer,
      bigs: engine.bigs,
    }
    pooled ??= new RequestBatch(replies, source)
    const batch = pooled
    batch.open(source, false)
    const after = gather(batch, source, count, other)
    if (batch.length > 0 && callBatch(batch, parts.handleBatch)) pooled = undefined
    for (const index of after) other(index)
  }
}

const WHERE = 'handle_batch'
const NONE: readonly number[] = []

/** Fills the batch. @returns records to be taken after it */
function gather(
  batch: RequestBatch,
  { records }: BatchSource,
  count: number,
  other: (index: number) => void,
): readonly number[] {
  const { connections } = batch.replies
  let after: number[] | undefined
  for (let index = connections.anyStopped ? 0 : batch.fill(count); index < count; index++) {
    const at = index * RECORD_WORDS
    const kind = (records[at] as number) & 0xff
    if (kind === KIND.request) {
      if (connections.anyStopped && isStopped(connections, records, at)) other(index)
      else batch.add(index)
    } else if (kind === KIND.closed || kind === KIND.drained || kind === KIND.ended) {
      after ??= []
      after.push(index)
    } else other(index)
  }
  return after ?? NONE
}

function isStopped(connections: Connections, records: Uint32Array, at: number): boolean {
  return connections.isStopped(
    records[at + RECORD.slot] as number,
    records[at + RECORD.generation] as number,
  )
}

/**
 * Calls handle_batch and settles the batch, at once or when its promise does.
 * @returns true when the batch outlives this call
 */
export function callBatch(batch: RequestBatch, handleBatch: HandleBatch): boolean {
  try {
    const promise: unknown = handleBatch(batch)
    if (isThenable(promise)) {
      if (!batch.detached) batch.detach()
      promise.then(
        () => settle(batch),
        (error) => settle(batch, { error }),
      )
      return true
    }
    settle(batch)
  } catch (error) {
    settle(batch, { error })
  }
  return false
}

/** Ends the batch; requests without an answer fail, with the error thrown or for want of a reply. */
function settle(batch: RequestBatch, thrown?: { error: unknown }): void {
  const { replies } = batch
  const unanswered = batch.unanswered()
  if (thrown && unanswered.length === 0) replies.failures.report(thrown.error, WHERE, 0, 0)
  for (const [nth, request] of unanswered.entries()) {
    const { slot, generation, sequence } = request.address()
    // One error of the function is logged and counted once, however many requests it left.
    const error = thrown ? thrown.error : neverAnswered()
    if (!thrown || nth === 0) replies.failures.report(error, WHERE, slot, generation, sequence)
    else replies.failures.onFailed?.(slot, generation, sequence)
    if (batch.detached) replies.engine.close(slot, generation, 'handler_error')
    replies.connections.stop(slot, generation)
    replies.onAnswering?.(slot, generation)
  }
  batch.live = false
}

function neverAnswered(): Error {
  return misuse(
    'ERR_GAIDAROS_REPLY',
    'handle_batch: settled without a reply to this request; wanted reply() or close() for each',
  )
}
