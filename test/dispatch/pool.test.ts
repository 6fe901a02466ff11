// Workers in threads and processes as a server runs them: what they answer, and what becomes of the requests
// of one that dies. From what is built, as a user has it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Gaidaros } from '../../dist/index.js'
import { temporary } from '../cli/command.js'
import { unavailable } from '../conformance/available.js'
import { Client } from '../conformance/client.js'
import { PATIENT, until } from '../conformance/deadline.js'
import { refuse, VARIANTS } from '../conformance/variant.js'

const HANDLER = `
import { threadId } from 'node:worker_threads'
export const endRequest = 'line,strip'
export const decodeRequest = 'utf8'
export async function* pieces(count) { for (let i = 0; i < count; i++) yield 'x'.repeat(1000) }
function spin() { for (;;); }
export function handleRequest(line, connection) {
  const [verb, amount] = line.split(' ')
  if (verb === 'later') return new Promise((done) => setTimeout(done, Number(amount), line))
  if (verb === 'who') return \`\${process.pid} \${threadId}\`
  if (verb === 'peer') return String(connection.remote.port)
  if (verb === 'stream') return pieces(Number(amount))
  if (verb === 'big') return 'b'.repeat(Number(amount))
  if (verb === 'throw') throw new Error('meant')
  if (verb === 'spin') spin()
  if (verb === 'watch')
    connection.signal.addEventListener('abort', () => { throw new Error('told by its signal') })
  if (verb === 'never' || verb === 'watch') {
    connection.write('begun\\n')
    return new Promise(() => undefined)
  }
  if (verb === 'die') process.exit(3)
  return line.toUpperCase()
}
`

const reason = await unavailable(VARIANTS.edge)
type Engine = 'native' | 'portable'

async function serving(t: Test, engine: Engine, handlerType: string, options: object = {}) {
  const path = join(temporary(t), 'handler.mjs')
  writeFileSync(path, HANDLER)
  const lines: string[] = []
  const server = new Gaidaros({
    host: '127.0.0.1',
    port: 0,
    handlerType: handlerType as '',
    handlerPoolSize: 2,
    handlerModule: path,
    engine,
    log: (line: string) => void lines.push(line),
    ...options,
  })
  t.teardown(() => server.close())
  const [address] = await server.serve()
  const connect = () => Client.connect(address?.port ?? 0)
  return { server, lines, connect }
}

