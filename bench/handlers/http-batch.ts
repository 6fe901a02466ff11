// The measured handler of HTTP: a batch of lazy requests, each answered with the whole response in bytes. It asks neither
// for the method nor for the version: the load is GET of HTTP/1.1.
import type { Batch } from '../../lib/handler/contract.js'

export const endRequest = 'http'

let second = 0
let response = Buffer.alloc(0)

/** The response, with the date of this second. */
function current(): Buffer {
  const now = Math.floor(Date.now() / 1000)
  if (now === second) return response
  second = now
  const fields = ['Content-Type: text/plain', 'Content-Length: 13']
  const head = ['HTTP/1.1 200 OK', `Date: ${new Date(now * 1000).toUTCString()}`, ...fields]
  response = Buffer.from(`${head.join('\r\n')}\r\n\r\nHello, World!`)
  return response
}

export const handleBatch = (batch: Batch) => {
  const bytes = current()
  for (const request of batch) request.reply(bytes)
}
