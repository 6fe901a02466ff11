// What the handlers share that hand batches to a worker by hand: the requests of a turn as one message.
import { Worker } from 'node:worker_threads'
import type { Batch, BatchRequest } from '../../lib/handler/contract.js'

/** A thread that posts back whatever it is sent. */
export const echoThread = () =>
  new Worker(
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m))",
    { eval: true },
  )

/** Copies of the requests, one behind the other, and their lengths. */
export interface Parcel {
  id: number
  bytes: Uint8Array
  lengths: number[]
}

/** Sends batches through `post` and answers them with what comes back to `deliver`. */
export function courier(post: (parcel: Parcel) => void) {
  const waiting = new Map<number, { requests: BatchRequest[]; done: () => void }>()
  let next = 0
  return {
    send(batch: Batch): Promise<void> {
      const requests = [...batch]
      const parts = requests.map((request) => request.bytes())
      const id = next++
      post({ id, bytes: Buffer.concat(parts), lengths: parts.map(({ length }) => length) })
      return new Promise((done) => waiting.set(id, { requests, done }))
    },
    deliver({ id, bytes, lengths }: Parcel): void {
      const { requests, done } = waiting.get(id) as { requests: BatchRequest[]; done: () => void }
      waiting.delete(id)
      let at = 0
      for (const [index, length] of lengths.entries()) {
        requests[index]?.reply(bytes.subarray(at, at + length))
        at += length
      }
      done()
    },
  }
}
