// Datagrams: each is a request, and its reply goes back to where it came from.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Test } from 'tap'
import type { Connection } from '../../../lib/handler/contract.js'
import type { Cases, Context } from '../case.js'
import { until } from '../deadline.js'
import { Segments } from '../segments.js'
import type { Served } from '../served.js'
import { Unfit } from '../unfit.js'

/** Seldom: the answer to what was asked twice would be taken for the next one's. */
const AGAIN_MS = 5_000

/** A client with a socket of its own. Datagrams may be lost where a machine is busy: what matters is asked again. */
class Peer {
  readonly socket: Socket
  readonly got: Buffer[] = []
  readonly from: RemoteInfo[] = []

  private constructor(t: Test, type: 'udp4' | 'udp6') {
    this.socket = createSocket(type)
    this.socket.on('message', (bytes, from) => {
      this.got.push(bytes)
      this.from.push(from)
    })
    t.teardown(() => this.socket.close())
  }

  static async make(
    t: Test,
    type: 'udp4' | 'udp6' = 'udp4',
    host = type === 'udp4' ? '127.0.0.1' : '::1',
  ): Promise<Peer> {
    const peer = new Peer(t, type)
    peer.socket.bind(0, host)
    await once(peer.socket, 'listening')
    return peer
  }

  get port(): number {
    return this.socket.address().port
  }

  send(served: Served, bytes: Buffer | string, host?: string): void {
    this.socket.send(
      bytes,
      served.port,
      host ?? (this.socket.address().family === 'IPv6' ? '::1' : '127.0.0.1'),
    )
  }

  /** The answer as text. */
  async told(served: Served, bytes: Buffer | string, host?: string): Promise<string> {
    return String(await this.ask(served, bytes, host))
  }

  /** Sends until an answer comes. */
  async ask(served: Served, bytes: Buffer | string, host?: string): Promise<Buffer> {
    this.got.length = 0
    let last = 0
    await until(
      () => {
        if (this.got.length === 0 && performance.now() - last > AGAIN_MS) {
          last = performance.now()
          this.send(served, bytes, host)
        }
        return this.got.length > 0
      },
      () => `an answer to ${bytes.length} bytes`,
    )
    return this.got[0] as Buffer
  }
}

const serve = (ctx: Context, options: Record<string, unknown> = {}): Promise<Served> =>
  ctx.serve({ protocol: 'UDP', ...options })

const WHERE = (_: Buffer, { local }: Connection) => local.address

/** Datagrams of one size that differ, and a shorter one behind them. */
const numbered = (count: number, size: number, last = size): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.alloc(i + 1 < count ? size : last, i + 1))

/** Sends one message of `datagrams` to an echo, until all of them have come back. */
async function echoed(
  t: Test,
  ctx: Context,
  served: Served,
  datagrams: Buffer[],
): Promise<Segments> {
  const client = await Segments.make(t, '127.0.0.1', served.port)
  client.send(datagrams)
  await until(
    () => client.datagrams.length >= datagrams.length,
    () => `${datagrams.length} datagrams: ${client.datagrams.length}`,
  )
  // Processes that share one socket, as those of the portable engine do, answer in no order.
  const got = [...client.datagrams]
  if (ctx.variant.engine === 'portable') got.sort(Buffer.compare)
  t.same(got, datagrams)
  return client
}