function workers(engine: Engine, handlerType: 'threadpool' | 'procpool'): void {
  const name = `${engine}, ${handlerType}`
  void t.test(`${name}: every kind of answer, in order`, async (t) => {
    const { connect } = await serving(t, engine, handlerType)
    const client = await connect()
    client.send('later 30\nsoon\nstream 3\nbig 300000\nlater 1\nlast\n')
    await client.expect('later 30\nSOON\n')
    t.equal((await client.take(3001)).toString(), `${'x'.repeat(3000)}\n`)
    t.equal((await client.take(300_001)).toString(), `${'b'.repeat(300_000)}\n`)
    await client.expect('later 1\nLAST\n')
    await client.ask(`${'r'.repeat(200_000)}\n`, `${'R'.repeat(200_000)}\n`)
    await client.ask('peer\n', `${client.localPort}\n`)
    client.destroy()
  })

  void t.test(`${name}: a turn that never ends is told with its stack, and replaced`, async (t) => {
    const { connect, lines } = await serving(t, engine, handlerType, { handlerTimeout: PATIENT })
    const [spins, other] = await Promise.all([connect(), connect()])
    spins.send('spin\n')
    await spins.expectEnd()
    await until(() => lines.some((line) => /overran handler_timeout/.test(line)), 'the log line')
    const line = lines.find((each) => /overran handler_timeout/.test(each))
    // A process lets nobody look into it.
    if (handlerType === 'threadpool') t.match(line, /at spin \(.*at handleRequest \(/s)
    await other.ask('hello\n', 'HELLO\n')
    other.destroy()
  })

  void t.test(`${name}: many connections, each byte its own`, async (t) => {
    const { connect, server } = await serving(t, engine, handlerType)
    const clients = await Promise.all(Array.from({ length: 20 }, connect))
    await Promise.all(
      clients.map(async (client, nth) => {
        for (let round = 0; round < 20; round++) {
          const words = Array.from({ length: 16 }, (_, i) => `c${nth} r${round} ${i}`)
          client.send(words.map((word) => `${word}\n`).join(''))
          await client.expect(words.map((word) => `${word.toUpperCase()}\n`).join(''))
        }
      }),
    )
    t.equal(server.stats().replies, 20 * 20 * 16)
    for (const client of clients) client.destroy()
  })

  void t.test(
    `${name}: an error ends its connection alone, and is counted and logged`,
    async (t) => {
      const { connect, server, lines } = await serving(t, engine, handlerType)
      const [good, bad] = await Promise.all([connect(), connect()])
      bad.send('throw\n')
      await bad.expectEnd()
      await good.ask('still\n', 'STILL\n')
      await until(() => server.stats().handler_errors === 1, 'one handler error')
      await until(() => lines.some((line) => line.includes('meant')), 'its line')
      good.destroy()
    },
  )

  void t.test(`${name}: a dead worker is replaced, only what it had is lost`, async (t) => {
    const { connect, server } = await serving(t, engine, handlerType)
    for (let deaths = 1; deaths <= 2; deaths++) {
      const [good, bad] = await Promise.all([connect(), connect()])
      bad.send('die\n')
      await bad.expectEnd()
      await good.ask('still\n', 'STILL\n')
      t.equal(server.stats().closed.worker_lost, deaths)
      t.equal(server.stats().workers_lost, deaths)
      good.destroy()
    }
  })
}

function fresh(engine: Engine, handlerType: 'thread' | 'proc'): void {
  const name = `${engine}, ${handlerType}`
  void t.test(`${name}: each request has a worker of its own`, async (t) => {
    const { connect } = await serving(t, engine, handlerType)
    const client = await connect()
    const seen = new Set<string>()
    for (let i = 0; i < 3; i++) {
      client.send('who\n')
      await until(() => client.pending > 0, 'an answer')
      seen.add((await client.take(client.pending)).toString())
    }
    t.equal(seen.size, 3)
    await client.ask('peer\n', `${client.localPort}\n`)
    client.destroy()
  })

  void t.test(`${name}: the handler is told that its connection is gone`, async (t) => {
    const { connect, lines } = await serving(t, engine, handlerType, { handlerTimeout: PATIENT })
    const client = await connect()
    await client.ask('watch\n', 'begun\n')
    await client.expectEnd()
    await until(() => lines.some((line) => /told by its signal/.test(line)), 'the abort event')
  })

  void t.test(`${name}: who never answers a peer that is gone makes place`, async (t) => {
    const { connect, server } = await serving(t, engine, handlerType)
    const leaving = await Promise.all([connect(), connect()])
    await Promise.all(leaving.map((client) => client.ask('never\n', 'begun\n')))
    const stays = await connect()
    stays.send('hello\n')
    for (const client of leaving) client.reset()
    await stays.expect('HELLO\n')
    t.equal(server.stats().workers_lost, 0, 'they are ended, not lost')
    stays.destroy()
  })
}

function all(engine: Engine): void {
  for (const type of ['threadpool', 'procpool'] as const) workers(engine, type)
  for (const type of ['thread', 'proc'] as const) fresh(engine, type)
  void t.test(`${engine}: a function cannot be sent to workers`, async (t) => {
    const server = new Gaidaros({
      host: '127.0.0.1',
      port: 0,
      engine,
      handlerType: 'threadpool',
      handleRequest: (line: Buffer) => line,
    })
    await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_OPTION', message: /handler_module/ })
  })
  void t.test(`${engine}: a handler that cannot be loaded is said at once`, async (t) => {
    const path = join(temporary(t), 'broken.mjs')
    writeFileSync(path, 'throw new Error("not today")')
    const server = new Gaidaros({ port: 0, engine, handlerType: 'procpool', handlerModule: path })
    await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_HANDLER', message: /not today/ })
  })
}

if (reason !== undefined) refuse(t, reason)
else all('native')
all('portable')
