// Messages over unix sockets, SOCK_SEQPACKET: connections whose messages keep their bounds.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Test } from 'tap'
import type { Batch, Connection } from '../../../lib/handler/contract.js'
import type { Cases, Context } from '../case.js'
import { serverTls } from '../certificates.js'
import { until } from '../deadline.js'
import type { Served } from '../served.js'
import { Unfit } from '../unfit.js'
import { abstractName, leaveDead, nativeOnly, place } from '../unixsockets.js'

const PROGRAM = join(import.meta.dirname, '..', 'messages.py')

/** A client in a process of its own. */
class Peer {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly got: Buffer[] = []
  /** How it ended: 'end', or an error. */
  end: string | undefined
  #ready = false

  private constructor(t: Test, server: string, how: string[]) {
    this.child = spawn('python3', [PROGRAM, server, ...how], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.child.stdin.on('error', () => undefined)
    t.teardown(() => this.child.kill())
    createInterface(this.child.stdout).on('line', (line) => {
      if (!this.#ready) this.#ready = true
      else if (/^(?:end|E[A-Z]+)$/.test(line)) this.end = line
      else this.got.push(Buffer.from(line, 'hex'))
    })
  }

  static async make(t: Test, server: string, ...how: 'hold'[]): Promise<Peer> {
    const peer = new Peer(t, server, how)
    await until(
      () => peer.#ready,
      () => 'python3 as a client',
    )
    return peer
  }

  say(line: string): this {
    this.child.stdin.write(`${line}\n`)
    return this
  }

  send(bytes: Buffer | string): this {
    return this.say(Buffer.from(bytes).toString('hex'))
  }

  async has(count: number): Promise<Buffer[]> {
    await until(
      () => this.got.length >= count,
      () => `${count} messages: ${this.got.length}, ${this.end}`,
    )
    return this.got
  }

  async ask(bytes: Buffer | string): Promise<Buffer> {
    const before = this.got.length
    this.send(bytes)
    return (await this.has(before + 1))[before] as Buffer
  }

  async told(bytes: Buffer | string): Promise<string> {
    return String(await this.ask(bytes))
  }

  async ended(): Promise<string | undefined> {
    await until(
      () => this.end !== undefined,
      () => `the end, ${this.got.length} messages`,
    )
    return this.end
  }
}

const make = (ctx: Context, socketPath: string, options: Record<string, unknown> = {}): Served =>
  ctx.make({ protocol: 'unixseqpacket', socketPath, ...options })

/** A server and a client. */
async function both(
  t: Test,
  ctx: Context,
  options: Record<string, unknown> = {},
): Promise<{ served: Served; peer: Peer; path: string }> {
  const path = place(t)
  const served = await make(ctx, path, options).listen()
  return { served, path, peer: await Peer.make(t, path) }
}

/** Bytes that are not the same anywhere. */
const pattern = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, i) => i % 251))
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))

