// The access log of requests that are handled elsewhere: a line each, whoever answers.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { temporary } from '../cli/command.js'
import { unavailable } from '../conformance/available.js'
import { until } from '../conformance/deadline.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { type Started, startOn, told } from './served.js'

t.setTimeout(900_000)

const PID = process.pid
/** handler_type, and who it says has answered. */
const TYPES: Record<string, RegExp> = {
  '': new RegExp(`^${PID}$`),
  gthread: new RegExp(`^${PID}$`),
  gthreadpool: new RegExp(`^${PID}$`),
  thread: new RegExp(`^${PID}/thread \\d+$`),
  threadpool: new RegExp(`^${PID}/thread \\d+$`),
  proc: new RegExp(`^${PID}/process \\d+$`),
  procpool: new RegExp(`^${PID}/process \\d+$`),
}

const HANDLER = `export const decodeRequest = 'utf8'
export async function answer(line) {
  if (line === 'fail\\n') throw new Error('no')
  if (line === 'never\\n') return new Promise(() => {})
  if (line === 'die\\n') process.exit(3)
  const begun = performance.now()
  while (line === 'later\\n' && performance.now() - begun < 5) await new Promise((resolve) => setTimeout(resolve, 5))
  return line === 'none\\n' ? undefined : line.toUpperCase() + '!'
}
export const bad = () => { throw new Error('no') }
export async function* pieces() { yield 'one'; yield 'two' }
export const semicolon = (bytes) => bytes.includes(59)
export const first = (bytes) => {
  const end = bytes.indexOf(59) + 1
  return [bytes.subarray(0, end), bytes.subarray(end)]
}
`

async function serve(t: Test, handlerType: string, more: object = {}): Promise<Started> {
  const file = join(temporary(t), 'elsewhere.mjs')
  writeFileSync(file, HANDLER)
  const pool = handlerType === '' || handlerType === 'gthread' ? {} : { handlerPoolSize: 2 }
  return startOn(VARIANTS.edge)(t, {
    handlerModule: file,
    handleRequest: 'answer',
    handlerType,
    ...pool,
    ...more,
  } as object)
}

const isFresh = (type: string): boolean => type === 'thread' || type === 'proc'
const isElsewhere = (type: string): boolean => isFresh(type) || /^(?:thread|proc)pool$/.test(type)

const reason = await unavailable(VARIANTS.edge)
if (reason !== undefined) refuse(t, reason)
else
  for (const [type, worker] of Object.entries(TYPES)) {
    t.test(`handler_type ${type || '""'}: every field`, async (t) => {
      const { ask, ended, requests, closes } = await serve(t, type)
      t.equal(await ask('a\nlater\nnone\nb\n'), 'A\n!LATER\n!B\n!')
      await ended()
      t.strictSame(told(requests()), [
        [0, 2, 3, 'ok'],
        [1, 6, 7, 'ok'],
        [2, 5, 0, 'ok'],
        [3, 2, 3, 'ok'],
      ])
      const [close] = closes()
      t.match(close, { reason: 'end', requests: 4, in: 15, out: 13, worker: String(PID) })
      for (const line of requests()) {
        const { peer, local, connection } = close ?? {}
        t.match(line, { peer, local, connection, worker, handler: 'elsewhere.mjs:answer' })
        t.match(line, { peer: /^127\.0\.0\.1:\d+$/, local: /^127\.0\.0\.1:\d+$/ })
        t.ok(Number(line['us']) >= 1)
      }
      t.ok(Number(requests()[1]?.['us']) >= 4_000, 'the time until it was answered')
    })

    t.test(`handler_type ${type || '""'}: what was not answered`, async (t) => {
      const { server, port, ask, ended, requests, closes } = await serve(t, type)
      await ask('fail\n')
      await ended()
      t.strictSame(told(requests()), [[0, 5, 0, 'failed']])
      t.match(requests(), [{ worker }])
      t.match(closes(), [{ reason: 'handler_error', requests: 1 }])
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      await once(socket, 'connect')
      socket.write('never\n')
      await until(() => server.stats().requests === 2, 'the request')
      socket.resetAndDestroy()
      await ended(2)
      t.match(requests().at(-1), { in: 6, out: 0, status: 'reset' })
      t.match(closes().at(-1), { reason: 'reset', requests: 1 })
    })

    if (isElsewhere(type))
      t.test(`handler_type ${type}: a worker that ends`, async (t) => {
        const { ask, ended, requests, closes } = await serve(t, type)
        await ask('die\n')
        await ended()
        t.strictSame(told(requests()), [[0, 4, 0, 'worker_lost']])
        t.match(closes(), [{ reason: 'worker_lost', requests: 1 }])
      })

    // A thread or a process for each request takes its time; their messages are those of the pools.
    if (isFresh(type)) continue

    t.test(`handler_type ${type || '""'}: pieces, and what fails at once`, async (t) => {
      const streamed = await serve(t, type, { handleRequest: 'pieces' })
      t.equal(await streamed.ask('a\n'), 'onetwo')
      await streamed.ended()
      t.strictSame(told(streamed.requests()), [[0, 2, 6, 'ok']])
      t.match(streamed.requests(), [{ worker }])
      const bad = await serve(t, type, { handleRequest: 'bad' })
      await bad.ask('a\n')
      await bad.ended()
      t.strictSame(told(bad.requests()), [[0, 2, 0, 'failed']])
    })

    t.test(`handler_type ${type || '""'}: cut in JS`, async (t) => {
      const { ask, ended, requests, closes } = await serve(t, type, {
        endRequest: 'semicolon',
        splitRequest: 'first',
      })
      t.equal(await ask('a;later;b;'), 'A;!LATER;!B;!')
      await ended()
      t.strictSame(told(requests()), [
        [0, 2, 3, 'ok'],
        [1, 6, 7, 'ok'],
        [2, 2, 3, 'ok'],
      ])
      t.match(requests(), [{ worker }, { worker }, { worker }])
      t.match(closes(), [{ reason: 'end', requests: 3, in: 10, out: 13 }])
    })
  }
