// A reply in pieces: an async iterable is pulled as fast as the peer reads, no faster.

import { REPLY_FLAG } from '../engine/layout.js'
import type { ClientConnection } from './connection.js'
import type { Replies } from './replies.js'

/** Sends the pieces of one reply; never rejects. The iterator's return() is called when the peer leaves. */
export async function pump(
  replies: Replies,
  slot: number,
  generation: number,
  sequence: number,
  pieces: AsyncIterable<unknown>,
  end: boolean,
  flags: number,
): Promise<void> {
  const connection = replies.connections.get(slot, generation)
  const progress = { begun: false }
  try {
    const iterator = pieces[Symbol.asyncIterator]()
    const gone = () => void release(replies, slot, generation, sequence, iterator)
    if (connection.isClosed) {
      gone()
      return
    }
    const forget = connection.onClosed(gone)
    if (!(await drain(replies, connection, sequence, iterator, progress))) return
    forget()
    finish(replies, slot, generation, sequence, end)
  } catch (error) {
    replies.failLater(slot, generation, sequence, error, flags, progress.begun)
  }
}

/** @returns false when the connection went away before the last piece */
async function drain(
  replies: Replies,
  connection: ClientConnection,
  sequence: number,
  iterator: AsyncIterator<unknown>,
  progress: { begun: boolean },
): Promise<boolean> {
  const { slot, generation } = connection
  const { wrapping } = replies
  // A suffix ends the reply, so it follows the last piece; with a prefix each piece is a frame.
  const framed = wrapping.strips && !wrapping.suffixOnly
  for (;;) {
    const { done, value } = await iterator.next()
    if (connection.isClosed) return false
    if (done) return true
    const bytes = replies.bytes(value)
    if (bytes === undefined) continue
    progress.begun = true
    const data = framed ? wrapping.outside(bytes) : bytes
    const flags = REPLY_FLAG.more | (framed ? wrapping.flag : 0)
    const reply = (piece: Uint8Array | undefined, how: number) =>
      replies.engine.reply(slot, generation, sequence, piece, how)
    let waiting = reply(data, flags)
    // A stream further ahead may have been meant: who was woken asks anew how much waits for it.
    while (waiting >= 0 && !connection.noteWaiting(waiting)) {
      await connection.drained()
      waiting = reply(undefined, REPLY_FLAG.more)
    }
    if (waiting < 0 || connection.isClosed) return false
  }
}

function finish(
  replies: Replies,
  slot: number,
  generation: number,
  sequence: number,
  end: boolean,
): void {
  const { suffix } = replies.wrapping
  const flags = end ? REPLY_FLAG.end : 0
  const last = suffix.length === 0 ? undefined : suffix
  replies.onAnswering?.(slot, generation)
  replies.engine.reply(slot, generation, sequence, last, flags)
}

async function release(
  replies: Replies,
  slot: number,
  generation: number,
  sequence: number,
  iterator: AsyncIterator<unknown>,
): Promise<void> {
  try {
    await iterator.return?.()
  } catch (error) {
    replies.failures.report(error, 'handle_request', slot, generation, sequence)
  }
}
