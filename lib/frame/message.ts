// Messages of SOCK_SEQPACKET within the native engine: each stands behind its length there, so that they go the way of
// any stream. Its poller puts the lengths in front of what it receives and takes them off what it sends.

import type { DeclaredFramer } from './framer.js'

export const MESSAGE: DeclaredFramer = Object.freeze({
  kind: 'length',
  type: 'u32le',
  offset: 0,
  adjust: 0,
  inclusive: false,
  strip: true,
})
/** Bytes of a length. */
export const MESSAGE_HEAD = 4

/** A message as the engine takes it. */
export function asMessage(bytes: Uint8Array): Uint8Array {
  const whole = Buffer.allocUnsafe(MESSAGE_HEAD + bytes.length)
  whole.writeUInt32LE(bytes.length, 0)
  whole.set(bytes, MESSAGE_HEAD)
  return whole
}
