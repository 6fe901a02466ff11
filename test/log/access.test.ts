import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { deferred } from '../../lib/dispatch/deferred.js'
import type { Batch } from '../../lib/handler/contract.js'
import type { GaidarosOptions } from '../../lib/server/gaidaros.js'
import { Client, Command, run, temporary } from '../cli/command.js'
import { unavailable } from '../conformance/available.js'
import { until } from '../conformance/deadline.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { type Start, startOn, told } from './served.js'

const cases: Record<string, (t: Test, start: Start) => Promise<void>> = {
  'replies of the same turn': async (t, start) => {
    const { ask, ended, requests, closes } = await start(t, {
      decodeRequest: 'utf8',
      handleRequest: function upper(line: string) {
        if (line === 'none\n') return undefined
        return line === 'end\n' ? ['bye\n', false] : `${line.toUpperCase()}!`
      },
    })
    t.equal(await ask('a\nnone\nend\n'), 'A\n!bye\n')
    await ended()
    t.strictSame(told(requests()), [
      [0, 2, 3, 'ok'],
      [1, 5, 0, 'ok'],
      [2, 4, 4, 'ok'],
    ])
    const [first] = requests()
    t.match(first, {
      time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
      peer: /^127\.0\.0\.1:\d+$/,
      local: /^127\.0\.0\.1:\d+$/,
      connection: /^\d+\.\d+$/,
      handler: 'upper',
      worker: String(process.pid),
    })
    t.ok(Number(first?.['us']) >= 1)
    const { time: _, us, ...close } = closes()[0] ?? {}
    t.strictSame(close, {
      event: 'close',
      peer: first?.['peer'],
      local: first?.['local'],
      connection: first?.['connection'],
      reason: 'done',
      requests: 3,
      in: 11,
      out: 7,
      worker: String(process.pid),
    })
    t.ok(Number(us) >= Number(first?.['us']))
  },

  'bytes: echo, a request too long for the slab, a reply too long for the scratch buffer': async (
    t,
    start,
  ) => {
    const { ask, ended, requests } = await start(t, {
      outputLimit: 0,
      maxFrameSize: '4m',
      handleRequest: (line: Buffer) => (line.length === 4 ? Buffer.alloc(900_000, 'x') : line),
    })
    const long = 'y'.repeat(700_000)
    t.equal((await ask(`a\nbig\n${long}\n`)).length, 2 + 900_000 + 700_001)
    await ended()
    t.strictSame(told(requests()), [
      [0, 2, 2, 'ok'],
      [1, 4, 900_000, 'ok'],
      [2, 700_001, 700_001, 'ok'],
    ])
  },

  'strip: what is put back around a reply counts': async (t, start) => {
    const frame = (text: string) => Buffer.from([0, text.length, ...Buffer.from(text)])
    const late = async (request: Buffer) => request
    for (const [endRequest, input, overhead] of [
      ['line,strip', 'abc\n', 1],
      ['length:u16be,strip', frame('abc'), 2],
      ['varint,strip', Buffer.from('\x03abc'), 1],
    ] as const)
      for (const handler of [
        { handleRequest: (request: Buffer) => request },
        { handleRequest: late },
        {
          handleBatch: (batch: Batch) => {
            for (const request of batch) request.reply(request)
          },
        },
      ]) {
        const { ask, ended, requests, closes } = await start(t, { endRequest, ...handler })
        t.equal(await ask(input), String(input), endRequest)
        await ended()
        t.strictSame(told(requests()), [[0, 3, 3 + overhead, 'ok']], endRequest)
        t.equal(closes()[0]?.['out'], 3 + overhead)
      }
  },

  'promises, answered out of order': async (t, start) => {
    const first = deferred()
    const { ask, ended, requests, closes } = await start(t, {
      decodeRequest: 'utf8',
      handleRequest: async (line: string) => {
        if (line === '1\n') await first.promise
        else first.resolve()
        return line + line
      },
    })
    t.equal(await ask('1\n22\n'), '1\n1\n22\n22\n')
    await ended()
    t.strictSame(told(requests()), [
      [0, 2, 4, 'ok'],
      [1, 3, 6, 'ok'],
    ])
    t.match(closes(), [{ reason: 'end', requests: 2 }])
  },

  'pieces of an async iterable are one reply': async (t, start) => {
    const { ask, ended, requests } = await start(t, {
      handleRequest: async function* (line: Buffer) {
        yield 'a'
        await new Promise(setImmediate)
        yield line
      },
    })
    t.equal(await ask('b\n'), 'ab\n')
    await ended()
    t.strictSame(told(requests()), [[0, 2, 3, 'ok']])
  },

  'failures of every kind': async (t, start) => {
    const { ask, ended, requests, closes } = await start(t, {
      decodeRequest: 'utf8',
      handleRequest: (line: string): unknown => {
        if (line === 'throw\n') throw new Error('no')
        if (line === 'reject\n') return Promise.reject(new Error('no'))
        if (line === 'type\n') return 7
        if (line === 'pieces\n')
          return (async function* () {
            yield 'some'
            throw new Error('no')
          })()
        return line
      },
    })
    const kinds = ['throw', 'reject', 'type', 'pieces']
    for (const [nth, kind] of kinds.entries()) {
      await ask(`ok\n${kind}\n`)
      await ended(nth + 1)
    }
    const failed = requests().filter(({ request }) => request === 1)
    t.strictSame(told(failed), [
      [1, 6, 0, 'failed'],
      [1, 7, 0, 'failed'],
      [1, 5, 0, 'failed'],
      [1, 7, 4, 'failed'],
    ])
    t.strictSame(
      closes().map(({ reason }) => reason),
      kinds.map(() => 'handler_error'),
    )
  },

  'requests whose connection ends first, and those that nobody was given': async (t, start) => {
    const { server, port, ended, requests, closes } = await start(t, {
      decodeRequest: 'utf8',
      handleRequest: (line: string) =>
        line === 'end\n' ? ['bye\n', false] : new Promise(() => undefined),
    })
    const client = await Client.connect(port)
    client.socket.write('wait\n')
    await until(
      () => server.stats().requests === 1,
      () => 'a request in the handler',
    )
    client.socket.resetAndDestroy()
    await ended()
    t.strictSame(told(requests()), [[0, 5, 0, 'reset']])
    t.match(closes(), [{ reason: 'reset', requests: 1 }])
    const other = await Client.connect(port)
    other.socket.end('end\nend\nend\n')
    await other.closed
    await ended(2)
    t.strictSame(told(requests().slice(1)), [[0, 4, 4, 'ok']])
  },

  'handle_batch, at once': async (t, start) => {
    const { ask, ended, requests } = await start(t, {
      handleBatch: function all(batch: Batch) {
        for (const request of batch) {
          if (request.length === 2) request.reply(request)
          else if (request.length === 3) request.reply('longer\n')
          else request.close()
        }
      },
    })
    t.equal(await ask('1\n22\n333\n'), '1\nlonger\n')
    await ended()
    t.strictSame(told(requests()), [
      [0, 2, 2, 'ok'],
      [1, 3, 7, 'ok'],
      [2, 4, 0, 'ok'],
    ])
    t.equal(requests()[0]?.['handler'], 'all')
  },

  'handle_batch with a promise, and one that fails': async (t, start) => {
    const { ask, ended, requests } = await start(t, {
      handleBatch: async (batch: Batch) => {
        const requests = [...batch]
        requests[0]?.reply('first\n')
        await new Promise(setImmediate)
        for (const request of requests.slice(1)) {
          if (request.text() === 'fail\n') throw new Error('no')
          request.reply(request)
        }
      },
    })
    t.equal(await ask('1\n22\n'), 'first\n22\n')
    await ended()
    t.strictSame(told(requests()), [
      [0, 2, 6, 'ok'],
      [1, 3, 3, 'ok'],
    ])
    await ask('1\nfail\nfail\n')
    await ended(2)
    const failed = requests().filter(({ status }) => status !== 'ok')
    t.strictSame(told(failed), [
      [1, 5, 0, 'failed'],
      [2, 5, 0, 'failed'],
    ])
  },

  'handle_batch that throws in its turn': async (t, start) => {
    const { ask, ended, requests } = await start(t, {
      handleBatch: (batch: Batch) => {
        batch.at(0).reply('ok\n')
        batch.at(2).reply('lost\n')
        throw new Error('no')
      },
    })
    t.equal(await ask('1\n2\n3\n4\n'), 'ok\n')
    await ended()
    t.strictSame(told(requests()), [
      [0, 2, 3, 'ok'],
      [1, 2, 0, 'failed'],
      [2, 2, 0, 'handler_error'],
      [3, 2, 0, 'failed'],
    ])
  },

  'framing in JS': async (t, start) => {
    const framing = {
      endRequest: (bytes: Buffer) => bytes.includes(59),
      splitRequest: (bytes: Buffer): [Buffer, Buffer] => {
        const end = bytes.indexOf(59) + 1
        return [bytes.subarray(0, end), bytes.subarray(end)]
      },
    }
    const single = await start(t, {
      ...framing,
      handleRequest: (request: Buffer): unknown => {
        if (request.length === 4) throw new Error('no')
        return request.length === 3 ? Promise.resolve('late') : request
      },
    })
    t.equal(await single.ask('a;bb;'), 'a;late')
    await single.ask('a;bb;ccc;')
    await single.ended(2)
    const { connection } = single.closes()[0] ?? {}
    const [first, second] = [true, false].map((isFirst) =>
      told(single.requests().filter((line) => (line['connection'] === connection) === isFirst)),
    )
    t.strictSame(first, [
      [0, 2, 2, 'ok'],
      [1, 3, 4, 'ok'],
    ])
    t.strictSame(second, [
      [0, 2, 2, 'ok'],
      [1, 3, 0, 'handler_error'],
      [2, 4, 0, 'failed'],
    ])
    const batched = await start(t, {
      ...framing,
      handleBatch: async (batch: Batch) => {
        for (const request of batch) request.reply(request)
      },
    })
    t.equal(await batched.ask('a;bb;'), 'a;bb;')
    await batched.ended()
    t.strictSame(told(batched.requests()), [
      [0, 2, 2, 'ok'],
      [1, 3, 3, 'ok'],
    ])
  },

  'connections without a request, and hooks beside the log': async (t, start) => {
    const hooks: string[] = []
    const { ask, ended, requests, closes } = await start(t, {
      handleRequest: (line: Buffer) => line,
      opened: () => hooks.push('opened'),
      closed: (_: unknown, reason: string) => hooks.push(reason),
    } as GaidarosOptions)
    t.equal(await ask(''), '')
    await ended()
    t.equal(requests().length, 0)
    t.match(closes(), [
      { reason: 'end', requests: 0, in: 0, out: 0, peer: /^127.*\d$/, local: /^127.*\d$/ },
    ])
    t.strictSame(hooks, ['opened', 'end'])
  },

  'many requests: one line each': async (t, start) => {
    const count = 20_000 // more lines in a turn or two than the buffer holds
    const numbers = Array.from({ length: count }, (_, nth) => nth)
    const text = numbers.map((nth) => `${nth}\n`).join('')
    // A disk that stands still costs lines, which are counted; where it does not, none is missing.
    for (let tries = 1; ; tries++) {
      const { server, ask, ended, requests } = await start(t, {
        handleRequest: (line: Buffer) => line,
      })
      t.equal(await ask(text), text)
      await ended()
      const dropped = server.stats().log_dropped
      const logged = requests().map(({ request }) => request)
      t.equal(logged.length + dropped, count)
      if (dropped > 0 && tries < 5) continue
      t.strictSame(logged, numbers)
      return
    }
  },

  'closing the server: the last lines are in the file': async (t, start) => {
    const { server, port, closes } = await start(t, { handleRequest: (line: Buffer) => line })
    const client = await Client.connect(port)
    client.socket.write('a\n')
    await client.lines(1)
    await server.close()
    t.match(closes(), [{ reason: 'shutdown', requests: 1 }])
  },
}

