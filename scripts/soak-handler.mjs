// What the soak test's server answers: echo, late answers, long answers, streams. It runs with
// --expose-gc: what is measured is what stays after a collection, not when V8 last found one worth while.
import { setTimeout as delay } from 'node:timers/promises'

async function* stream(pieces) {
  for (let i = 0; i < pieces; i++) {
    yield Buffer.alloc(4096, 0x73)
    await delay(1)
  }
}

export function handleRequest(request) {
  const [verb, amount] = request.toString('latin1', 0, Math.min(request.length, 24)).split(' ')
  if (verb === 'collect\n') {
    globalThis.gc()
    return request
  }
  if (verb === 'later') return delay(Number(amount)).then(() => request)
  if (verb === 'long') return Buffer.alloc(Number(amount), 0x6c)
  if (verb === 'stream') return stream(Number(amount))
  return request
}
