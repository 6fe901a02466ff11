import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import t, { type Test } from 'tap'
import { deferred } from '../../lib/dispatch/deferred.js'
import type { Connection } from '../../lib/handler/contract.js'
import { Gaidaros, type GaidarosOptions } from '../../lib/server/gaidaros.js'

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')

/** A portable server on a free port whose lines are kept; closed with the test. */
function make(test: Test, options: GaidarosOptions = {}) {
  const lines: string[] = []
  const log = (line: string) => void lines.push(line)
  const server = new Gaidaros({ port: 0, engine: 'portable', shutdownGrace: '5s', log, ...options })
  test.teardown(() => server.close())
  return { server, lines }
}

async function dial(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect(port, host)
  await once(socket, 'connect')
  return socket
}

/** Everything the server says to `text`, until it closes. */
async function ask(port: number, text: string, host?: string): Promise<string> {
  const socket = await dial(port, host)
  socket.end(text)
  let answer = ''
  for await (const piece of socket) answer += String(piece)
  return answer
}

const portOf = (server: Gaidaros): number => server.addresses[0]?.port ?? 0

t.test('serve() resolves with where it listens, and serves', async (t) => {
  const { server, lines } = make(t)
  t.strictSame(server.addresses, [])
  const addresses = await server.serve()
  t.equal(await server.serve(), addresses, 'again: the same')
  const wanted = hasIPv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']
  t.strictSame(
    addresses.map((each) => each.address),
    wanted,
  )
  t.equal(new Set(addresses.map((each) => each.port)).size, 1, 'one port for both')
  for (const host of wanted) t.equal(await ask(portOf(server), 'a\nb\n', host), 'a\nb\n')
  t.match(server.engine, { name: 'portable', description: 'node:net' })
  t.equal(lines.filter((line) => line.includes('portable engine')).length, 1, 'one warning')
  t.match(server.stats(), {
    accepted: wanted.length,
    requests: 2 * wanted.length,
    handler_errors: 0,
  })
})

t.test('host: one family, any address, a name', async (t) => {
  const only = make(t, { ipVersion: 4 }).server
  t.match(await only.serve(), [{ address: '127.0.0.1' }])
  const any = make(t, { host: '0.0.0.0' }).server
  await any.serve()
  t.equal(await ask(portOf(any), 'x\n'), 'x\n')
  if (!hasIPv6) return
  const dual = make(t, { host: '::' }).server
  t.equal((await dual.serve()).length, 1)
  t.equal(await ask(portOf(dual), '4\n', '127.0.0.1'), '4\n')
  t.equal(await ask(portOf(dual), '6\n', '::1'), '6\n')
  const six = make(t, { host: '::', ipVersion: 6 }).server
  await six.serve()
  await t.rejects(ask(portOf(six), '4\n', '127.0.0.1'), { code: 'ECONNREFUSED' })
})

