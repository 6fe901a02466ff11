// Where a server's processes, handlers and polls can be, all arrangements of them, and the one thing that each
// has to keep: every request of a connection gets its own bytes back, in order, and nothing else.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Gaidaros } from '../../dist/index.js'
import { temporary } from '../cli/command.js'
import { unavailable } from '../conformance/available.js'
import { Client } from '../conformance/client.js'
import { SLOWNESS, within } from '../conformance/deadline.js'
import { refuse, VARIANTS } from '../conformance/variant.js'

const AXES = {
  pollingType: ['edge', 'level', 'completion'],
  /** -S */
  serverType: ['', 'procpool'],
  /** -X */
  handlerType: ['', 'gthread', 'gthreadpool', 'threadpool', 'procpool', 'thread', 'proc'],
} as const
type Axes = typeof AXES
type Axis = keyof Axes
export type Arrangement = { readonly [A in Axis]: Axes[A][number] }

const NAMES = Object.keys(AXES) as Axis[]

/** Every arrangement. */
export const ALL: readonly Arrangement[] = AXES.pollingType.flatMap((pollingType) =>
  AXES.serverType.flatMap((serverType) =>
    AXES.handlerType.map((handlerType) => ({ pollingType, serverType, handlerType })),
  ),
)

const pairsOf = (arrangement: Arrangement): string[] =>
  NAMES.flatMap((a, i) =>
    NAMES.slice(i + 1).map((b) => `${a} ${arrangement[a]}, ${b} ${arrangement[b]}`),
  )

/** Few of `all` that have among them each value of one axis with each of every other. */
export function covering(all: readonly Arrangement[]): Arrangement[] {
  const wanted = new Set(all.flatMap(pairsOf))
  const gain = (each: Arrangement) => pairsOf(each).filter((pair) => wanted.has(pair)).length
  const chosen: Arrangement[] = []
  while (wanted.size > 0) {
    const best = all.reduce((a, b) => (gain(b) > gain(a) ? b : a))
    for (const pair of pairsOf(best)) wanted.delete(pair)
    chosen.push(best)
  }
  return chosen
}

const titleOf = ({ pollingType, serverType, handlerType }: Arrangement): string =>
  `-S "${serverType}" -X "${handlerType}" -T ${pollingType}`

/** The same bytes back after 0 to 5 ms, so that requests end in any order. */
const HANDLER = `
const later = (ms) => new Promise((done) => setTimeout(done, ms))
export const handleRequest = async (line) => {
  await later(Math.random() * 5)
  return line
}
`

/** A thread or a process for each request takes its time. */
const amountOf = ({ handlerType }: Arrangement): { connections: number; lines: number } =>
  handlerType === 'thread' || handlerType === 'proc'
    ? { connections: 2, lines: 3 }
    : { connections: 4, lines: 150 }

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

/** Asks each of `arrangements`, two at a time. */
export async function keepOrder(t: Test, arrangements: readonly Arrangement[]): Promise<void> {
  // Workers and server processes are started without the flags that compile the tests.
  process.execArgv.length = 0
  t.jobs = 2
  for (const arrangement of arrangements) {
    const reason = await unavailable(VARIANTS[arrangement.pollingType])
    void t.test(titleOf(arrangement), { buffered: true }, async (t) =>
      reason === undefined ? keepsOrder(t, arrangement) : refuse(t, reason),
    )
  }
}

/** Several pipelining clients of one server of this arrangement. */
async function keepsOrder(t: Test, arrangement: Arrangement): Promise<void> {
  const handlerModule = join(temporary(t), 'handler.mjs')
  writeFileSync(handlerModule, HANDLER)
  const server = new Gaidaros({
    host: '127.0.0.1',
    port: 0,
    engine: 'native',
    serverPoolSize: 2,
    handlerPoolSize: arrangement.handlerType === 'gthreadpool' ? 20 : 2,
    handlerModule,
    shutdownGrace: '300ms',
    log: () => undefined,
    ...arrangement,
  })
  try {
    const starting = Promise.resolve(server.serve())
    const [address] = await within(starting, 'listening server', 30_000 * SLOWNESS)
    const port = address?.port ?? 0
    const { connections, lines: count } = amountOf(arrangement)
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
