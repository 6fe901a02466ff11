// The one thing that each combination has to keep, whatever runs its handlers and for how long: every request of a
// pipelining connection gets its own bytes back, once, in order, and nothing else.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Gaidaros } from '../../dist/index.js'
import { temporary } from '../cli/command.js'
import { unavailable } from '../conformance/available.js'
import { Client } from '../conformance/client.js'
import { SLOWNESS, within } from '../conformance/deadline.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { type Combination, isOneShot, titleOf } from './combination.js'

/** The same bytes back after 0 to 5 ms, so that requests end in any order. */
const HANDLER = `
const later = (ms) => new Promise((done) => setTimeout(done, ms))
export const handleRequest = async (line) => {
  await later(Math.random() * 5)
  return line
}
`

/** A thread or a process for each request takes its time. */
const amountOf = (combination: Combination): { connections: number; lines: number } =>
  isOneShot(combination) ? { connections: 2, lines: 3 } : { connections: 4, lines: 150 }

/** Numbered lines of any bytes but newlines and any length; now and then one that is longer than a lane's parts. */
function makeLines(connection: number, count: number): Buffer {
  const lines = Array.from({ length: count }, (_, i) => {
    const length = i % 50 === 2 ? 70_000 : Math.floor(Math.random() * 200)
    const filling = Buffer.alloc(length, (11 + i * 7 + connection) % 256)
    return Buffer.concat([Buffer.from(`${connection}.${i} `), noNewline(filling), Buffer.of(10)])
  })
  return Buffer.concat(lines)
}

const noNewline = (bytes: Buffer): Buffer => (bytes[0] === 10 ? bytes.fill(11) : bytes)

/** In pieces that end anywhere, a turn of the loop apart. */
async function sendInPieces(client: Client, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + Math.floor(Math.random() * 20_000)
    client.send(bytes.subarray(at, end))
    at = end
    await new Promise(setImmediate)
  }
}

/** Asks each of `combinations`, two at a time. */
export async function keepOrder(t: Test, combinations: readonly Combination[]): Promise<void> {
  t.jobs = 2
  for (const combination of combinations) {
    const reason = await unavailable(VARIANTS[combination.backend])
    void t.test(titleOf(combination), { buffered: true }, async (t) =>
      reason === undefined ? keepsOrder(t, combination) : refuse(t, reason),
    )
  }
}

/** Several pipelining clients of one server of this combination. */
async function keepsOrder(t: Test, combination: Combination): Promise<void> {
  const { serverType, handlerType, backend } = combination
  const handlerModule = join(temporary(t), 'handler.mjs')
  writeFileSync(handlerModule, HANDLER)
  const server = new Gaidaros({
    engine: VARIANTS[backend].engine,
    ...(backend === 'portable' ? {} : { pollingType: backend }),
    host: '127.0.0.1',
    port: 0,
    serverType,
    serverPoolSize: 2,
    handlerType,
    handlerPoolSize: handlerType === 'gthreadpool' ? 20 : 2,
    handlerModule,
    shutdownGrace: '300ms',
    log: () => undefined,
  })
  try {
    const starting = Promise.resolve(server.serve())
    const [address] = await within(starting, 'listening server', 30_000 * SLOWNESS)
    const port = address?.port ?? 0
    const { connections, lines: count } = amountOf(combination)
    await Promise.all(
      Array.from({ length: connections }, async (_, connection) => {
        const client = await Client.connect(port)
        const lines = makeLines(connection, count)
        await sendInPieces(client, lines)
        await client.expect(lines)
        client.finish()
        await client.expectEnd('fin')
        client.destroy()
      }),
    )
    t.pass(`${connections} connections, ${count} requests each`)
  } finally {
    await server.close()
  }
}
