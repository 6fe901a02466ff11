// The HTTP of the benchmark: what the load generator takes for an answer and what it finds wrong, and what the reference
// server answers. Neither a server that answers wrongly nor one that skips work may pass for a fast one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { findCompiler, lacking, run } from '../compiler.js'
import { tick, until, within } from '../conformance/deadline.js'
import { built } from './built.js'

const BODY = 'Hello, World!'
const LENGTH = 'Content-Length: 13\r\n'
const ok = (fields = LENGTH, body = BODY) => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`

/** Writes one answer, in whatever way. */
type Write = (socket: Socket) => void
const whole =
  (text: string): Write =>
  (socket) =>
    void socket.write(text)

/** A server that says this to each request, whatever it asks. @returns its port */
async function say(t: Test, write: Write): Promise<number> {
  const server = createServer((socket) => {
    let rest = ''
    socket.setNoDelay().setEncoding('latin1')
    socket.on('error', () => socket.destroy())
    socket.on('data', (text) => {
      const parts = (rest + String(text)).split('\r\n\r\n')
      rest = parts.pop() ?? ''
      for (const _ of parts) write(socket)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

const SECONDS = ['--warmup', '0', '--seconds', '0.1', '--block']
const ask = (port: number, connections = 2, depth = 4) =>
  run(
    built('loadgen'),
    [
      ...['--target', String(port), '--expect', 'http', ...SECONDS],
      ...['--connections', String(connections), '--depth', String(depth)],
    ],
    30_000,
  )

const RIGHT: Record<string, Write> = {
  whole: whole(ok()),
  'other fields': whole(ok(`Date: now\r\ncontent-length:13\r\nTrailer: x\r\n`)),
  'no reason phrase': whole(`HTTP/1.1 200\r\n${LENGTH}\r\n${BODY}`),
  'in parts': (socket) => {
    for (const letter of ok()) socket.write(letter)
  },
}

const WRONG: Record<string, [Write, RegExp]> = {
  'another status': [whole(`HTTP/1.1 500 No\r\n${LENGTH}\r\n${BODY}`), /not that of 200/],
  'a longer status': [whole(`HTTP/1.1 2000 OK\r\n${LENGTH}\r\n${BODY}`), /not that of 200/],
  'no length': [whole(ok('')), /no Content-Length/],
  'another length': [whole(ok('Content-Length: 12\r\n')), /not that of the body/],
  'a length that is none': [whole(ok('Content-Length: 13x\r\n')), /not that of the body/],
  'two lengths': [whole(ok(LENGTH + LENGTH)), /two Content-Lengths/],
  chunks: [whole(ok(`${LENGTH}Transfer-Encoding: chunked\r\n`)), /Transfer-Encoding/],
  'another body': [whole(ok(LENGTH, 'Hello, world!')), /the body is wrong/],
  'a bare LF': [whole(ok('Content-Length: 13\n')), /does not end in CRLF/],
  'no end of the head': [whole('x'.repeat(20_000)), /the head does not end/],
  'two answers': [whole(ok() + ok()), /was not asked for/],
  'an end': [(socket) => void socket.end(ok()), /closed by the server/],
}

if (findCompiler() === undefined) lacking(t, 'there is no compiler')
else {
  void t.test('generator', async (t) => {
    for (const [name, write] of Object.entries(RIGHT))
      void t.test(name, async (t) => {
        const { code, stdout, stderr } = await ask(await say(t, write))
        t.equal(code, 0, stdout + stderr)
        t.ok(Number(/(\d+) requests\/s/.exec(stdout)?.[1]) > 0, stdout)
      })
    for (const [name, [write, says]] of Object.entries(WRONG))
      void t.test(name, async (t) => {
        const { code, stdout, stderr } = await ask(await say(t, write))
        t.equal(code, 1, stderr)
        t.match(/ERRORS .*/.exec(stdout)?.[0] ?? stdout, says)
      })
  })
  void t.test('reference', answers)
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
const post = (fields: string, body = '') => `POST / HTTP/1.1\r\n${fields}\r\n${body}`

/** What is sent, in parts; the statuses that come; whether the connection ends. */
const EXCHANGES: Record<string, [parts: string[], statuses: string[], ends: boolean]> = {
  one: [[REQUEST], ['200'], false],
  'many at once': [[REQUEST.repeat(100)], Array<string>(100).fill('200'), false],
  close: [[`GET / HTTP/1.1\r\nConnection: a, Close\r\n\r\n${REQUEST}`], ['200'], true],
  'HTTP/1.0': [[`GET / HTTP/1.0\r\n\r\n${REQUEST}`], ['200'], true],
  'HTTP/1.0, kept': [['GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'], ['200'], false],
  body: [[post('Content-Length: 40\r\n', REQUEST), `12345${REQUEST}`], ['200', '200'], false],
  'a length that is none': [[post('Content-Length: 1x\r\n')], ['400'], true],
  'too long': [[post('Content-Length: 100000\r\n')], ['413'], true],
  chunks: [[post('Transfer-Encoding: chunked\r\n')], ['501'], true],
  'no version': [['GET /\r\n\r\n'], ['400'], true],
  'another version': [['GET / HTTP/2.0\r\n\r\n'], ['400'], true],
  'bare LF': [['GET / HTTP/1.1\n\n'], ['400'], true],
}

async function answers(t: Test): Promise<void> {
  const child = spawn(built('raw-http'), ['0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  const [line] = await within(once(child.stdout, 'data'), 'listening server')
  const port = Number(/listening (\d+)/.exec(String(line))?.[1])
  for (const [name, [parts, statuses, ends]] of Object.entries(EXCHANGES))
    await t.test(name, async (t) => {
      const got = await exchange(port, parts, statuses.length, ends)
      t.strictSame(got.statuses, statuses)
      t.equal(got.bodies, statuses.filter((status) => status === '200').length)
    })
  await t.test('cut anywhere', async (t) => {
    for (let cut = 1; cut < REQUEST.length; cut++) {
      const parts = [REQUEST + REQUEST.slice(0, cut), REQUEST.slice(cut)]
      const { bodies } = await exchange(port, parts, 2, false)
      t.equal(bodies, 2, `cut at ${cut}`)
    }
  })
  await t.test('the generator is content', async (t) => {
    const { code, stdout } = await ask(port, 64, 16)
    t.equal(code, 0, stdout)
  })
}

interface Exchanged {
  statuses: string[]
  bodies: number
}

/** Sends the parts one by one and waits for as many answers, and for the end where there is to be one. */
async function exchange(
  port: number,
  parts: string[],
  count: number,
  ends: boolean,
): Promise<Exchanged> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  let text = ''
  let hasEnded = false
  socket.setEncoding('latin1').on('data', (piece) => {
    text += String(piece)
  })
  socket.on('close', () => {
    hasEnded = true
  })
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  for (const part of parts) {
    socket.write(part)
    await tick(2)
  }
  const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status)
  await until(
    () => statuses().length >= count && hasEnded === ends,
    () => `${count} answers: ${text}`,
  )
  socket.destroy()
  return { statuses: statuses(), bodies: text.split(BODY).length - 1 }
}
