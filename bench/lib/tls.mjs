// The suite `tls`: what TLS costs a server in processor time and memory. Requests are asked by the generator; what else
// is asked by node:tls, which is slower than any server: a figure is what the server has used up for a piece of
// work, by the clock where long replies are concerned.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { build } from '../build.mjs'
import { startServer } from './server.mjs'
import { stop } from './processes.mjs'
import { summary } from './statistics.mjs'
import { takeTurn } from './turn.mjs'

const FOLDER = join(import.meta.dirname, '..', 'build', 'tls')
const IDLE_CONNECTIONS = 2000
/** Longer than connections keep what they work with, and processes what they have freed. */
const SETTLE_MS = 11_000

/** A certificate on P-256 and its key, made when there is none or it is older than a day. */
export const files = { cert: join(FOLDER, 'cert.pem'), key: join(FOLDER, 'key.pem') }

export function makeFiles() {
  const made = statSync(files.cert, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (Date.now() - made < 86_400_000) return
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const out = ['-keyout', files.key, '-out', files.cert]
  execFileSync('openssl', ['req', '-x509', ...curve, '-subj', '/CN=localhost', '-days', '30', ...out], { stdio: 'ignore' })
}

/** Nanoseconds that a process's threads have run. */
function ranFor(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks.reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]), 0)
}

/** KiB of resident memory. */
const memoryOf = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

async function open(port) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  socket.setNoDelay(true)
  await once(socket, 'secureConnect')
  return socket
}

async function openMany(port, count) {
  const sockets = []
  while (sockets.length < count) sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - sockets.length) }, () => open(port)))))
  return sockets
}

/** The next `length` bytes, which are thrown away. */
function take(socket, length) {
  return new Promise((resolve, reject) => {
    let rest = length
    const closed = () => reject(new Error('the server has closed'))
    const data = (chunk) => {
      rest -= chunk.length
      if (rest > 0) return
      socket.off('data', data).off('close', closed)
      resolve()
    }
    socket.on('data', data).on('close', closed)
  })
}

async function ask(socket, text, length) {
  const taken = take(socket, length)
  socket.write(text)
  await taken
}

/** All `workers` act until the time is up. @param act returns how many things it did @returns how many all did */
async function actFor(seconds, workers, act) {
  const end = performance.now() + seconds * 1000
  let count = 0
  const work = async (each) => {
    while (performance.now() < end) {
      // Awaited first: `count += await` would add to what it was before.
      const done = await act(each)
      count += done
    }
  }
  await Promise.all(workers.map(work))
  return count
}

/** Microseconds of the server for each thing that `act` does until the time is up. */
async function costOf(server, seconds, workers, act) {
  const before = ranFor(server.pid)
  const count = await actFor(seconds, workers, act)
  return (ranFor(server.pid) - before) / 1000 / count
}

/** `connections` with `depth` requests in flight on each, by the generator. */
const requests = (connections, depth) => async (server, seconds, plan) => {
  const turn = await takeTurn(server, { ...plan, ...plan.suite, seconds, connections, depth, tls: true, pinned: true })
  if (turn.errors.total > 0) throw new Error(`${server.name}: ${turn.errors.first}`)
  return turn.server.cpu_us_per_request
}

const handshakes = (server, seconds) =>
  costOf(server, seconds, [1, 2, 3, 4], async () => {
    const socket = await open(server.port)
    const closed = once(socket, 'close')
    socket.resume().end()
    await closed
    return 1
  })

async function askBig(socket) {
  await ask(socket, 'big\n', 1 << 20)
  return 1
}

/** What replies of 1 MiB cost, four connections asking for them. @param measure (server, seconds, sockets) => microseconds of one */
const bigReplies = (measure) => async (server, seconds) => {
  const sockets = await openMany(server.port, 4)
  const cost = await measure(server, seconds, sockets)
  for (const socket of sockets) socket.end()
  return cost
}

async function timeOfBig(_server, seconds, sockets) {
  const began = performance.now()
  const count = await actFor(seconds, sockets, askBig)
  return ((performance.now() - began) * 1000) / count
}

const costOfBig = (server, seconds, sockets) => costOf(server, seconds, sockets, askBig)