const cases: Cases = {
  'a message is a request, and its reply is one; the name goes with the server': async (t, ctx) => {
    const { served, peer, path } = await both(t, ctx)
    t.strictSame(served.addresses, [{ address: path, family: 'unix', port: 0 }])
    t.equal(await peer.told('no newline'), 'no newline')
    t.equal(await peer.told('two\nof them\n'), 'two\nof them\n')
    await served.server.close()
    t.equal(await peer.ended(), 'end')
    t.notOk(existsSync(path))
  },

  'of any length': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      handleRequest: (request: Buffer) => Buffer.from(request),
    })
    for (const size of [1, 3, 4, 16_380, 16_384, 16_385, 65_532, 65_536, 65_537, 200_000]) {
      const bytes = pattern(size)
      t.ok((await peer.ask(bytes)).equals(bytes), `${size} bytes`)
    }
  },

  'many in flight keep their order; bytes are those of the messages': async (t, ctx) => {
    const { served, peer } = await both(t, ctx)
    peer.say('many 1000')
    t.strictSame((await peer.has(1000)).map(String), numbers(1000))
    const { requests, bytes_in, bytes_out } = await served.stats()
    t.strictSame([requests, bytes_in, bytes_out], [1000, 2890, 2890])
  },

  'order, whatever the delays': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        return request
      },
    })
    peer.say('many 300')
    t.strictSame((await peer.has(300)).map(String), numbers(300))
  },

  'several clients with long messages at once': async (t, ctx) => {
    const { peer, path } = await both(t, ctx, {
      handleRequest: (request: Buffer) => Buffer.from(request),
    })
    const others = await Promise.all(Array.from({ length: 5 }, () => Peer.make(t, path)))
    const bytes = pattern(100_000)
    for (const each of [peer, ...others]) for (let i = 0; i < 12; i++) each.send(bytes)
    for (const each of [peer, ...others])
      t.ok((await each.has(12)).every((got) => got.equals(bytes)))
  },

  handle_batch: async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      handleBatch: (batch: Batch) => {
        for (const request of batch) request.reply(`<${request.text()}>`)
      },
    })
    peer.say('many 100')
    t.strictSame(
      (await peer.has(100)).map(String),
      numbers(100).map((each) => `<${each}>`),
    )
  },

  'who does not read has its replies later, whole and in order': async (t, ctx) => {
    const path = place(t)
    const served = await make(ctx, path, {
      handleRequest: (request: Buffer) => Buffer.alloc(65_536, Number(request)),
    }).listen()
    const peer = await Peer.make(t, path, 'hold')
    peer.say('many 200')
    await served.reach(({ requests }) => requests > 1, 'requests')
    const another = await Peer.make(t, path)
    t.equal((await another.ask('7')).length, 65_536)
    t.ok((await served.stats()).requests < 201, 'it is not read on and on')
    peer.say('read')
    const got = await peer.has(200)
    t.ok(got.every((each, i) => each.equals(Buffer.alloc(65_536, i))))
  },

  'small replies that a full socket leaves waiting': async (t, ctx) => {
    const path = place(t)
    await make(ctx, path, { maxPipelined: 0 }).listen()
    const peer = await Peer.make(t, path, 'hold')
    peer.say('many 5000').say('read')
    t.strictSame((await peer.has(5000)).map(String), numbers(5000))
  },

  'a reply that is longer than the socket holds ends the connection': async (t, ctx) => {
    const { served, peer, path } = await both(t, ctx, {
      handleRequest: (request: Buffer) =>
        String(request) === 'long' ? Buffer.alloc(64 << 20) : request,
    })
    t.equal(await peer.told('short'), 'short')
    peer.send('long')
    await served.reachClosed('output_limit')
    t.ok(await peer.ended())
    t.equal(await (await Peer.make(t, path)).told('short'), 'short', 'others are served')
  },

  'socket_send_buffer is that of connections, too': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      socketSendBuffer: 200_000,
      handleRequest: () => Buffer.alloc(390_000, 1),
    })
    t.equal((await peer.ask('a')).length, 390_000)
  },

  'max_frame_size is that of the message': async (t, ctx) => {
    const { served, peer } = await both(t, ctx, { maxFrameSize: 1000 })
    t.equal((await peer.ask(Buffer.alloc(1000))).length, 1000)
    peer.send('before').send(Buffer.alloc(1001))
    await served.reachClosed('frame_size')
    t.equal(String((await peer.has(2))[1]), 'before')
    t.ok(await peer.ended())
  },

  'a message without bytes is the end of input': async (t, ctx) => {
    const { served, peer } = await both(t, ctx)
    peer.send('last').send('')
    t.equal(String((await peer.has(1))[0]), 'last')
    t.equal(await peer.ended(), 'end')
    await served.reachClosed('end')
  },

  'a reply without bytes is not sent': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      handleRequest: (request: Buffer) => (Number(request) % 3 === 0 ? '' : request),
    })
    peer.say('many 9')
    t.strictSame((await peer.has(6)).map(String), ['1', '2', '4', '5', '7', '8'])
    t.equal(await peer.told('10'), '10')
  },

  'who has said all is answered, and the connection ends': async (t, ctx) => {
    const { served, peer } = await both(t, ctx, {
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return request
      },
    })
    peer.say('many 20').say('end')
    t.equal(await peer.ended(), 'end')
    t.strictSame(peer.got.map(String), numbers(20))
    await served.reachClosed('end')
  },

  'a reply that ends the connection': async (t, ctx) => {
    const { served, peer } = await both(t, ctx, {
      handleRequest: (request: Buffer) => [request, String(request) !== 'quit'],
    })
    t.equal(await peer.told('a'), 'a')
    peer.send('quit').send('too late')
    t.equal(String((await peer.has(2))[1]), 'quit')
    t.ok(await peer.ended())
    t.equal(peer.got.length, 2)
    await served.reach(({ active }) => active === 0, 'no connection')
  },

  'keepalive = no, and the hooks': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      keepalive: false,
      opened: (connection: Connection) => void connection.write('welcome'),
      handleRequest: (request: Buffer) => request,
    })
    t.equal(String((await peer.has(1))[0]), 'welcome')
    t.equal(await peer.told('a'), 'a')
    t.ok(await peer.ended())
  },

  'a client that is gone': async (t, ctx) => {
    const { served, peer, path } = await both(t, ctx, {
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        return request
      },
    })
    peer.say('many 50')
    await served.reach(({ requests }) => requests > 0, 'a request')
    const left = once(peer.child, 'exit')
    peer.child.kill('SIGKILL')
    await left
    await served.reach(({ active }) => active === 0, 'no connection')
    t.equal(await (await Peer.make(t, path)).told('a'), 'a')
  },

  'a stream is a message a piece, and write() sends one': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      handleRequest: (request: Buffer, connection: Connection) => {
        connection.write(`before ${request}`)
        return (async function* () {
          for (const piece of ['one', '', 'two', 'x'.repeat(100_000)]) yield `${piece}`
        })()
      },
    })
    peer.send('a')
    const got = (await peer.has(4)).map(String)
    t.strictSame(got, ['before a', 'one', 'two', 'x'.repeat(100_000)])
  },

  'the connection says what it is, and who is at its other end': async (t, ctx) => {
    const { peer, path } = await both(t, ctx, {
      handleRequest: (_: Buffer, { protocol, remote, local, credentials }: Connection) =>
        JSON.stringify([protocol, remote, local, credentials]),
    })
    t.strictSame(JSON.parse(await peer.told('who')), [
      'unixseqpacket',
      { address: '', family: 'unix', port: 0 },
      { address: path, family: 'unix', port: 0 },
      { pid: peer.child.pid, uid: process.getuid?.(), gid: process.getgid?.() },
    ])
  },

  'the abstract namespace': async (t, ctx) => {
    const name = abstractName()
    const served = await make(ctx, name).listen()
    t.strictSame(served.addresses, [{ address: name, family: 'unix', port: 0 }])
    t.equal(await (await Peer.make(t, name)).told('a'), 'a')
    await t.rejects(make(ctx, name).listen(), { code: 'ERR_GAIDAROS_LISTEN' })
  },

  'socket_mode and socket_group': async (t, ctx) => {
    const group = process.getgroups?.().at(-1) ?? 0
    const { path } = await both(t, ctx, { socketMode: '660', socketGroup: `${group}` })
    const { mode, gid } = lstatSync(path)
    t.equal((mode & 0o777).toString(8), '660')
    t.equal(gid, group)
  },

  'what a dead server has left is replaced, what a live one has is not': async (t, ctx) => {
    const path = place(t)
    leaveDead(path, 'SOCK_SEQPACKET')
    t.ok(lstatSync(path).isSocket(), 'it is there')
    await make(ctx, path).listen()
    await t.rejects(make(ctx, path).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      errnoCode: 'EADDRINUSE',
      message: /in use/,
    })
    t.equal(await (await Peer.make(t, path)).told('still here'), 'still here')
  },

  'close() lets late replies out': async (t, ctx) => {
    const { served, peer } = await both(t, ctx, {
      shutdownGrace: '10s',
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 200))
        return request
      },
    })
    peer.send('late')
    await served.reach(({ requests }) => requests === 1, 'its message')
    await served.server.close()
    t.equal(String((await peer.has(1))[0]), 'late')
    t.equal(await peer.ended(), 'end')
  },

  'what does not go with it is refused': async (t, ctx) => {
    const refused: [Record<string, unknown>, RegExp][] = [
      [{ compress: 'gzip' }, /compress.*wanted a protocol of streams or datagrams.*unixseqpacket/],
      [serverTls(), /tls_cert.*wanted a protocol of streams.*unixseqpacket/],
      [{ proxyProtocol: 'v2' }, /proxy_protocol.*wanted a protocol of streams.*unixseqpacket/],
      [{ endRequest: 'line' }, /end_request.*wanted a protocol of streams.*unixseqpacket/],
      [{ port: 1234 }, /port.*wanted protocol TCP, UDP.*unixseqpacket/],
    ]
    const path = place(t)
    for (const [options, message] of refused) t.throws(() => make(ctx, path, options), { message })
    t.notOk(existsSync(path))
  },
}

export const seqpacket: Cases = {
  ...nativeOnly(cases, 'Node has no unix sockets of messages'),

  'the portable engine says that it has none': async (t, ctx) => {
    if (ctx.variant.engine === 'native') throw new Unfit('the native engine has them')
    const path = place(t)
    await t.rejects(make(ctx, path).listen(), {
      code: 'ERR_GAIDAROS_ENGINE',
      message: /unixseqpacket: Node has no such sockets/,
    })
    t.notOk(existsSync(path))
  },
}
