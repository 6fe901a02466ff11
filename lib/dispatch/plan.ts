// What the dispatcher is built from: the handler's functions, resolved and checked, and how their
// bytes are framed. Made by lib/handler, read once when a dispatcher is constructed.

import type { FramerSpec } from '../engine/engine.js'
import type { CloseReason } from '../engine/reasons.js'
import type { DeclaredFramer } from '../frame/framer.js'
import { MESSAGE } from '../frame/message.js'
import type { Background } from '../frontend/background.js'
import type { FetchPlan } from '../frontend/plan.js'
import type {
  Connection,
  DecodeRequest,
  EncodeResponse,
  EncodingName,
  EndRequest,
  HandleBatch,
  HandleRequest,
  SplitRequest,
} from '../handler/contract.js'
import { overHttp } from '../http/plan.js'
import { type ReadRequest, requestReader } from './codec.js'

/** Framing that asks JS: at least one of the two is a function, or the two declare different framers. */
export interface JsFraming {
  endRequest: EndRequest | DeclaredFramer
  /** undefined: the whole input is one request. */
  splitRequest: SplitRequest | DeclaredFramer | undefined
}

export interface HandlerPlan {
  /** Exactly one of the two is set. */
  handleRequest?: HandleRequest
  handleBatch?: HandleBatch
  /** False when handle_request provably never looks at its second argument. */
  seesConnection: boolean
  /** What the engine cuts with; 'chunk' when `framing` is set. */
  framer: FramerSpec
  framing?: JsFraming
  decodeRequest?: EncodingName | DecodeRequest
  encodeResponse?: EncodingName | EncodeResponse
  /** Makes requests of bytes in place of decode_request. */
  read?: ReadRequest
  /**
   * What the client is told of a request whose handler has failed, before its connection ends; without one it is
   * closed at once.
   * @param flags HTTP_FLAG of the request
   */
  apology?: (flags: number) => Uint8Array
  /** The handler is one of frontend fetch. */
  fetch?: FetchPlan
  /** What it goes on with behind its responses. */
  background?: Background
  opened?: (connection: Connection) => unknown
  closed?: (connection: Connection, reason: CloseReason) => unknown
  /** What a plain reply does to the connection. */
  keepalive: boolean
  /** A request may run twice: one whose worker died is given to another. */
  idempotent?: boolean
}

/** What makes requests of their bytes; undefined: they stay bytes. */
export const readerOf = ({ read, decodeRequest }: HandlerPlan): ReadRequest | undefined =>
  read ?? requestReader(decodeRequest)

/**
 * A datagram or a message is a request, whatever the framer would make of its bytes. A datagram has no beginning and no
 * end of its own.
 */
export function planFor(
  plan: HandlerPlan,
  { datagrams, messages }: { datagrams: boolean; messages: boolean },
): HandlerPlan {
  if (!datagrams && !messages) return overHttp(plan)
  const { framing: _framing, ...unframed } = plan
  if (messages) return { ...unframed, framer: MESSAGE }
  const { opened: _opened, closed: _closed, ...rest } = unframed
  return { ...rest, framer: { kind: 'chunk' } }
}