/** KiB of a connection that has been used once and is idle; of a server that has had no other. */
async function idleMemory({ name }) {
  const fresh = await startServer(name)
  try {
    // What the first connections bring is the server's, not theirs.
    const first = await openMany(fresh.port, 50)
    for (const socket of first) await ask(socket, 'idle\n', 5)
    await sleep(SETTLE_MS)
    const before = memoryOf(fresh.pid)
    const sockets = await openMany(fresh.port, IDLE_CONNECTIONS)
    for (const socket of sockets) await ask(socket, 'idle\n', 5)
    await sleep(SETTLE_MS)
    const each = (memoryOf(fresh.pid) - before) / IDLE_CONNECTIONS
    for (const socket of [...first, ...sockets]) socket.destroy()
    return each
  } finally {
    await stop(fresh.child)
  }
}

/** What is measured, by cell. `once`: it takes long, and memory is not noisy. */
const FIGURES = {
  '64x1': { what: 'CPU us a request, 64 connections with 1 in flight', measure: requests(64, 1) },
  '64x16': { what: 'CPU us a request, 64 connections with 16 in flight', measure: requests(64, 16) },
  handshake: { what: 'CPU us a full handshake and its end', measure: handshakes },
  big: { what: 'us a reply of 1 MiB, by the clock, four at once', measure: bigReplies(timeOfBig) },
  'big-cpu': { what: 'CPU us a reply of 1 MiB, four at once', measure: bigReplies(costOfBig) },
  idle: { what: 'KiB an idle connection', measure: idleMemory, once: true },
}

const shuffled = (list) => list.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item)

/** Runs one figure over the servers, in rounds. @returns its samples by server */
async function measureFigure({ measure, once: isOnce }, servers, plan) {
  const { rounds, seconds } = plan
  const samples = Object.fromEntries(servers.map(({ name }) => [name, []]))
  for (let round = 0; round < (isOnce ? 1 : rounds); round++)
    for (const server of shuffled(servers)) samples[server.name].push(await measure(server, seconds, plan))
  return samples
}

function report(name, samples, { reference, floors }) {
  const rows = Object.entries(samples).map(([peer, own]) => {
    const ratio = summary(own.map((value, i) => value / samples[reference][i]))
    return { peer, value: summary(own).median, ratio }
  })
  console.log(`${name}: ${FIGURES[name].what}`)
  for (const { peer, value, ratio } of rows)
    console.log(`  ${peer.padEnd(16)}${value.toFixed(2).padStart(10)}   ratio ${ratio.median.toFixed(3)} (${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)})`)
  console.log('')
  return floors
    .filter(({ cell, peer }) => cell === name && samples[peer] !== undefined)
    .map((floor) => ({ ...floor, measured: rows.find(({ peer }) => peer === floor.peer).ratio.median }))
}

/**
 * Measures the suite.
 * @returns {Promise<{ results: object[], missed: number }>} samples by figure, and how many ratios are above what was promised
 */
export async function runTls(plan) {
  const reason = build('loadgen-tls')
  if (reason) throw new Error(`the generator cannot be built (Debian: libssl-dev): ${reason}`)
  makeFiles()
  const { suite } = plan
  const peers = [...new Set(suite.cells.flatMap((cell) => cell.peers))]
  const servers = []
  const results = []
  const judged = []
  try {
    for (const name of peers) servers.push(await startServer(name, plan.serverCore))
    for (const { name, absent } of servers) if (absent) console.log(`absent: ${name}: ${absent}`)
    const taking = servers.filter(({ absent }) => !absent)
    if (taking[0]?.name !== suite.reference) throw new Error('the reference is absent')
    for (const { name, peers: wanted } of suite.cells) {
      const own = taking.filter((server) => wanted.includes(server.name))
      const samples = await measureFigure(FIGURES[name], own, plan)
      results.push({ figure: name, samples })
      judged.push(...report(name, samples, suite))
    }
  } finally {
    await Promise.all(servers.filter(({ child }) => child).map(({ child }) => stop(child)))
  }
  for (const { cell, peer, atMost, measured } of judged)
    console.log(`${measured <= atMost ? 'pass' : 'FAIL'}  ${cell} ${peer}: ${measured.toFixed(3)} of ${suite.reference}, at most ${atMost} was promised`)
  return { results, missed: judged.filter(({ atMost, measured }) => measured > atMost).length }
}