for (const variant of [VARIANTS.edge, VARIANTS.completion, VARIANTS.portable])
  void t.test(variant.name, async (t) => {
    const reason = await unavailable(variant)
    if (reason !== undefined) return refuse(t, reason)
    for (const [name, run] of Object.entries(cases))
      await t.test(name, async (t) => run(t, startOn(variant)))
  })

const ECHO = ['-h', '127.0.0.1', '-p', '0', '--allow-root']

function command(t: Test, args: readonly string[], cwd: string): Command {
  const server = new Command([...ECHO, ...args], { cwd })
  t.teardown(() => server.stop())
  return server
}

void t.test('the command: text, rotation by USR1, a place that is gone', async (t) => {
  const folder = temporary(t)
  const server = command(t, ['--log-file', 'error.log', '--access-log', 'access.log'], folder)
  const client = await Client.connect(await server.port())
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  client.socket.write('a\n')
  await client.lines(1)
  await until(
    () => read('access.log') !== '',
    () => 'a line',
  )
  t.match(
    read('access.log'),
    /^\S+Z request peer=127\.0\.0\.1:\d+ local=127\.0\.0\.1:\d+ connection=0\.0 request=0 in=2 out=2 us=\d+ status=ok handler=echo worker=\d+\n$/,
  )
  for (const name of ['error', 'access'])
    renameSync(join(folder, `${name}.log`), join(folder, `${name}.1`))
  server.child.kill('SIGUSR1')
  await server.until(/SIGUSR1: reopened \S+error\.log, \S+access\.log/)
  client.socket.write('b\n')
  await client.lines(2)
  await until(
    () => read('access.log').includes(' request=1 '),
    () => 'a line in the new file',
  )
  t.notMatch(read('access.1'), ' request=1 ')
  client.socket.end()
  await client.closed
  server.child.kill('SIGTERM')
  const { code, stderr } = await server.ended
  t.equal(code, 0)
  t.equal(stderr, '')
  t.match(
    read('access.log'),
    /\S+Z close peer=\S+ local=\S+ connection=0\.0 reason=end requests=2 in=4 out=4 us=\d+ worker=\d+\n$/,
  )
  t.match(read('error.1'), /info {2}serving pid=\d+ addresses=127\.0\.0\.1:\d+ engine=/)
  t.match(
    read('error.log'),
    /info {2}logs reopened files=.*\n.*info {2}stopping pid=\d+ signal=SIGTERM.*\n.*info {2}stopped pid=\d+ accepted=1 requests=2/,
  )
})

