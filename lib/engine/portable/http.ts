// What framer http says besides where requests end: refusals, the last request, and who waits for 100 Continue.

import type { Cut } from '../../frame/framer.js'
import type { CloseReason } from '../reasons.js'
import type { Closing } from './closing.js'
import type { Connection } from './connection.js'
import type { Context } from './context.js'
import type { Replies } from './replies.js'

const REQUEST_TIMEOUT = 408

export class Http {
  readonly #context: Context
  readonly #replies: Replies
  readonly #closing: Closing

  constructor(context: Context, replies: Replies, closing: Closing) {
    this.#context = context
    this.#replies = replies
    this.#closing = closing
  }

  /** The framer is http. */
  get isFramer(): boolean {
    return this.#context.framer?.refusal !== undefined
  }

  /** Heeds what was said of the input of a connection; the requests of it are handed up. */
  heed(connection: Connection, cut: Cut): void {
    const { dead, closing, ending } = connection
    if (dead || closing !== undefined || ending !== undefined) return
    if (cut.last) this.#closing.end(connection, 'done')
    else if (cut.refusal !== undefined) this.#refuse(connection, cut.refusal, reasonOf(cut))
    else if (cut.expects) {
      connection.expects = true
      this.#replies.invite(connection)
    }
  }

  /** A request is not finished in time, and no other answer is to come. */
  late(connection: Connection): void {
    this.#refuse(connection, REQUEST_TIMEOUT, 'frame_timeout')
  }

  /** Answers a request that cannot be, behind those before it; the connection has no further one. */
  #refuse(connection: Connection, status: number, reason: CloseReason): void {
    const bytes = this.#context.framer?.refusal?.(status)
    if (bytes === undefined) return
    const sequence = connection.pipeline.next
    this.#context.opened(connection, 1)
    this.#closing.end(connection, reason)
    this.#replies.whole(connection, sequence, bytes, 0, bytes.length, false)
  }
}

/** Why a connection ends whose input cannot be cut any further. */
export const reasonOf = ({ status }: Cut): CloseReason =>
  status === 'too_long' ? 'frame_size' : 'frame_error'
