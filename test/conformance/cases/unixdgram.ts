// Datagrams over unix sockets: replies go to the name that their sender has bound.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Test } from 'tap'
import type { Connection } from '../../../lib/handler/contract.js'
import type { Cases, Context } from '../case.js'
import { until } from '../deadline.js'
import type { Served } from '../served.js'
import { Unfit } from '../unfit.js'
import { abstractName, folder, leaveDead, nativeOnly } from '../unixsockets.js'

const PROGRAM = join(import.meta.dirname, '..', 'datagrams.py')

/** What the links in a directory mean; those that are gone meanwhile mean nothing. */
const targets = (path: string): string[] =>
  readdirSync(path).flatMap((name) => {
    try {
      return [readlinkSync(join(path, name))]
    } catch {
      return []
    }
  })

/** A client in a process of its own, which may be without a name. */
class Peer {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly got: Buffer[] = []
  readonly name: string | undefined
  #ready = false

  private constructor(t: Test, server: string, name: string | undefined) {
    this.name = name
    const names = name === undefined ? [] : [name]
    this.child = spawn('python3', [PROGRAM, server, ...names], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => this.child.kill())
    createInterface(this.child.stdout).on('line', (line) => {
      if (this.#ready) this.got.push(Buffer.from(line, 'hex'))
      this.#ready = true
    })
  }

  static async make(t: Test, server: string, name?: string): Promise<Peer> {
    const peer = new Peer(t, server, name)
    await until(
      () => peer.#ready,
      () => 'python3 as a client',
    )
    return peer
  }

  send(bytes: Buffer | string): void {
    this.child.stdin.write(`${Buffer.from(bytes).toString('hex')}\n`)
  }

  /** Nothing is lost on the way: who finds the server's queue full waits. */
  async ask(bytes: Buffer | string): Promise<Buffer> {
    const before = this.got.length
    this.send(bytes)
    await until(
      () => this.got.length > before,
      () => `an answer to ${bytes.length} bytes`,
    )
    return this.got[before] as Buffer
  }

  async told(bytes: Buffer | string): Promise<string> {
    return String(await this.ask(bytes))
  }
}

const make = (ctx: Context, socketPath: string, options: Record<string, unknown> = {}): Served =>
  ctx.make({ protocol: 'unixdgram', socketPath, ...options })

/** A server and a client with a name. */
async function both(
  t: Test,
  ctx: Context,
  options: Record<string, unknown> = {},
): Promise<{ served: Served; peer: Peer; path: string }> {
  const place = folder(t)
  const path = join(place, 's')
  const served = await make(ctx, path, options).listen()
  return { served, path, peer: await Peer.make(t, path, join(place, 'client')) }
}

const cases: Cases = {
  'a reply goes to the name of its sender; the name goes with the server': async (t, ctx) => {
    const { served, path, peer } = await both(t, ctx)
    t.strictSame(served.addresses, [{ address: path, family: 'unix', port: 0 }])
    t.equal(await peer.told('no newline'), 'no newline')
    t.equal((await peer.ask('')).length, 0, 'an empty one')
    await served.server.close()
    t.notOk(existsSync(path))
  },

  'of any length up to 65535; longer ones are dropped and counted': async (t, ctx) => {
    const { served, peer } = await both(t, ctx)
    for (const length of [1, 2047, 2048, 2049, 65_535]) {
      const bytes = Buffer.alloc(length, length % 251)
      t.ok((await peer.ask(bytes)).equals(bytes), `${length} bytes`)
    }
    peer.send(Buffer.alloc(65_536))
    peer.send(Buffer.alloc(100_000))
    t.equal(await peer.told('a'), 'a')
    t.equal((await served.stats()).datagrams_cut, 2)
  },

  'many senders do not mix': async (t, ctx) => {
    const { served, peer, path } = await both(t, ctx, {
      handleRequest: (request: Buffer, { remote }: Connection) => `${remote.address} ${request}`,
    })
    const others = await Promise.all(
      Array.from({ length: 4 }, (_, i) => Peer.make(t, path, `${path}.${i}`)),
    )
    for (let round = 0; round < 10; round++)
      await Promise.all(
        [peer, ...others].map(async (each) => {
          t.equal(await each.told(`r${round}`), `${each.name} r${round}`)
        }),
      )
    t.equal((await served.stats()).datagrams_unsent, 0)
  },

  'the abstract namespace, on both sides': async (t, ctx) => {
    const name = abstractName()
    const served = await make(ctx, name, {
      handleRequest: (_: Buffer, { remote }: Connection) => remote.address,
    }).listen()
    t.strictSame(served.addresses, [{ address: name, family: 'unix', port: 0 }])
    const own = abstractName()
    const peer = await Peer.make(t, name, own)
    t.equal(await peer.told('who'), own)
    await t.rejects(make(ctx, name).listen(), { code: 'ERR_GAIDAROS_LISTEN' })
  },

  'who has no name gets no reply, which is counted': async (t, ctx) => {
    const { served, peer, path } = await both(t, ctx)
    const nameless = await Peer.make(t, path)
    nameless.send('hello?')
    await served.reach(({ datagrams_unsent }) => datagrams_unsent === 1, 'a reply without a way')
    t.equal(await peer.told('a'), 'a')
    t.equal(nameless.got.length, 0)
  },

  'a sender that is gone before its reply': async (t, ctx) => {
    const { served, peer, path } = await both(t, ctx, {
      handleRequest: async (request: Buffer) => {
        // A name: the reply waits until it is there.
        while (request[0] === 47 && !existsSync(String(request)))
          await new Promise((resolve) => setTimeout(resolve, 10))
        return request
      },
    })
    const gone = await Peer.make(t, path, `${path}.gone`)
    gone.send(`${path}.go`)
    await served.reach(({ requests }) => requests === 1, 'its datagram')
    const left = once(gone.child, 'exit')
    gone.child.kill()
    await left
    writeFileSync(`${path}.go`, '')
    await served.reach(({ datagrams_unsent }) => datagrams_unsent === 1, 'a reply without a way')
    t.equal(await peer.told('a'), 'a')
  },

  'the connection says what it is, and who has sent it': async (t, ctx) => {
    const { peer, path } = await both(t, ctx, {
      handleRequest: (_: Buffer, { protocol, remote, local, credentials }: Connection) =>
        JSON.stringify([protocol, remote, local, credentials]),
    })
    t.strictSame(JSON.parse(await peer.told('who')), [
      'unixdgram',
      { address: peer.name, family: 'unix', port: 0 },
      { address: path, family: 'unix', port: 0 },
      { pid: peer.child.pid, uid: process.getuid?.(), gid: process.getgid?.() },
    ])
  },

  'descriptors that a sender passes are not taken': async (t, ctx) => {
    const { peer } = await both(t, ctx, {
      handleRequest: (request: Buffer) => `${process.pid} ${request}`,
    })
    const [pid] = (await peer.told('who')).split(' ')
    for (let i = 0; i < 8; i++) peer.child.stdin.write('fd\n')
    await until(
      () => peer.got.length === 9,
      () => `nine answers: ${peer.got.join()}`,
    )
    t.notOk(targets(`/proc/${pid}/fd`).includes(PROGRAM))
  },

  'replies that are late, and a stream': async (t, ctx) => {
    const { served, peer } = await both(t, ctx, {
      async *handleRequest(request: Buffer) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        yield `one ${request}`
        yield `two ${request}`
      },
    })
    await peer.ask('go')
    await until(
      () => peer.got.length === 2,
      () => `two datagrams: ${peer.got.join()}`,
    )
    t.same(peer.got.map(String), ['one go', 'two go'])
    await served.reach(({ active }) => active === 0, 'nothing in flight')
  },

