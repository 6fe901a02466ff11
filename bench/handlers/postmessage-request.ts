// The measured handler: an echo in a worker thread, one postMessage a request each way.
import { echoThread } from './elsewhere.js'

const worker = echoThread()
const waiting = new Map<number, (reply: Uint8Array) => void>()
let next = 0
worker.on('message', ({ id, bytes }: { id: number; bytes: Uint8Array }) => {
  waiting.get(id)?.(bytes)
  waiting.delete(id)
})

export const handleRequest = (request: Buffer) =>
  new Promise<Uint8Array>((resolve) => {
    const id = next++
    waiting.set(id, resolve)
    // A copy: the request lies in a slab of which a message would take the whole.
    worker.postMessage({ id, bytes: Uint8Array.from(request) })
  })
