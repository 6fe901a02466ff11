// curl and wrk as clients of the framer http.

import t, { type Test } from 'tap'
import { Gaidaros, type GaidarosOptions, type HttpRequest, json } from '../../dist/index.js'
import { lacking } from '../compiler.js'
import { unavailable } from '../conformance/available.js'
import { refuse, VARIANTS, type Variant } from '../conformance/variant.js'
import { client } from './client.js'

const PIECES = 1000

/** What came, as JSON; /pieces: a body in chunks. */
function handleRequest(request: HttpRequest): unknown {
  const { method, target, version, body, headers, keepAlive } = request
  if (target === '/pieces') return pieces()
  const coding = headers.get('transfer-encoding') ?? ''
  return json({
    method,
    target,
    version,
    coding,
    keepAlive,
    bytes: body.length,
    end: `${body.subarray(-4)}`,
  })
}

async function* pieces(): AsyncGenerator<string> {
  for (let i = 0; i < PIECES; i++) yield `${i}\n`
}

interface Ask {
  title: string
  args: string[]
  target?: string
  input?: string
  /** What the server was asked. */
  wanted: Record<string, unknown>
}

const LONG = `${'x'.repeat(1_000_000)}end.`

const ASKS: readonly Ask[] = [
  {
    title: 'GET',
    args: [],
    target: '/a?b=c',
    wanted: { method: 'GET', target: '/a?b=c', version: '1.1', bytes: 0 },
  },
  {
    title: 'POST',
    args: ['-d', 'a=1&b=2'],
    wanted: { method: 'POST', bytes: 7, end: '&b=2', coding: '' },
  },
  {
    title: 'PUT in chunks',
    args: ['-T', '-'],
    input: LONG,
    wanted: { method: 'PUT', bytes: LONG.length, end: 'end.', coding: 'chunked' },
  },
  {
    title: 'POST of a long body, which waits for 100 Continue',
    args: ['-H', 'Expect: 100-continue', '--expect100-timeout', '60', '--data-binary', '@-'],
    input: LONG,
    wanted: { method: 'POST', bytes: LONG.length, end: 'end.' },
  },
  { title: 'HTTP/1.0', args: ['--http1.0'], wanted: { version: '1.0', keepAlive: false } },
  {
    title: 'DELETE',
    args: ['-X', 'DELETE', '-H', 'Connection: close'],
    wanted: { method: 'DELETE', keepAlive: false },
  },
]

async function curl(args: string[], input?: string): Promise<string | undefined> {
  return client('curl', ['-sS', '--max-time', '60', ...args], input)
}

async function understood(t: Test, origin: string): Promise<void> {
  for (const { title, args, target = '/', input, wanted } of ASKS) {
    const answer = await curl([...args, origin + target], input)
    if (answer === undefined) return lacking(t, 'curl is not installed')
    t.match(JSON.parse(answer), wanted, title)
  }
  const head = await curl(['-I', origin])
  t.match(
    head,
    /^HTTP\/1\.1 200 OK\r\nDate: .*\r\nContent-Type: application\/json\r\nContent-Length: \d+\r\n\r\n$/,
  )
  const numbers = Array.from({ length: PIECES }, (_, i) => `${i}\n`).join('')
  t.equal(await curl([`${origin}/pieces`]), numbers, 'chunks')
  t.equal(await curl(['--http1.0', `${origin}/pieces`]), numbers, 'without chunks')
  const twice = await curl([
    '-w',
    '%{num_connects} ',
    '-o',
    '/dev/null',
    origin,
    '-o',
    '/dev/null',
    origin,
  ])
  t.equal(twice, '1 0 ', 'one connection for two requests')
  t.equal(
    await curl(['-w', '%{http_code}', '-H', 'Content-Length: x', '-o', '/dev/null', origin]),
    '400',
  )
}

async function loaded(t: Test, origin: string): Promise<void> {
  const report = await client('wrk', ['-d', '1', '-c', '16', '-t', '1', origin])
  if (report === undefined) return lacking(t, 'wrk is not installed')
  t.ok(Number(/(\d+) requests in/.exec(report)?.[1]) > 0, report)
  t.notMatch(report, /Socket errors|Non-2xx/)
}

async function serving(t: Test, { options }: Variant): Promise<string> {
  const server = new Gaidaros({
    ...options,
    host: '127.0.0.1',
    port: 0,
    endRequest: 'http',
    handleRequest,
    httpMaxBody: '2m',
    log: () => undefined,
  } as GaidarosOptions)
  t.teardown(() => server.close())
  const [address] = await server.serve()
  return `http://127.0.0.1:${address?.port ?? 0}`
}

for (const name of ['edge', 'completion', 'portable'] as const) {
  const variant = VARIANTS[name]
  const reason = await unavailable(variant)
  if (reason !== undefined) {
    refuse(t, reason)
    continue
  }
  void t.test(`${name}: curl`, async (t) => understood(t, await serving(t, variant)))
  void t.test(`${name}: wrk`, async (t) => loaded(t, await serving(t, variant)))
}
