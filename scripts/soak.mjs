// Mixed load for a long time, over loopback, against a server process: does memory grow, do descriptors
// leak, is every byte right? Ends by itself.
//
//   node scripts/soak.mjs [--minutes 30] [--clients 24] [--tolerance 5] [-T edge|level|completion]
//
// Compares the server's private memory at a third of the time with that at the end, and its descriptors before
// the load with those after it. For both the load rests and garbage is collected first: what is in hand at some
// moment (answers of three megabytes among it) is no leak and differs by a quarter from one to the next. Exit
// status 1 when memory grew by more than the tolerance, a descriptor is left, or an answer was wrong.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    clients: { type: 'string', default: '24' },
    tolerance: { type: 'string', default: '5' },
    'polling-type': { type: 'string', short: 'T', default: 'edge' },
    engine: { type: 'string', default: 'auto' },
  },
})
const DURATION_MS = Number(values.minutes) * 60_000
const CLIENTS = Number(values.clients)
const TOLERANCE = Number(values.tolerance) / 100
const SAMPLE_MS = Math.min(5000, DURATION_MS / 24)
const CASE_MS = 30_000
if (!(DURATION_MS > 0) || !(CLIENTS > 0) || !(TOLERANCE >= 0)) {
  console.error('soak: --minutes, --clients and --tolerance take positive numbers')
  process.exit(2)
}

const random = (least, most) => least + Math.floor(Math.random() * (most - least + 1))
const line = (length) => `${'x'.repeat(length)}\n`

/** A client socket; its answers are counted, never kept. */
function open(port) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const client = { socket, received: 0, ended: undefined, changed: () => {} }
  const end = (why) => {
    client.ended ??= why
    client.changed()
  }
  socket.on('data', (bytes) => {
    client.received += bytes.length
    client.changed()
  })
  socket.on('error', (error) => end(error.message))
  socket.on('close', () => end('closed'))
  return client
}

/** Resolves when `done()` holds; asked whenever something happened to the client. */
async function reach(client, done, what) {
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(reject, new Error(`no ${what} in time`)), CASE_MS)
    const settle = (how, value) => {
      clearTimeout(timer)
      client.changed = () => {}
      how(value)
    }
    client.changed = () => {
      if (done()) settle(resolve)
      else if (client.ended) settle(reject, new Error(`${client.ended} before ${what}`))
    }
    client.changed()
  })
}

async function receive(client, bytes) {
  await reach(client, () => client.received >= bytes, `${bytes} bytes`)
  if (client.received > bytes) throw new Error(`${client.received} bytes instead of ${bytes}`)
}

/** Ends our side and waits for the server's. */
async function leave(client) {
  client.socket.end()
  client.socket.resume()
  await reach(client, () => client.ended === 'closed', 'the end')
}

const CASES = {
  async pipelined(client) {
    const text = Array.from({ length: random(1, 200) }, () => line(random(0, 300))).join('')
    client.socket.write(text)
    await receive(client, text.length)
    await leave(client)
  },
  async halfClose(client) {
    const text = line(random(1, 2000)).repeat(random(1, 20))
    client.socket.end(text)
    await receive(client, text.length)
  },
  async slowReader(client) {
    const size = random(100_000, 3_000_000)
    client.socket.write(`long ${size}\n`)
    client.socket.pause()
    await delay(random(1, 200))
    client.socket.resume()
    await receive(client, size)
    await leave(client)
  },
  async bigFrame(client) {
    const text = line(random(60_000, 900_000))
    client.socket.write(text)
    await receive(client, text.length)
    await leave(client)
  },
  async late(client) {
    const text = `later ${random(0, 20)}\n`.repeat(random(1, 40))
    client.socket.write(text)
    await receive(client, text.length)
    await leave(client)
  },
  async streamed(client) {
    const pieces = random(1, 20)
    client.socket.write(`stream ${pieces}\n`)
    await receive(client, pieces * 4096)
    await leave(client)
  },
  async drips(client) {
    for (const byte of line(random(1, 8))) {
      client.socket.write(byte)
      await delay(2)
    }
    await leave(client)
  },
  async partial(client) {
    client.socket.write('never finished')
    await leave(client)
  },
  async reset(client) {
    client.socket.write(`${line(10)}long 2000000\nlater 50\nunfinished`)
    await delay(random(0, 60))
    client.socket.resetAndDestroy()
  },
  async silent(client) {
    await delay(random(0, 100))
    client.socket.destroy()
  },
}

