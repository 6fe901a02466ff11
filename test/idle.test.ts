// What connections cost that do nothing: memory, processor time, and what is left when they are gone.
// Server and clients are processes of their own, each with its own limit of descriptors.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { EngineStats } from '../lib/engine/engine.js'
import { unavailable } from './conformance/available.js'
import { tick, until, within } from './conformance/deadline.js'
import { refuse, VARIANTS, type Variant } from './conformance/variant.js'

const inCi = Boolean(process.env['CI'])
/** Descriptors that node and the server need besides connections. */
const RESERVE = 100
const FEW = 1000
const MANY = Math.min(10_000, descriptorLimit() - RESERVE)
const BYTES_EACH = 256
const CPU_MS = 20
const CPU_WINDOW_MS = inCi ? 10_000 : 3000
const LEFTOVER_BYTES = 2 * 1024 * 1024

const timersOff = {
  firstByteTimeout: 0,
  frameTimeout: 0,
  idleTimeout: 0,
  writeTimeout: 0,
  maxConnections: 0,
}

function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1024)
}

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

async function asks<T>(child: ChildProcess, question: string | object): Promise<T> {
  const answered = once(child, 'message')
  child.send(question as never)
  const [message] = await within(answered, `answer to ${JSON.stringify(question)}`, 60_000)
  return (message as { value?: T }).value as T
}

/** Nanoseconds of processor time of all threads of a process. */
function cpuNanoseconds(pid: number): number {
  let sum = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  }
  return sum
}

interface Pair {
  server: ChildProcess
  crowd: ChildProcess
}

async function start(t: Test, variant: Variant): Promise<Pair> {
  const options = JSON.stringify({ host: '127.0.0.1', port: 0, ...timersOff, ...variant.options })
  const server = fork(fixture('controlled-server.mjs'), [options], { execArgv: ['--expose-gc'] })
  t.teardown(() => server.kill())
  const [hello] = await within(once(server, 'message'), 'listening server', 60_000)
  const { port } = (hello as { value: { port: number } }).value
  const crowd = fork(fixture('crowd.mjs'), [String(port)], { execArgv: [] })
  t.teardown(() => crowd.kill())
  return { server, crowd }
}

/** Waits until the server knows of just so many connections. */
async function settled({ server }: Pair, count: number): Promise<void> {
  let active = -1
  const end = performance.now() + 60_000
  while (active !== count) {
    if (performance.now() > end) throw new Error(`${active} connections, wanted ${count}`)
    active = (await asks<EngineStats>(server, 'stats')).active
    await tick()
  }
}

async function grow(pair: Pair, count: number): Promise<number> {
  await asks(pair.crowd, { grow: count })
  await settled(pair, count)
  return asks<number>(pair.server, 'memory')
}

async function leave(pair: Pair): Promise<number> {
  await asks(pair.crowd, { leave: true })
  await settled(pair, 0)
  return asks<number>(pair.server, 'memory')
}

/** Processor time that the server uses in the window while nothing happens, milliseconds. */
async function idleCpu({ server }: Pair): Promise<number> {
  const pid = server.pid as number
  const before = cpuNanoseconds(pid)
  const began = performance.now()
  await until(() => performance.now() - began >= CPU_WINDOW_MS, 'window', 2 * CPU_WINDOW_MS)
  return (cpuNanoseconds(pid) - before) / 1e6
}

async function idle(t: Test, variant: Variant): Promise<void> {
  const pair = await start(t, variant)
  // The first connections and collections fill what is kept for ever: code, slabs, tables.
  await grow(pair, 100)
  await asks(pair.crowd, { ask: true })
  const before = await leave(pair)

  const few = await grow(pair, FEW)
  const many = await grow(pair, MANY)
  const each = (many - few) / (MANY - FEW)
  t.comment(`${each.toFixed(1)} B of private memory for each idle connection`)
  t.ok(each <= BYTES_EACH, `${each.toFixed(1)} B each, at most ${BYTES_EACH}`)

  // V8 collects once some seconds after the last activity; the window after that one is idle.
  let cpu = Number.POSITIVE_INFINITY
  for (let window = 0; window < 3 && cpu > CPU_MS; window++) {
    cpu = await idleCpu(pair)
    t.comment(`${cpu.toFixed(1)} ms of CPU in ${CPU_WINDOW_MS / 1000} s with ${MANY} connections`)
  }
  t.ok(cpu <= CPU_MS, `${cpu.toFixed(1)} ms of CPU in ${CPU_WINDOW_MS / 1000} s, at most ${CPU_MS}`)

  await asks(pair.crowd, { ask: true })
  const after = await leave(pair)
  const left = after - before
  t.comment(`${(left / 1024).toFixed(0)} KiB more than before when all are gone`)
  t.ok(left <= LEFTOVER_BYTES, `${left} B more than before, at most ${LEFTOVER_BYTES}`)
  const stats = await asks<EngineStats>(pair.server, 'stats')
  t.equal(stats.requests, MANY + 100)
}

t.setTimeout(240_000)

const lacking = !existsSync('/proc/self/smaps_rollup')
  ? 'no /proc/self/smaps_rollup'
  : MANY < 10_000
    ? `the limit of descriptors is ${descriptorLimit()}, 10 100 are needed`
    : undefined

for (const variant of [VARIANTS.edge, VARIANTS.level, VARIANTS.completion]) {
  await t.test(`${variant.name}: ten thousand idle connections`, async (test) => {
    const reason = lacking ?? (await unavailable(variant))
    if (reason === undefined) return idle(test, variant)
    if (inCi && lacking !== undefined) return void test.fail(reason)
    refuse(test, reason)
  })
}