void t.test('the command: a full disk does not matter to clients', async (t) => {
  const folder = temporary(t)
  const args = ['--access-log', '/dev/full', '--log-file', '/dev/full', '--log-format', 'json']
  const server = command(t, args, folder)
  const client = await Client.connect(await server.port())
  for (let nth = 1; nth <= 200; nth++) {
    client.socket.write(`${nth}\n`)
    await client.lines(nth)
  }
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, stderr: '' })
})

void t.test(
  'the command: the access log on standard output, and a log that cannot be',
  async (t) => {
    const folder = temporary(t)
    const server = command(t, ['--access-log', '-'], folder)
    const client = await Client.connect(await server.port())
    client.socket.write('a\n')
    await server.until(/ request peer=\S+ local=\S+ connection=0\.0 request=0 in=2 out=2 /)
    server.child.kill('SIGUSR1')
    await server.until(/SIGUSR1: no log to reopen; none of them is a file/)
    const bad = ['--access-log', 'no/such/access.log']
    for (const more of [[], ['--check-config']]) {
      const { code, stderr } = await run([...ECHO, ...bad, ...more], { cwd: folder })
      t.equal(code, 1)
      t.match(
        stderr,
        /^gaidaros: access_log: \S+\/no\/such\/access\.log cannot be (?:opened|made): /,
      )
    }
    const { code } = await run([...ECHO, '--log-file', 'x.log', '--check-config'], { cwd: folder })
    t.equal(code, 0)
    t.notOk(existsSync(join(folder, 'x.log')), 'checking makes nothing')
  },
)
