// What a request that cannot be is answered with.

import { dateLine } from '../../http/date.js'
import { phraseOf, statusLine } from '../../http/status.js'

/** Limits that are passed; the others are errors of the client. */
export const isTooLong = (status: number): boolean =>
  status === 413 || status === 414 || status === 431

/** The whole response; the connection ends behind it. */
export function refusal(status: number): Buffer {
  const text = `${status} ${phraseOf(status)}\n`
  const fields = `Connection: close\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n`
  return Buffer.from(`${statusLine(status)}${dateLine()}${fields}\r\n${text}`, 'latin1')
}