export const udp: Cases = {
  'a datagram is a request, its reply goes back': async (t, ctx) => {
    const served = await serve(ctx)
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'no newline'), 'no newline')
    t.equal(await peer.told(served, 'two\nlines\n'), 'two\nlines\n')
  },

  'of any length': async (t, ctx) => {
    const served = await serve(ctx)
    const peer = await Peer.make(t)
    for (const length of [1, 64, 2047, 2048, 2049, 9000, 65_507]) {
      const bytes = Buffer.alloc(length, length % 251)
      t.ok((await peer.ask(served, bytes)).equals(bytes), `${length} bytes`)
    }
  },

  'an empty one': async (t, ctx) => {
    const served = await serve(ctx)
    const peer = await Peer.make(t)
    t.equal((await peer.ask(served, '')).length, 0)
  },

  'many senders do not mix': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (request: Buffer, { remote }: Connection) => `${remote.port} ${request}`,
    })
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.make(t)))
    for (let round = 0; round < 10; round++)
      await Promise.all(
        peers.map(async (peer) => {
          t.equal(String(await peer.ask(served, `r${round}`)), `${peer.port} r${round}`)
        }),
      )
  },

  'those that arrive together are handed over together': async (t, ctx) => {
    const served = await serve(ctx)
    const peer = await Peer.make(t)
    // Client and server have one loop: none is read before all are sent.
    for (let i = 0; i < 32; i++) peer.send(served, `${i}`)
    await until(
      () => peer.got.length === 32,
      () => `32 answers: ${peer.got.length}`,
    )
    const { batches, requests } = await served.stats()
    // There may be records of their ends as well, where the handler sees its connection.
    t.equal(requests, 32)
    t.ok(batches < 8, `${batches} batches`)
  },

  'replies that are late, in any order': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        return `late ${request}`
      },
    })
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.make(t)))
    await Promise.all(
      peers.map(async (peer, i) => t.equal(String(await peer.ask(served, `${i}`)), `late ${i}`)),
    )
    await served.reach(({ active }) => active === 0, 'nothing in flight')
  },

  'a stream is a datagram each': async (t, ctx) => {
    const served = await serve(ctx, {
      async *handleRequest() {
        yield 'one'
        yield 'two'
      },
    })
    const peer = await Peer.make(t)
    await peer.ask(served, 'go')
    await until(
      () => peer.got.length >= 2,
      () => `two datagrams: ${peer.got.join()}`,
    )
    t.same(peer.got.slice(0, 2).map(String), ['one', 'two'])
  },

  'write() sends besides the reply': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (_: Buffer, connection: Connection) => {
        connection.write('first')
        return 'second'
      },
    })
    const peer = await Peer.make(t)
    await peer.ask(served, 'go')
    await until(
      () => peer.got.length >= 2,
      () => `two datagrams: ${peer.got.join()}`,
    )
    t.same(peer.got.slice(0, 2).map(String).sort(), ['first', 'second'])
  },

  'no answer is no datagram': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (request: Buffer) => (request[0] === 33 ? undefined : request),
    })
    const peer = await Peer.make(t)
    peer.send(served, '!')
    t.equal(await peer.told(served, 'a'), 'a')
    t.equal(peer.got.length, 1)
    await served.reach(({ replies }) => replies >= 2, 'both were handled')
  },

  'a handler that throws costs its datagram alone': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (request: Buffer) => {
        if (request[0] === 33) throw new Error('no')
        return request
      },
    })
    const peers = await Promise.all(Array.from({ length: 8 }, () => Peer.make(t)))
    for (const peer of peers) peer.send(served, '!')
    await Promise.all(
      peers.map(async (peer, i) => t.equal(await peer.told(served, `${i}`), `${i}`)),
    )
    await served.reachClosed('handler_error', 1)
    await served.logged(/handler error/)
  },

  handle_batch: async (t, ctx) => {
    const served = await serve(ctx, {
      handleBatch: (batch: Iterable<{ reply(with_: unknown): void }>) => {
        for (const request of batch) request.reply(request)
      },
    })
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'batched'), 'batched')
  },

  'strings: decode_request and encode_response': async (t, ctx) => {
    const served = await serve(ctx, {
      decodeRequest: 'utf8',
      handleRequest: (request: string) => request.toUpperCase(),
    })
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'grüße'), 'GRÜSSE')
  },

  'longer than max_frame_size: dropped and counted': async (t, ctx) => {
    const served = await serve(ctx, { maxFrameSize: 100 })
    const peer = await Peer.make(t)
    peer.send(served, Buffer.alloc(101))
    t.equal((await peer.ask(served, Buffer.alloc(100))).length, 100)
    await served.reach(({ datagrams_cut }) => datagrams_cut === 1, 'one was dropped')
    t.equal(peer.got.length, 1)
  },

  'udp_amplification holds replies back': async (t, ctx) => {
    const served = await serve(ctx, {
      udpAmplification: 3,
      handleRequest: (request: Buffer) => 'x'.repeat(Number(request)),
    })
    const peer = await Peer.make(t)
    peer.send(served, '7') // three bytes at most
    t.equal((await peer.ask(served, '3')).length, 3)
    await served.reach((stats) => stats.datagrams_held_back === 1, 'one was held back')
    t.equal(peer.got.length, 1)
  },

  'a reply that is too long is not sent, and nothing ends': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (request: Buffer) => (request[0] === 33 ? Buffer.alloc(70_000) : request),
    })
    const peer = await Peer.make(t)
    peer.send(served, '!')
    t.equal(await peer.told(served, 'a'), 'a')
    await served.reach((stats) => stats.datagrams_unsent === 1, 'one was not sent')
  },

  'senders that are gone: what ICMP reports is counted, and nobody else is concerned': async (
    t,
    ctx,
  ) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram does not hear of them')
    const served = await serve(ctx, {
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        return request
      },
    })
    const gone = createSocket('udp4')
    gone.bind(0, '127.0.0.1')
    await once(gone, 'listening')
    await new Promise((resolve) => gone.send('bye', served.port, '127.0.0.1', resolve))
    await served.reach(({ requests }) => requests === 1, 'its datagram')
    gone.close()
    await served.reach((stats) => stats.icmp_errors >= 1, 'an error by ICMP')
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'still here'), 'still here')
  },

  'handler_timeout lets go of a datagram': async (t, ctx) => {
    const served = await serve(ctx, {
      handlerTimeout: '200ms',
      pollTimeout: '50ms',
      handleRequest: (request: Buffer) =>
        request[0] === 33 ? new Promise(() => undefined) : request,
    })
    const peer = await Peer.make(t)
    peer.send(served, '!')
    await served.reachClosed('handler_timeout')
    t.equal(await peer.told(served, 'a'), 'a')
    await served.logged(/handler_timeout.*127\.0\.0\.1/)
  },

  'max_connections bounds what is in flight': async (t, ctx) => {
    const served = await serve(ctx, {
      maxConnections: 2,
      handlerTimeout: '300ms',
      pollTimeout: '50ms',
      handleRequest: (request: Buffer) =>
        request[0] === 33 ? new Promise(() => undefined) : request,
    })
    const peer = await Peer.make(t)
    for (let i = 0; i < 5; i++) peer.send(served, '!')
    // It is read once the others have been given up.
    t.equal(await peer.told(served, 'a'), 'a')
    t.ok((await served.stats()).accept_paused_limit >= 1)
  },

  'the connection says what it is': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (_: Buffer, { protocol, remote, local, bytesIn }: Connection) =>
        `${protocol} ${remote.address} ${local.address} ${local.port} ${bytesIn}`,
    })
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'who'), `UDP 127.0.0.1 127.0.0.1 ${served.port} 3`)
  },

  'IPv6, and both versions on one socket': async (t, ctx) => {
    const served = await serve(ctx, {
      host: '::',
      handleRequest: (_: Buffer, { remote }: Connection) => remote.address,
    })
    const [four, six] = [await Peer.make(t), await Peer.make(t, 'udp6')]
    t.equal(await four.told(served, 'a'), '127.0.0.1')
    t.equal(await six.told(served, 'a'), '::1')
  },

  'a port in use': async (t, ctx) => {
    const served = await serve(ctx)
    const second = ctx.make({ protocol: 'UDP', port: served.port })
    await t.rejects(second.listen(), { code: 'ERR_GAIDAROS_LISTEN', errnoCode: 'EADDRINUSE' })
  },

  'multicast: a group is joined': async (t, ctx) => {
    const served = await serve(ctx, {
      host: '0.0.0.0',
      udpMulticast: ['239.255.71.1'],
      socketInterface: 'lo',
    })
    const peer = await Peer.make(t)
    peer.socket.setMulticastInterface('127.0.0.1')
    t.equal(await peer.told(served, 'group', '239.255.71.1'), 'group')
  },

  'bound to all addresses, a reply leaves from the one that was asked': async (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram does not tell the address')
    for (const host of ['0.0.0.0', '::']) {
      const served = await serve(ctx, { host, handleRequest: WHERE })
      const peer = await Peer.make(t, 'udp4', '127.0.0.1')
      for (const address of ['127.0.0.2', '127.0.0.1', '127.1.2.3']) {
        t.equal(await peer.told(served, 'who', address), address, 'what the handler sees')
        t.equal(peer.from.at(-1)?.address, address, `${host}: from there`)
      }
      if (host === '0.0.0.0') continue
      const six = await Peer.make(t, 'udp6')
      t.equal(await six.told(served, 'who'), '::1')
      t.equal(six.from.at(-1)?.address, '::1')
    }
  },

  'bound to all addresses: late replies, and those of write(), too': async (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram does not tell the address')
    const served = await serve(ctx, {
      host: '0.0.0.0',
      handleRequest: async (request: Buffer, connection: Connection) => {
        await new Promise((resolve) => setTimeout(resolve, 10))
        connection.write(`${request} is`)
        return `${request} was`
      },
    })
    const peer = await Peer.make(t)
    const asked = ['127.0.0.2', '127.0.0.3', '127.0.0.4']
    for (const address of asked) peer.send(served, address, address)
    await until(
      () => peer.got.length === 6,
      () => `six replies: ${peer.got.join()}`,
    )
    for (const [i, bytes] of peer.got.entries())
      t.equal(String(bytes).split(' ')[0], peer.from[i]?.address)
  },

  'udp_pktinfo = off leaves it to the routes': async (t, ctx) => {
    const served = await serve(ctx, { host: '0.0.0.0', udpPktinfo: 'off', handleRequest: WHERE })
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'who', '127.0.0.2'), '0.0.0.0')
    t.equal(peer.from.at(-1)?.address, '127.0.0.1')
  },

  'udp_pktinfo = on, bound to one address': async (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram does not tell the address')
    const served = await serve(ctx, { udpPktinfo: 'on', handleRequest: WHERE })
    t.equal(await (await Peer.make(t)).told(served, 'who'), '127.0.0.1')
  },

  'a reply to what a group was sent leaves from an address of the machine': async (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram does not tell the address')
    const group = '239.255.71.3'
    const served = await serve(ctx, {
      host: '0.0.0.0',
      udpMulticast: [group],
      socketInterface: 'lo',
      handleRequest: WHERE,
    })
    const peer = await Peer.make(t)
    peer.socket.setMulticastInterface('127.0.0.1')
    t.equal(await peer.told(served, 'who', group), group)
    t.equal(peer.from.at(-1)?.address, '127.0.0.1')
  },

  'several datagrams as one message: each is a request': async (t, ctx) => {
    for (const udpGro of ctx.variant.engine === 'portable' ? ['auto'] : ['on', 'off']) {
      const served = await serve(ctx, { udpGro, udpGso: 'off' })
      const client = await echoed(t, ctx, served, numbered(40, 1400, 77))
      t.equal(client.got.length, 40, 'one by one on the way back')
      await echoed(t, ctx, served, numbered(10, 5000))
      const { requests, replies, bytes_in, datagrams_cut } = await served.stats()
      t.same(
        { requests, replies, bytes_in, datagrams_cut },
        { requests: 50, replies: 50, bytes_in: 39 * 1400 + 77 + 50_000, datagrams_cut: 0 },
      )
    }
  },

  'replies of one size to one peer leave as one message': async (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram sends one by one')
    const served = await serve(ctx, { udpGro: 'on', udpGso: 'on' })
    const client = await echoed(t, ctx, served, numbered(40, 1000, 10))
    if (ctx.variant.sent !== true) t.equal(client.got.length, 1)
    const { replies, bytes_out, datagrams_unsent } = await served.stats()
    t.same(
      { replies, bytes_out, datagrams_unsent },
      {
        replies: 40,
        bytes_out: 39_010,
        datagrams_unsent: 0,
      },
    )
  },

  'several datagrams as one message: limits hold for each': async (t, ctx) => {
    const served = await serve(ctx, {
      maxFrameSize: 100,
      udpAmplification: 1,
      handleRequest: (request: Buffer) => (request.length === 50 ? `${request}!` : request),
    })
    const client = await Segments.make(t, '127.0.0.1', served.port)
    client.send(numbered(5, 101, 50))
    client.send(numbered(5, 100, 50))
    await served.reach(({ requests }) => requests === 6, 'six that are short enough')
    await served.reach(({ datagrams_cut }) => datagrams_cut === 4, 'four that are not')
    await served.reach((stats) => stats.datagrams_held_back === 2, 'two replies too long')
    await until(
      () => client.datagrams.length === 4,
      () => `four replies: ${client.datagrams.length}`,
    )
  },

  'several datagrams as one message wait at max_connections': async (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit('node:dgram receives one by one')
    const held: Array<() => void> = []
    let most = 0
    const served = await serve(ctx, {
      maxConnections: 3,
      udpGro: 'on',
      handleRequest: async (request: Buffer) => {
        await new Promise<void>((resolve) => held.push(resolve))
        return request
      },
    })
    const client = await Segments.make(t, '127.0.0.1', served.port)
    client.send(numbered(10, 20))
    await until(
      () => {
        most = Math.max(most, held.length)
        if (held.length === 3 || client.datagrams.length >= 9)
          for (const answer of held.splice(0)) answer()
        return client.datagrams.length === 10
      },
      () => `ten replies: ${client.datagrams.length}`,
    )
    t.equal(most, 3, 'in flight at most')
  },

  'buffers of the socket': async (t, ctx) => {
    const served = await serve(ctx, { socketReceiveBuffer: '64k', socketSendBuffer: '64k' })
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'a'), 'a')
    if (ctx.variant.engine === 'native' && process.getuid?.() === 0) return // has the right
    const greedy = ctx.make({ protocol: 'UDP', socketReceiveBuffer: '512m' })
    await t.rejects(greedy.listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      message: /socket_receive_buffer: .*net\.core\.rmem_max/,
    })
  },

  'a burst within a turn waits': async (t, ctx) => {
    // More than the kernel's own choice of a buffer holds, and less than twice that, which everybody may have.
    const BURST = 450
    const served = await serve(ctx, { handleRequest: () => undefined })
    const peer = await Peer.make(t)
    peer.socket.connect(served.port, '127.0.0.1')
    await once(peer.socket, 'connect')
    for (let i = 0; i < BURST; i++) peer.socket.send(`${i}`)
    await served.reach((s) => s.requests === BURST, `${BURST} requests`)
  },

  'udp_broadcast: a reply may go to all': async (t, ctx) => {
    const served = await serve(ctx, { host: '0.0.0.0', udpBroadcast: true })
    const peer = await Peer.make(t)
    t.equal(await peer.told(served, 'a'), 'a')
  },

  'an interface that there is not': async (t, ctx) => {
    const served = ctx.make({
      protocol: 'UDP',
      socketInterface: 'nowhere0',
      udpMulticast: ['239.255.71.2'],
    })
    await t.rejects(served.listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      message: /socket_interface: the kernel refuses/,
    })
  },

  'what node:dgram does not do is refused by name': async (t, ctx) => {
    if (ctx.variant.engine === 'native') throw new Unfit('the native engine does all of it')
    const served = ctx.make({ protocol: 'UDP', socketDscp: 46, socketInterface: 'lo' })
    await t.rejects(served.listen(), {
      code: 'ERR_GAIDAROS_ENGINE',
      message: /without socket_interface, socket_dscp on the portable engine/,
    })
  },

  'close() lets late replies out': async (t, ctx) => {
    const served = await serve(ctx, {
      shutdownGrace: '10s',
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 200))
        return request
      },
    })
    const peer = await Peer.make(t)
    peer.send(served, 'late')
    await served.reach(({ requests }) => requests === 1, 'its datagram')
    await served.server.close()
    await until(() => peer.got.length === 1, 'the late reply')
    t.equal(String(peer.got[0]), 'late')
  },
}
