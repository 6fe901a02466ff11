// Messages of ZeroMQ as requests: sockets of the package zeromq ask a server in this process. From what is built, as a user
// has it.

import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Dealer, Request } from 'zeromq'
import {
  type Connection,
  type EngineStats,
  Gaidaros,
  type GaidarosOptions,
} from '../../dist/index.js'
import { openEnvelope } from '../../lib/engine/portable/datagrams/envelope.js'
import { Outbox, type Parcel, type Verdict } from '../../lib/engine/portable/datagrams/outbox.js'
import { temporary } from '../cli/command.js'
import { brief, DEADLINE_MS, tick, until, within } from '../conformance/deadline.js'

const TYPES = ['gthreadpool', 'thread', 'threadpool', 'proc', 'procpool'] as const

async function serve(t: Test, options: GaidarosOptions = {}): Promise<Gaidaros> {
  const place = options.socketPath === undefined ? { host: '127.0.0.1', port: 0 } : {}
  const server = new Gaidaros({
    protocol: 'zmq',
    log: () => undefined,
    ...place,
    ...options,
  })
  t.teardown(() => server.close())
  await server.serve()
  return server
}

const endpointOf = (server: Gaidaros): string => {
  const [{ address, family, port } = { address: '', family: 'IPv4', port: 0 }] = server.addresses
  if (family === 'unix') return `ipc://${address}`
  return `tcp://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

interface Peer {
  connect(address: string): void
  close(): void
}

function connected<P extends Peer>(t: Test, peer: P, server: Gaidaros): P {
  t.teardown(() => peer.close())
  peer.connect(endpointOf(server))
  return peer
}

const OPTIONS = { linger: 0, receiveTimeout: DEADLINE_MS, sendTimeout: DEADLINE_MS }
const dealer = (t: Test, server: Gaidaros, more = {}): Dealer =>
  connected(t, new Dealer({ ...OPTIONS, ...more }), server)
const requester = (t: Test, server: Gaidaros): Request =>
  connected(t, new Request({ ...OPTIONS, ipv6: true }), server)

const texts = (frames: readonly Buffer[]): string[] => frames.map(String)

async function ask(peer: Request, text: string): Promise<string> {
  await peer.send(text)
  return String((await peer.receive())[0])
}

const reach = (server: Gaidaros, condition: (stats: EngineStats) => boolean, what: string) =>
  until(async () => condition(await server.collectStats()), what)

t.test('envelopes', (t) => {
  const open = (...frames: string[]) => {
    const opened = openEnvelope(frames.map((text) => Buffer.from(text)))
    return opened && [...texts(opened.from.frames), `body ${opened.body}`]
  }
  t.strictSame(open('p', 'b'), ['p', 'body b'])
  t.strictSame(open('p', '', 'b'), ['p', '', 'body b'])
  t.strictSame(open('p', ''), ['p', 'body '])
  t.strictSame(open('p', '', ''), ['p', '', 'body '])
  t.strictSame(open('p', 'q', 'r', '', 'b'), ['p', 'q', 'r', '', 'body b'])
  for (const frames of [['p'], ['p', 'a', 'b'], ['p', '', 'a', 'b'], ['p', 'a', ''], []])
    t.equal(open(...frames), undefined, frames.join())
  t.end()
})

t.test('an outbox: what waits leaves in order, within its limits', async (t) => {
  const verdicts: Verdict[] = ['sent', 'full', 'full', 'sent', 'gone']
  const events: string[] = []
  let limit = 0
  let timeout = 0
  const box = new Outbox({
    give: async (frames) => {
      const verdict = verdicts.shift() ?? 'full'
      events.push(`${frames[0]} ${verdict}`)
      return verdict
    },
    limit: () => limit,
    timeout: () => timeout,
    empty: () => events.push('empty'),
  })
  const parcel = (text: string): Parcel => ({
    frames: [Buffer.from(text)],
    done: (bytes) => events.push(`${text}: ${bytes}`),
  })
  for (const text of ['a', 'bc', 'd']) box.put(parcel(text))
  await until(() => events.includes('empty'), 'the end')
  const first = [
    'a sent',
    'a: 1',
    'bc full',
    'bc full',
    'bc sent',
    'bc: 2',
    'd gone',
    'd: undefined',
  ]
  t.strictSame(events.splice(0), [...first, 'empty'])
  limit = 1
  box.put(parcel('e'))
  await until(() => events.length > 0, 'a try')
  box.put(parcel('f'))
  await until(() => events.includes('f: undefined'), 'one too many')
  t.notOk(events.includes('e: undefined'))
  timeout = 1
  await until(() => events.includes('empty'), 'the end of the time')
  t.ok(events.includes('e: undefined'))
  events.splice(0)
  timeout = 0
  box.put(parcel('g'))
  await until(() => events.length > 0, 'a try')
  box.drop()
  await until(() => events.includes('empty'), 'the end of what was dropped')
  t.ok(events.includes('g: undefined'))
})

t.test('REQ: echo, over IPv4 and IPv6', async (t) => {
  const server = await serve(t)
  const peer = requester(t, server)
  for (const text of ['one', '', 'x'.repeat(100_000)]) t.equal(await ask(peer, text), text)
  const { requests, replies, bytes_in, bytes_out, closed } = await server.collectStats()
  t.strictSame([requests, replies, bytes_in, bytes_out], [3, 3, 100_003, 100_003])
  t.equal(closed.done, 3)
  const six = await serve(t, { host: '::1' }).catch((error) => error as NodeJS.ErrnoException)
  if (!(six instanceof Gaidaros)) return void t.pass('IPv6', { skip: six.message })
  t.equal(await ask(requester(t, six), 'six'), 'six')
})

t.test('both addresses of localhost have one port', async (t) => {
  const server = await serve(t, { host: 'localhost' })
  const ports = new Set(server.addresses.map(({ port }) => port))
  t.equal(ports.size, 1)
  t.equal(await ask(requester(t, server), 'who'), 'who')
})

t.test('DEALER: many in flight, each reply in the envelope of its request', async (t) => {
  const server = await serve(t, { handleRequest: (r: Buffer) => `re ${r}` })
  const peer = dealer(t, server, { receiveHighWaterMark: 0 })
  const count = 5000
  for (let i = 0; i < count; i++) await peer.send([`n${i}`, '', `${i}`])
  for (let i = 0; i < count; i++) {
    const reply = texts(await peer.receive())
    if (reply.join() !== `n${i},,re ${i}`) t.strictSame(reply, [`n${i}`, '', `re ${i}`])
  }
  await peer.send('bare')
  t.strictSame(texts(await peer.receive()), ['re bare'])
})

t.test('a hundred clients', async (t) => {
  const server = await serve(t)
  const peers = Array.from({ length: 100 }, () => requester(t, server))
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(peers.map((peer, i) => ask(peer, `${round} ${i}`)))
    t.strictSame(
      answers,
      peers.map((_, i) => `${round} ${i}`),
    )
  }
})

t.test('a body of several frames is dropped and counted', async (t) => {
  const server = await serve(t)
  const peer = dealer(t, server)
  await peer.send(['a', 'b'])
  await peer.send(['', 'c', 'd'])
  await peer.send('good')
  t.strictSame(texts(await peer.receive()), ['good'])
  const { datagrams_multipart, requests } = await server.collectStats()
  t.strictSame([datagrams_multipart, requests], [2, 1])
})

t.test('what a handler sees of its peer', async (t) => {
  const seen: string[] = []
  const server = await serve(t, {
    handleRequest: (_: Buffer, { protocol, remote, local, requests }: Connection) => {
      seen.push(`${protocol} ${remote.family} ${remote.address} ${requests} ${local.family}`)
      return 'ok'
    },
  })
  const peer = dealer(t, server, { routingId: 'me' })
  await peer.send('?')
  await peer.receive()
  t.strictSame(seen, [`zmq zmq ${Buffer.from('me').toString('hex')} 1 IPv4`])
})

t.test('no answer, a late one, a stream, a failure', async (t) => {
  const server = await serve(t, {
    handleRequest: async function* (this: unknown, request: Buffer) {
      if (String(request) === 'fail') throw new Error('told to')
      if (String(request) === 'nothing') return
      yield `${request} 1`
      await new Promise(setImmediate)
      yield `${request} 2`
    },
  })
  const peer = dealer(t, server)
  for (const text of ['fail', 'nothing', 'two']) await peer.send([text, '', text])
  t.strictSame(texts(await peer.receive()), ['two', '', 'two 1'])
  t.strictSame(texts(await peer.receive()), ['two', '', 'two 2'])
  await reach(server, ({ closed }) => closed.handler_error === 1, 'a failure')
})

t.test('max_connections: no more are read than may wait', async (t) => {
  const waiting: (() => void)[] = []
  const handleRequest = (request: Buffer) =>
    new Promise((resolve) => waiting.push(() => resolve(request)))
  const server = await serve(t, { maxConnections: 2, handleRequest })
  const peer = dealer(t, server)
  for (let i = 0; i < 10; i++) await peer.send(`${i}`)
  await reach(server, (stats) => stats.accept_paused_limit > 0, 'a pause')
  const got: string[] = []
  while (got.length < 10) {
    await until(() => waiting.length > 0, 'a request')
    t.ok(waiting.length <= 2)
    waiting.shift()?.()
    got.push(...texts(await peer.receive()))
  }
  t.strictSame(got, [...'0123456789'])
})

t.test('handler_timeout lets go of a message', async (t) => {
  const server = await serve(t, {
    handlerTimeout: brief(50),
    handleRequest: () => new Promise(() => undefined),
  })
  const peer = dealer(t, server)
  await peer.send('?')
  await reach(server, ({ closed }) => closed.handler_timeout === 1, 'the end of its time')
})

t.test('max_frame_size: libzmq parts with who sends more', async (t) => {
  const server = await serve(t, { maxFrameSize: 1000 })
  const bad = dealer(t, server, { reconnectInterval: -1 })
  const gone = (async () => {
    for await (const { type } of bad.events) if (type === 'disconnect') return
  })()
  await bad.send('x'.repeat(1001))
  await within(gone, 'the end of its connection')
  const good = requester(t, server)
  t.equal(await ask(good, 'y'.repeat(1000)), 'y'.repeat(1000))
  t.equal((await server.collectStats()).requests, 1)
})

t.test('a reply to a peer that is gone is counted', async (t) => {
  const server = await serve(t, {
    handleRequest: async function* () {
      // Nothing tells when libzmq has seen the end of a peer.
      for (;;) {
        yield 'on and on'
        await tick()
      }
    },
  })
  const peer = dealer(t, server)
  await peer.send('?')
  await peer.receive()
  peer.close()
  await reach(server, ({ datagrams_unsent }) => datagrams_unsent > 0, 'one unsent')
})

t.test('a peer that does not read costs what its limits say, and nobody else', async (t) => {
  const server = await serve(t, {
    zmqHwm: 10,
    outputLimit: '100k',
    outputHighWater: '10k',
    writeTimeout: brief(200),
    handleRequest: (request: Buffer) => (request.length === 1 ? Buffer.alloc(100_000) : request),
  })
  const lazy = dealer(t, server, { receiveHighWaterMark: 1 })
  const sending = (async () => {
    for (let i = 0; i < 300; i++) await lazy.send('?')
  })()
  await reach(server, ({ datagrams_unsent }) => datagrams_unsent > 0, 'replies without room')
  await within(sending, 'the end of what it sends')
  const other = requester(t, server)
  for (let i = 0; i < 20; i++) t.equal(await ask(other, `other ${i}`), `other ${i}`)
  const done = ({ requests, active, datagrams_unsent }: EngineStats) =>
    requests === 320 && active === 0 && datagrams_unsent > 100
  await reach(server, done, 'the end of its replies')
})

for (const handlerType of TYPES)
  t.test(`handlers elsewhere: ${handlerType}`, async (t) => {
    const module = join(temporary(t), 'handler.mjs')
    writeFileSync(
      module,
      'export const handleRequest = (r, { remote: { address }, protocol }) => [r, protocol, address].join(" ")\n',
    )
    const server = await serve(t, { handlerType, handlerPoolSize: 2, handlerModule: module })
    const peer = dealer(t, server, { routingId: 'w' })
    const count = handlerType === 'proc' || handlerType === 'thread' ? 4 : 200
    for (let i = 0; i < count; i++) await peer.send([`${i}`, '', `r${i}`])
    const got = new Map<string, string>()
    for (let i = 0; i < count; i++) {
      const [name, , body] = texts(await peer.receive())
      got.set(String(name), String(body))
    }
    t.equal(got.size, count)
    for (let i = 0; i < count; i++)
      if (got.get(`${i}`) !== `r${i} zmq 77`) t.equal(got.get(`${i}`), `r${i} zmq 77`)
  })

t.test('a path: its mode, its end, one server at a time', async (t) => {
  const socketPath = join(temporary(t), 's')
  const server = await serve(t, { socketPath, socketMode: '640' })
  t.equal(statSync(socketPath).mode & 0o777, 0o640)
  t.strictSame(server.addresses, [{ address: socketPath, family: 'unix', port: 0 }])
  t.equal(await ask(requester(t, server), 'path'), 'path')
  const second = new Gaidaros({ protocol: 'zmq', socketPath, log: () => undefined })
  await t.rejects(second.serve(), { code: 'ERR_GAIDAROS_LISTEN', errnoCode: 'EADDRINUSE' })
  await server.close()
  t.notOk(existsSync(socketPath))
  const third = await serve(t, { socketPath })
  t.equal(await ask(requester(t, third), 'again'), 'again')
})

if (process.platform === 'linux')
  t.test('an abstract name', async (t) => {
    const server = await serve(t, { socketPath: `@gaidaros-zmq-${process.pid}` })
    t.equal(await ask(requester(t, server), 'abstract'), 'abstract')
  })

t.test('a port that is taken', async (t) => {
  const server = await serve(t)
  const port = server.addresses[0]?.port ?? 0
  const second = new Gaidaros({ protocol: 'zmq', host: '127.0.0.1', port, log: () => undefined })
  await t.rejects(second.serve(), {
    code: 'ERR_GAIDAROS_LISTEN',
    errnoCode: 'EADDRINUSE',
    message: `cannot listen on 127.0.0.1 port ${port}: Address already in use`,
  })
})

t.test('what ZeroMQ does not do is refused in a line', (t) => {
  const refused: [GaidarosOptions, RegExp][] = [
    [{ tlsCert: ['a.pem'], tlsKey: ['a.key'] }, /tls_cert .*wanted a protocol of streams/],
    [{ compress: 'gzip' }, /compress .*wanted none: messages of ZeroMQ are not compressed/],
    [{ proxyProtocol: 'v1' }, /proxy_protocol .*wanted a protocol of streams/],
    [{ serverType: 'procpool' }, /server_type .*no two processes share a socket of ZeroMQ/],
    [{ serverType: 'proc' }, /server_type .*no two processes share/],
    [{ engine: 'native' }, /engine .*wanted auto or portable/],
    [{ endRequest: 'fixed:3' }, /end_request .*wanted a protocol of streams/],
    [{ socketPath: 's', port: 1234 }, /port .*wanted no socket_path with it/],
    [{ socketMode: '660' }, /socket_mode .*wanted a socket_path with it/],
    [{ socketPath: '@' }, /socket_path .*wanted a name behind the @/],
    [{ host: '::', ipVersion: 6 }, /host .*libzmq takes in IPv4 there, too/],
    [{ udpAmplification: 3 }, /udp_amplification .*wanted protocol UDP/],
    [{ socketMark: 3 }, /socket_mark .*wanted protocol TCP or UDP/],
  ]
  for (const [options, message] of refused)
    t.throws(() => new Gaidaros({ protocol: 'zmq', ...options }), {
      code: 'ERR_GAIDAROS_OPTION',
      message,
    })
  t.throws(() => new Gaidaros({ zmqHwm: 5 }), { message: /zmq_hwm .*wanted protocol zmq/ })
  t.end()
})

t.test('completion is not to be had', async (t) => {
  const server = new Gaidaros({ protocol: 'zmq', pollingType: 'completion', port: 0 })
  await t.rejects(server.serve(), {
    code: 'ERR_GAIDAROS_ENGINE',
    message: /polling_type completion cannot be had from the portable engine/,
  })
})
