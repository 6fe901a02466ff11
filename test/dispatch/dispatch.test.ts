import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { Accumulator } from '../../lib/dispatch/accumulator.js'
import { deferred } from '../../lib/dispatch/deferred.js'
import { type RawBuffer, View } from '../../lib/dispatch/view.js'
import type { Batch, BatchRequest, Connection } from '../../lib/handler/contract.js'
import { Gaidaros, type GaidarosOptions } from '../../lib/server/gaidaros.js'

interface Started {
  server: Gaidaros
  lines: string[]
  dial(): Promise<Socket>
  /** Everything the server says to `text`, until it closes. */
  ask(text: string | Buffer): Promise<string>
}

async function start(test: Test, options: GaidarosOptions): Promise<Started> {
  const lines: string[] = []
  const server = new Gaidaros({
    host: '127.0.0.1',
    port: 0,
    engine: 'portable',
    shutdownGrace: '1s',
    log: (line) => void lines.push(line),
    ...options,
  })
  test.teardown(() => server.close())
  const port = (await server.serve())[0]?.port ?? 0
  const dial = async () => {
    const socket = connect(port, '127.0.0.1')
    test.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  const ask = async (text: string | Buffer) => {
    const socket = await dial()
    socket.end(text)
    let answer = ''
    for await (const piece of socket) answer += String(piece)
    return answer
  }
  return { server, lines, dial, ask }
}

t.test('a view is a Buffer in every respect', (t) => {
  const memory = new ArrayBuffer(16)
  const slab = Buffer.from(memory)
  slab.write('0123456789abcdef', 'latin1')
  const view = new View(memory, 4, 3)
  t.ok(Buffer.isBuffer(view))
  t.equal(Object.getPrototypeOf(view), Buffer.prototype)
  t.equal(inspect(view), '<Buffer 34 35 36>')
  t.equal(view.toString(), '456')
  t.equal(view.subarray(1).toString(), '56')
  t.equal(view.buffer, memory)
  t.end()
})

t.test('accumulated input is never rewritten and not copied while nothing is left', (t) => {
  const chunk = (text: string) => Buffer.from(text) as RawBuffer
  const input = new Accumulator()
  const first = chunk('abc')
  input.append(first, 0, 3)
  t.equal(input.bytes.buffer, first.buffer, 'a chunk is used as it is')
  input.keep(input.bytes.subarray(1))
  for (let i = 0; i < 1000; i++) input.append(chunk('0123456789'), 0, 10)
  t.equal(input.length, 10_002)
  const kept = input.bytes
  const text = kept.toString()
  t.ok(text.startsWith('bc0123456789'))
  input.keep(kept.subarray(10_000))
  input.append(chunk('zz'), 0, 2)
  t.equal(input.bytes.toString(), '89zz')
  t.equal(kept.toString(), text, 'what was handed out stays')
  input.keep(Buffer.from('own'))
  input.append(chunk('!'), 0, 1)
  t.equal(input.bytes.toString(), 'own!')
  t.end()
})

t.test('replies of every type in one turn, in order', async (t) => {
  async function* pieces() {
    yield 'str'
    yield Buffer.from('eam\n')
  }
  const replies: Record<string, (request: Buffer) => unknown> = {
    same: (request) => request,
    slice: (request) => request.subarray(1),
    text: () => 'täxt\n',
    bytes: () => new Uint8Array([0x21, 0x0a]),
    memory: () => new Uint8Array([0x3f, 0x0a]).buffer,
    nothing: () => undefined,
    pair: () => ['pair\n', true],
    later: async () => 'later\n',
    laterPair: async () => ['later pair\n', true],
    large: () => `${'x'.repeat(300_000)}\n`,
    stream: () => pieces(),
    laterStream: async () => pieces(),
    last: () => ['last\n', false],
    never: () => 'must not be called\n',
  }
  const asked: string[] = []
  const { ask } = await start(t, {
    handleRequest: (request: Buffer) => {
      const name = request.toString().trim()
      asked.push(name)
      return replies[name]?.(request)
    },
  })
  const wanted =
    'same\nlice\ntäxt\n!\n?\npair\nlater\nlater pair\n' +
    `${'x'.repeat(300_000)}\nstream\nstream\nlast\n`
  t.equal(await ask(`${Object.keys(replies).join('\n')}\n`), wanted)
  t.notOk(asked.includes('never'), 'nothing is handed over behind [reply, false]')
})

t.test('a reply without bytes is an error that names its type', async (t) => {
  class Odd {}
  const values: unknown[] = [1, null, {}, new Odd(), true, Symbol('s'), ['a', 'b'], new Map()]
  for (const late of [false, true])
    for (const value of values) {
      const handleRequest = () => (late ? Promise.resolve(value) : value)
      const { server, lines, ask } = await start(t, { handleRequest })
      t.equal(await ask('x\n').catch(() => ''), '')
      await server.close()
      t.equal(server.stats().closed.handler_error, 1)
      t.match(lines.join('\n'), /ERR_GAIDAROS_REPLY|replied with a value of type \w+; wanted bytes/)
    }
})

t.test('strip: what the framer took off is put back on every kind of reply', async (t) => {
  const handleRequest = (request: Buffer) => {
    const text = request.toString()
    if (text === 'same') return request
    if (text === 'slice') return request.subarray(1)
    if (text === 'later') return Promise.resolve(text)
    return (async function* () {
      yield 'str'
      yield 'eam'
    })()
  }
  const lines = await start(t, { endRequest: 'line,strip', handleRequest })
  t.equal(await lines.ask('same\nslice\nlater\nstream\n'), 'same\nlice\nlater\nstream\n')
  const prefixed = await start(t, { endRequest: 'length:u8,strip', handleRequest })
  const request = '\x04same\x05slice\x05later\x06stream'
  t.equal(await prefixed.ask(request), '\x04same\x04lice\x05later\x03str\x03eam')
})

t.test('a stream ends with its peer: return() is called', async (t) => {
  const returned = deferred()
  async function* endless() {
    try {
      for (;;) yield 'x'.repeat(65_536)
    } finally {
      returned.resolve()
    }
  }
  const { dial } = await start(t, { handleRequest: () => endless() })
  const socket = await dial()
  socket.on('error', () => undefined)
  socket.write('go\n')
  await once(socket, 'data')
  socket.destroy()
  await returned.promise
  t.pass('return() was called')
})

t.test('the connection: its numbers, its signal, harmless once it is gone', async (t) => {
  const got = deferred()
  const gone = deferred()
  const connections: Connection[] = []
  const { dial, server } = await start(t, {
    handleRequest: (request: Buffer, connection: Connection) => {
      connections.push(connection)
      connection.data ??= 'mine'
      connection.signal.addEventListener('abort', () => gone.resolve(), { once: true })
      got.resolve()
      return request
    },
  })
  const socket = await dial()
  socket.write('a\nb\n')
  await once(socket, 'data')
  await got.promise
  const [connection, again] = connections as [Connection, Connection]
  t.equal(connection, again, 'one object for one connection')
  t.match(connection, { id: '0.0', protocol: 'TCP', data: 'mine', isClosed: false })
  t.match(connection.remote, { address: '127.0.0.1', port: socket.localPort, family: 'IPv4' })
  t.match(connection.local, { port: server.addresses[0]?.port })
  t.equal(connection.requests, 2)
  t.equal(connection.bytesIn, 4)
  t.equal(connection.write('pushed\n'), true)
  t.match(String((await once(socket, 'data'))[0]), /pushed/)
  socket.end()
  await gone.promise
  t.equal(connection.isClosed, true)
  t.equal(connection.signal.aborted, true)
  t.equal(connection.write('x'), false)
  connection.end()
  connection.close()
  connection.pause()
  connection.resume()
  await connection.drained()
  t.equal(connection.requests, 2, 'the last numbers stay')
  t.equal(connection.remote.address, '127.0.0.1')
})

t.test('connection.close() in a handler: nothing further is handed over', async (t) => {
  let calls = 0
  const { ask, server } = await start(t, {
    handleRequest: (_request: Buffer, connection: Connection) => {
      calls++
      connection.close()
    },
  })
  t.equal(await ask('a\nb\nc\n').catch(() => ''), '')
  await server.close()
  t.equal(calls, 1)
  t.equal(server.stats().closed.closed, 1)
})

t.test('batch: what it says, other requests as replies, misuse', async (t) => {
  const kept: BatchRequest[] = []
  const batches: Batch[] = []
  const { ask } = await start(t, {
    handleBatch: (batch: Batch) => {
      batches.push(batch)
      const all = [...batch]
      kept.push(...all)
      t.equal(all.length, batch.length)
      t.throws(() => batch.at(batch.length), RangeError)
      t.throws(() => batch.at(-1), RangeError)
      for (const [index, request] of all.entries()) {
        t.equal(request, batch.at(index))
        t.equal(request.bytes().length, request.length)
        const last = all.at(-1) as BatchRequest
        if (request.text().startsWith('last')) request.reply(last)
        else request.reply(request.text('latin1').toUpperCase())
        t.throws(() => request.reply('again'), { code: 'ERR_GAIDAROS_STATE' })
      }
    },
  })
  t.equal(await ask('one\nlast?\ntwo\n'), 'ONE\ntwo\nTWO\n')
  const [batch] = batches as [Batch]
  const [request] = kept as [BatchRequest]
  for (const use of [
    () => batch.at(0),
    () => [...batch],
    () => request.length,
    () => request.bytes(),
    () => request.connection,
    () => request.reply('x'),
    () => request.close(),
  ])
    t.throws(use, { code: 'ERR_GAIDAROS_STATE' })
})

t.test('batch: a promise keeps it alive until it settles', async (t) => {
  const go = deferred()
  const { dial, server, lines } = await start(t, {
    handleBatch: async (batch: Batch) => {
      batch.at(0).reply('first\n')
      await go.promise
      const rest = [...batch].slice(1)
      for (const request of rest)
        request.reply(request.text() === 'b\n' ? request : `${request.length}\n`)
    },
  })
  const socket = await dial()
  socket.write('a\nb\nlonger\n')
  t.equal(String((await once(socket, 'data'))[0]), 'first\n')
  let text = ''
  socket.on('data', (piece) => {
    text += String(piece)
  })
  go.resolve()
  socket.end()
  await once(socket, 'end')
  t.equal(text, 'b\n7\n')
  t.equal(server.stats().handler_errors, 0)
  t.notMatch(lines.join('\n'), /handler error/)
})

t.test('batch: requests that were not answered, close(), a throw', async (t) => {
  const silent = await start(t, {
    handleBatch: (batch: Batch) => {
      for (const request of batch) if (request.text() !== 'b\n') request.reply(request)
    },
  })
  t.equal(await silent.ask('b\n').catch(() => ''), '')
  t.match(silent.lines.join('\n'), /settled without a reply/)
  t.equal(silent.server.stats().handler_errors, 1)
  const closing = await start(t, {
    handleBatch: (batch: Batch) => {
      for (const request of batch) {
        if (request.text() !== 'quiet\n') request.reply('bye\n')
        request.close()
      }
    },
  })
  t.equal(await closing.ask('x\n'), 'bye\n')
  t.equal(await closing.ask('quiet\n'), '')
  t.equal(closing.server.stats().handler_errors, 0)
  const throwing = await start(t, {
    handleBatch: () => {
      throw new Error('no batch')
    },
  })
  t.equal(await throwing.ask('a\nb\n').catch(() => ''), '')
  t.equal(throwing.server.stats().handler_errors, 1, 'one error, however many requests')
})

t.test('batch of requests that functions cut', async (t) => {
  const options = {
    endRequest: (bytes: Buffer) => bytes.includes(';'),
    splitRequest: (bytes: Buffer): [Buffer, Buffer] => {
      const end = bytes.indexOf(';') + 1
      return [bytes.subarray(0, end), bytes.subarray(end)]
    },
  }
  const { ask } = await start(t, {
    ...options,
    handleBatch: async (batch: Batch) => {
      for (const request of batch) request.reply(request)
    },
  })
  t.equal(await ask('a;bb;ccc;d'), 'a;bb;ccc;')
})

t.test(
  'functions and max_pipelined: what waits behind it is answered after a half-close too',
  async (t) => {
    let flying = 0
    let most = 0
    const { ask } = await start(t, {
      maxPipelined: 2,
      endRequest: (bytes: Buffer) => bytes.includes(';'),
      splitRequest: 'delimiter:;',
      handleRequest: async (request: Buffer) => {
        most = Math.max(most, ++flying)
        await new Promise(setImmediate)
        flying--
        return request
      },
    })
    t.equal(await ask('1;2;3;4;5;6;7;rest'), '1;2;3;4;5;6;7;')
    t.ok(most <= 3, `${most} at once`)
  },
)

t.test('codecs: json both ways, hex, base64, functions, and what they throw', async (t) => {
  const line = { endRequest: 'line,strip' } as const
  const json = await start(t, {
    ...line,
    decodeRequest: 'json',
    encodeResponse: 'json',
    handleRequest: (value: { a: number }) => ({ b: value.a + 1, list: [1, null] }),
  })
  t.equal(await json.ask('{"a":1}\n'), '{"b":2,"list":[1,null]}\n')
  t.equal(await json.ask('{"a"\n').catch(() => ''), '', 'a text that is no JSON')
  t.match(json.lines.join('\n'), /in=handle_request .*JSON/)
  const hex = await start(t, {
    ...line,
    decodeRequest: 'hex',
    handleRequest: (r: string) => `${r}21`,
  })
  t.equal(await hex.ask('ab\n'), 'ab!\n')
  const base64 = await start(t, { ...line, encodeResponse: 'base64', handleRequest: () => 'aGk=' })
  t.equal(await base64.ask('x\n'), 'hi\n')
  const own = await start(t, {
    decodeRequest: (bytes: Buffer) => bytes.length,
    encodeResponse: (value: number) => `${value}\n`,
    handleRequest: async function* (length: number) {
      yield length
      yield length * 2
    },
  })
  t.equal(await own.ask('abc\n'), '4\n8\n', 'pieces are encoded too')
})

t.test('keepalive = no reverses the default', async (t) => {
  const handleRequest = (request: Buffer) =>
    request.toString() === 'stay\n' ? ['stay\n', true] : request
  const { ask } = await start(t, { keepalive: false, handleRequest })
  t.equal(await ask('stay\nb\nc\n'), 'stay\nb\n')
})

t.test('abnormal ends are logged in one line each, limited in their rate', async (t) => {
  const { server, lines, ask } = await start(t, { maxFrameSize: 4 })
  await Promise.all(Array.from({ length: 30 }, () => ask('much too long\n').catch(() => '')))
  await server.close()
  t.equal(server.stats().closed.frame_size, 30)
  const logged = lines.filter((line) => line.includes('reason=frame_size'))
  t.ok(logged.length >= 1 && logged.length < 30, `${logged.length} lines`)
  t.match(
    logged[0],
    /connection closed: frame_size .*connection=\d+\.\d+ remote=127\.0\.0\.1:\d+ requests=0/,
  )
})