  'socket_mode and socket_group': async (t, ctx) => {
    const group = process.getgroups?.().at(-1) ?? 0
    const { path } = await both(t, ctx, { socketMode: '660', socketGroup: `${group}` })
    const { mode, gid } = lstatSync(path)
    t.equal((mode & 0o777).toString(8), '660')
    t.equal(gid, group)
  },

  'what a dead server has left is replaced, what a live one has is not': async (t, ctx) => {
    const path = join(folder(t), 's')
    leaveDead(path, 'SOCK_DGRAM')
    t.ok(lstatSync(path).isSocket(), 'it is there')
    const served = await make(ctx, path).listen()
    await t.rejects(make(ctx, path).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      errnoCode: 'EADDRINUSE',
      message: /in use/,
    })
    const peer = await Peer.make(t, path, `${path}.client`)
    t.equal(await peer.told('still here'), 'still here')
    t.ok(served.addresses.length > 0)
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
    await served.reach(({ requests }) => requests === 1, 'its datagram')
    await served.server.close()
    await until(
      () => peer.got.length === 1,
      () => 'the late reply',
    )
    t.equal(String(peer.got[0]), 'late')
  },
}

export const unixdgram: Cases = {
  ...nativeOnly(cases, 'Node has no unix sockets of datagrams'),

  'the portable engine says that it has none': async (t, ctx) => {
    if (ctx.variant.engine === 'native') throw new Unfit('the native engine has them')
    const path = join(folder(t), 's')
    await t.rejects(make(ctx, path).listen(), {
      code: 'ERR_GAIDAROS_ENGINE',
      message: /unixdgram: Node has no such sockets/,
    })
    t.notOk(existsSync(path))
  },
}