const names = Object.keys(CASES)
const done = Object.fromEntries(names.map((name) => [name, 0]))
const wrong = []

/** The load rests while this is set, and goes on when it resolves. */
let rest
let working = CLIENTS

async function work(port, until) {
  while (performance.now() < until && wrong.length < 20) {
    if (rest) {
      working--
      await rest
      working++
    }
    const name = names[random(0, names.length - 1)]
    const client = open(port)
    try {
      await once(client.socket, 'connect')
      await CASES[name](client)
      done[name]++
    } catch (error) {
      wrong.push(`${name}: ${error.message}`)
    } finally {
      client.socket.destroy()
    }
    await delay(random(10, 120))
  }
  working--
}

function privateBytes(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const sum = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)]
  return sum.reduce((bytes, [, kilobytes]) => bytes + Number(kilobytes) * 1024, 0)
}
/** What the server holds when it has nothing to do and its garbage is gone. */
async function restingBytes(port, pid) {
  const found = []
  // Lingering connections have five seconds to go, and the server gives memory back within ten.
  for (let i = 0; i < 13; i++) {
    await delay(1000)
    const client = open(port)
    client.socket.write('collect\n')
    await receive(client, 8)
    await leave(client)
    if (i > 9) found.push(privateBytes(pid))
  }
  return median(found)
}

/** Lets every client finish what it is doing, measures, lets them go on. */
async function measureAtRest(port, pid) {
  let goOn
  rest = new Promise((resolve) => {
    goOn = resolve
  })
  const latest = performance.now() + 2 * CASE_MS
  while (working > 0 && performance.now() < latest) await delay(20)
  const bytes = await restingBytes(port, pid)
  rest = undefined
  goOn()
  return bytes
}

const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

async function start() {
  const path = (relative) => new URL(relative, import.meta.url).pathname
  const polling = values.engine === 'portable' ? [] : ['-T', values['polling-type']]
  const server = spawn(
    process.execPath,
    [
      '--expose-gc',
      path('../bin/gaidaros.js'),
      '--no-config',
      '--allow-root',
      '-h',
      '127.0.0.1',
      '-p',
      '0',
      '--engine',
      values.engine,
      ...polling,
      '-m',
      path('soak-handler.mjs'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  process.on('exit', () => server.kill('SIGKILL'))
  let output = ''
  for await (const text of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += text
    const port = /listening on \S+:(\d+)/.exec(output)?.[1]
    if (port) return { server, port: Number(port) }
  }
  throw new Error(`the server ended: ${output}`)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
const { server, port } = await start()
server.stdout.resume()
const before = descriptors(server.pid)
const began = performance.now()
const end = began + DURATION_MS
const samples = []
const sampler = setInterval(() => samples.push(privateBytes(server.pid)), SAMPLE_MS)
const load = Promise.all(Array.from({ length: CLIENTS }, () => work(port, end)))
await delay(DURATION_MS / 3)
const early = await measureAtRest(port, server.pid)
await load
clearInterval(sampler)
const late = await restingBytes(port, server.pid)

// Lingering connections have five seconds to go.
let after = descriptors(server.pid)
for (let i = 0; i < 100 && after !== before; i++) {
  await delay(100)
  after = descriptors(server.pid)
}
const ended = once(server, 'close')
server.kill('SIGTERM')
const [status] = await ended

console.log(
  `soak: ${values.minutes} minutes, ${values.engine === 'portable' ? 'portable' : values['polling-type']}, ${CLIENTS} clients`,
)
console.log(`cases: ${names.map((name) => `${name} ${done[name]}`).join(', ')}`)
console.log(
  `private memory at rest: ${mebibytes(early)} at a third, ${mebibytes(late)} at the end (${((late / early - 1) * 100).toFixed(1)} %)`,
)
const minutes = samples.filter((_, index) => index % Math.ceil(samples.length / 10) === 0)
console.log(`under load: ${minutes.map(mebibytes).join(', ')}`)
console.log(`descriptors: ${before} before, ${after} after`)
for (const problem of wrong) console.log(`wrong: ${problem}`)
const failed =
  wrong.length > 0 || after !== before || late > early * (1 + TOLERANCE) || status !== 0
console.log(failed ? 'FAILED' : 'passed')
process.exitCode = failed ? 1 : 0
