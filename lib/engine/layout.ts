// The records that cross between an engine and the dispatcher, once a turn and direction. The native
// counterpart is native/loop/layout.h; the addon exports its constants and the loader compares them.
// Records hold offsets, never pointers, so that the same bytes can go to threads, processes and a bus.

/** Version of the layout; an addon with another one is refused. */
export const LAYOUT_VERSION = 1

/** 32-bit words of one record (engine to dispatcher) and their places. */
export const RECORD_WORDS = 8
export const RECORD = {
  /** Kind in the low byte, flags above it. */
  kind: 0,
  /** Place of the connection in the engine's table. */
  slot: 1,
  /** Generation of that place: together with the slot it names one connection for ever. */
  generation: 2,
  /** Number of the request on its connection, from 0; wraps at 2^32. */
  sequence: 3,
  /** Where the bytes begin in the engine's slab; with RECORD_BIG the index in `engine.bigs`. */
  offset: 4,
  /** Bytes of the request. */
  length: 5,
  /** closed: the close reason; drained: bytes still queued; with RECORD_BIG where the bytes begin there; otherwise 0. */
  extra: 6,
  spare: 7,
} as const

/** Kinds of records. The order in a turn is the order of events on each connection. */
export const KIND = {
  /** One whole request, as the declared framer cut it. */
  request: 0,
  /** Bytes of a stream whose framing is done in JS; sequence is the number the next request will have. */
  chunk: 1,
  /** A connection was accepted (only when EngineOptions.wantOpened). */
  opened: 2,
  /** A connection is gone; extra is the reason. Delivered when it was watched, when wantClosed, or when the reason is abnormal. */
  closed: 3,
  /** Output of a watched connection that was above the high-water mark is at or below half of it. */
  drained: 4,
  /** The peer has sent FIN (only for framer 'chunk'); after the last chunk. */
  ended: 5,
} as const

/** Flag in the kind word: the bytes do not lie in the slab but are `engine.bigs[offset]`. */
export const RECORD_BIG = 0x100

/**
 * Flags in the kind word of requests that framer 'http' cut. Few requests have one, so that loops may look for
 * the bare kind first.
 */
export const HTTP_FLAG = {
  /** The connection's last: the client or its version asks for no further one; the engine closes after the reply. */
  last: 0x1000,
  /** HEAD: the reply has no body. */
  head: 0x2000,
  /** HTTP/1.0: it knows no chunks, and must be told that the connection is kept (unless `last`). */
  old: 0x4000,
} as const

/** All HTTP_FLAGs. */
export const HTTP_FLAGS = 0x7000

/** 32-bit words of one reply (dispatcher to engine); reply i answers record i of the turn. */
export const REPLY_WORDS = 4
export const REPLY = {
  /** Kind in the low byte, flags above it. */
  kind: 0,
  offset: 1,
  length: 2,
  spare: 3,
} as const

export const ANSWER = {
  /** No bytes; the request is answered (undefined). For records that are no request: nothing to say. */
  none: 0,
  /** The reply is the request's own bytes (with strip: with its delimiter or prefix put back). */
  same: 1,
  /** offset and length lie in the slab the records of this turn refer to. */
  slab: 2,
  /** offset and length lie in engine.out. */
  out: 3,
  /** engine.reply() was or will be called for this sequence. */
  later: 4,
  /** The handler failed: the connection is closed with reason 'handler_error'. */
  failed: 5,
} as const

/** Flag in a reply's kind word: close the connection once this reply and all before it are sent. */
export const REPLY_END = 0x100

/** Flags of Engine.reply(). */
export const REPLY_FLAG = {
  /** More pieces of the same reply will follow. */
  more: 1,
  /** Close the connection once it is sent. */
  end: 2,
  /** Put the framer's delimiter or prefix back (strip). */
  frame: 4,
  /** From a worker: it has no bytes, but it is a reply, as a datagram without any is. */
  empty: 8,
} as const