t.test('a port in use: what was bound is closed again', async (t) => {
  const taken = createServer()
  taken.listen(0, hasIPv6 ? '::1' : '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const { server } = make(t, { port })
  await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_LISTEN', errnoCode: 'EADDRINUSE', port })
  if (hasIPv6) await t.rejects(dial(port, '127.0.0.1'), { code: 'ECONNREFUSED' })
  await server.close()
  await server.closed
  await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_STATE' })
})

t.test('a host that cannot be resolved', async (t) => {
  const { server } = make(t, { host: 'no-such-host.invalid' })
  await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_LISTEN', message: /no-such-host\.invalid/ })
})

t.test('handle() answers one request and stops', async (t) => {
  let calls = 0
  const { server } = make(t, {
    handleRequest: async (request: Buffer) => {
      calls++
      await new Promise(setImmediate)
      return request
    },
  })
  const handled = server.handle()
  await t.rejects(server.handle(), { code: 'ERR_GAIDAROS_STATE' })
  await server.serve()
  t.equal(await ask(portOf(server), 'one\ntwo\n'), 'one\n')
  await handled
  t.equal(calls, 1)
  await t.rejects(dial(portOf(server)), { code: 'ECONNREFUSED' })
})

t.test('close(): in flight finishes, idle connections end, twice is once', async (t) => {
  let answer: (text: string) => void = () => undefined
  const asked = deferred()
  const { server } = make(t, {
    handleRequest: () => {
      asked.resolve()
      return new Promise<string>((resolve) => {
        answer = resolve
      })
    },
  })
  await server.serve()
  const idle = await dial(portOf(server))
  const idleEnd = once(idle.resume(), 'end')
  const busy = await dial(portOf(server))
  busy.write('x\n')
  await asked.promise
  const closing = server.close()
  t.equal(server.close(), closing)
  await idleEnd
  idle.destroy()
  answer('late\n')
  t.equal(String((await once(busy, 'data'))[0]), 'late\n')
  busy.end()
  await closing
  await server.closed
  t.equal(server.stats().active, 0)
  t.equal(server.stats().replies, 1, 'the last statistics stay')
})

t.test('close() before and during serve()', async (t) => {
  const early = make(t).server
  await early.close()
  await early.closed
  await t.rejects(early.serve(), { code: 'ERR_GAIDAROS_STATE' })
  const { server } = make(t)
  const serving = server.serve()
  await server.close()
  await serving.catch(() => undefined)
  await server.closed
  const [address] = server.addresses
  if (address) await t.rejects(dial(address.port), { code: 'ECONNREFUSED' })
})

t.test('await using closes', async (t) => {
  const { server } = make(t)
  await server.serve()
  await server[Symbol.asyncDispose]()
  await t.rejects(dial(portOf(server)), { code: 'ECONNREFUSED' })
})

t.test('die_on_error: the server stops, closed rejects with the error', async (t) => {
  const { server, lines } = make(t, {
    dieOnError: true,
    handleRequest: () => {
      throw new Error('fatal one')
    },
  })
  await server.serve()
  t.equal(await ask(portOf(server), 'x\n').catch(() => ''), '')
  await t.rejects(server.closed, { message: 'fatal one' })
  t.equal(server.stats().handler_errors, 1)
  t.match(
    lines.join('\n'),
    /handler error .*connection=0\.0 request=0 in=handle_request .*fatal one/,
  )
  t.match(lines.join('\n'), /the server stops: die_on_error/)
})

t.test('misuse in the constructor is thrown at once, all of it', (t) => {
  const options = { prot: 1, backlog: -5 } as GaidarosOptions
  t.throws(() => new Gaidaros(options), {
    code: 'ERR_GAIDAROS_OPTION',
    message: /prot[\s\S]*backlog/,
  })
  t.end()
})

t.test('a handler that cannot be loaded: serve() rejects, nothing is bound', async (t) => {
  const { server } = make(t, { handlerModule: './no-such-handler.ts' })
  await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_HANDLER' })
  t.strictSame(server.addresses, [])
})

t.test('engine: what is not to be had is an error with its reason', async (t) => {
  const { server } = make(t, { pollingType: 'completion' })
  await t.rejects(server.serve(), { code: 'ERR_GAIDAROS_ENGINE', message: /completion/ })
  const before = process.env['GAIDAROS_NATIVE']
  t.teardown(() => {
    if (before === undefined) delete process.env['GAIDAROS_NATIVE']
    else process.env['GAIDAROS_NATIVE'] = before
  })
  process.env['GAIDAROS_NATIVE'] = 'off'
  const native = make(t, { engine: 'native' }).server
  await t.rejects(native.serve(), {
    code: 'ERR_GAIDAROS_ENGINE',
    message: /GAIDAROS_NATIVE is off/,
  })
  const auto = make(t, { engine: 'auto' })
  await auto.server.serve()
  t.equal(auto.server.engine?.name, 'portable')
  t.match(auto.lines[0], /GAIDAROS_NATIVE is off/)
})

t.test('setLimits() while serving', async (t) => {
  const { server } = make(t)
  await server.serve()
  server.setLimits({ maxFrameSize: 8 })
  t.equal(await ask(portOf(server), 'far too long a line\n').catch(() => ''), '')
  t.equal(server.stats().closed.frame_size, 1)
  const wrong = { maxFrames: 1 } as Parameters<Gaidaros['setLimits']>[0]
  t.throws(() => server.setLimits(wrong), { code: 'ERR_GAIDAROS_OPTION', message: /maxFrames/ })
  t.throws(() => server.setLimits({ maxFrameSize: -1 }), { code: 'ERR_GAIDAROS_OPTION' })
})

t.test('hooks: what they throw is an error of the handler', async (t) => {
  const seen: string[] = []
  const { server, lines } = make(t, {
    opened: (connection: Connection) => {
      seen.push(`opened ${connection.id}`)
      if (seen.length > 1) throw new Error('not you')
    },
    closed: (connection: Connection, reason: string) => {
      seen.push(`closed ${connection.id} ${reason} ${connection.requests}`)
    },
  })
  await server.serve()
  t.equal(await ask(portOf(server), 'a\n'), 'a\n')
  t.equal(await ask(portOf(server), 'a\n').catch(() => ''), '')
  await server.close()
  t.equal(seen[0], 'opened 0.0')
  t.equal(seen[1], 'closed 0.0 end 1')
  t.match(seen[3], / handler_error /)
  t.match(lines.join('\n'), /in=opened .*not you/)
})
