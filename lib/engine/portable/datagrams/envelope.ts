// The envelope of a message of ZeroMQ: the frames in front of its body, which go in front of the reply, too.

/** The frames up to the body, the first of which names the peer, and the peer as text. */
export interface Envelope {
  readonly frames: readonly Buffer[]
  readonly peer: string
}

/**
 * Takes apart what a ROUTER socket has received: [peer, body] of a DEALER, [peer, '', body] of a REQ, and
 * [peer, address, ..., '', body] of one behind proxies. An empty frame that is the last one is a body.
 * @returns undefined: the body has several frames
 * @example
 * openEnvelope([peer, empty, body]) // { from: { frames: [peer, empty], peer: '006b8b4567' }, body }
 */
export function openEnvelope(
  message: readonly Buffer[],
): { from: Envelope; body: Buffer } | undefined {
  const last = message.length - 1
  const delimiter = message.findIndex(({ length }, i) => i > 0 && i < last && length === 0)
  const start = Math.max(delimiter, 0) + 1
  const [peer] = message
  const body = message[start]
  if (start !== last || body === undefined || peer === undefined) return undefined
  return { from: { frames: message.slice(0, start), peer: peer.toString('hex') }, body }
}
