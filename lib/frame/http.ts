// Framer http: requests of HTTP/1.1 and HTTP/1.0 (RFC 9112), strictly.

import type { JsFramer } from './framer.js'

/** What is known of an unfinished request. */
export interface HttpProgress {
  phase: number
}

export function httpFramer(): JsFramer {
  throw new Error('to come')
}
