// Streams by vsock: what it takes to listen, and, where this machine can connect to itself, to be served.

import type { Test } from 'tap'
import { probeVsock } from '../../../lib/engine/native.js'
import type { Batch, Connection } from '../../../lib/handler/contract.js'
import type { Case, Cases, Context } from '../case.js'
import { serverTls } from '../certificates.js'
import { brief } from '../deadline.js'
import type { Served } from '../served.js'
import { Unfit } from '../unfit.js'
import { nativeOnly } from '../unixsockets.js'
import { loopbackRefusal, vsockRefusal } from '../vsock.js'

const make = (ctx: Context, options: Record<string, unknown> = {}): Served =>
  ctx.make({ protocol: 'vsock', port: 0, ...options })

/** Cases that are asked where `refusal` has nothing to say. */
const where = (
  refusal: () => string | undefined | Promise<string | undefined>,
  cases: Cases,
): Cases =>
  Object.fromEntries(
    Object.entries(cases).map(([name, run]): [string, Case] => [
      name,
      async (t: Test, ctx: Context) => {
        const why = await refusal()
        if (why !== undefined) throw new Unfit(why)
        await run(t, ctx)
      },
    ]),
  )

const listening: Cases = {
  'port 0 is one that the kernel chooses, for all CIDs of this machine': async (t, ctx) => {
    const served = await make(ctx).listen()
    const [address] = served.addresses
    t.match(address, { address: 'any', family: 'vsock' })
    t.ok((address?.port ?? 0) > 1023, `port ${address?.port}`)
  },

  'a port of 32 bits; one that is in use is refused': async (t, ctx) => {
    const port = 0x8000_0000 + Math.floor(Math.random() * 0x7000_0000)
    const served = await make(ctx, { port }).listen()
    t.equal(served.addresses[0]?.port, port)
    await t.rejects(make(ctx, { port }).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      errnoCode: 'EADDRINUSE',
      message: new RegExp(`cannot listen on vsock:any port ${port}: bind: Address already in use`),
    })
    await served.server.close()
    await make(ctx, { port }).listen()
  },

  'one CID of this machine': async (t, ctx) => {
    const { cid } = probeVsock() ?? {}
    if (cid === undefined) throw new Unfit('/dev/vsock does not tell the CID of this machine')
    const served = await make(ctx, { vsockCid: String(cid) }).listen()
    t.match(served.addresses[0], { address: String(cid), family: 'vsock' })
  },

  'a CID that is none of this machine': async (t, ctx) => {
    await t.rejects(make(ctx, { vsockCid: '123456' }).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      errnoCode: 'EADDRNOTAVAIL',
      message:
        /vsock:123456 port 0: bind: .*; wanted as vsock_cid any, or one that this machine has/,
    })
  },

  'what does not go with it is refused': async (t, ctx) => {
    const refused: [Record<string, unknown>, RegExp][] = [
      [{ vsockCid: 'guest' }, /vsock_cid "guest": wanted any, hypervisor, local, host or a number/],
      [{ vsockCid: '4294967295' }, /vsock_cid "4294967295": wanted any.*up to 4294967294/],
      [{ port: 0xffff_ffff }, /port "4294967295": wanted .*; with protocol vsock to 4294967294/],
      [{ host: '127.0.0.1' }, /host "127.0.0.1": wanted protocol TCP, UDP or zmq, but it is vsock/],
      [{ tcpNodelay: true }, /tcp_nodelay "yes": wanted protocol TCP, but it is vsock/],
      [{ socketPath: '/tmp/s' }, /socket_path .*: wanted protocol unixsocket.*, but it is vsock/],
      [{ socketSendBuffer: 65_536 }, /socket_send_buffer .*heed it, but it is vsock/],
      [{ proxyAllowFrom: ['10.0.0.0/8'] }, /proxy_allow_from .*addresses, but it is vsock/],
      [
        { protocol: 'TCP', host: '127.0.0.1', vsockCid: 'host' },
        /vsock_cid .*wanted protocol vsock/,
      ],
      [
        { protocol: 'TCP', host: '127.0.0.1', port: 65_536 },
        /port "65536": wanted a whole number from 0 to 65535$/,
      ],
    ]
    for (const [options, message] of refused) t.throws(() => make(ctx, options), { message })
  },
}

const served: Cases = {
  'a client is served': async (t, ctx) => {
    const server = await make(ctx).listen()
    const client = await server.connect()
    await client.ask('hello\n')
    await client.ask(`${'x'.repeat(300_000)}\n`)
    client.finish()
    await client.expectEnd('fin')
    await server.reachClosed('end')
    t.equal((await server.stats()).requests, 2)
  },

  'the connection says what it is, and who is at its other end': async (t, ctx) => {
    const server = await make(ctx, {
      handleRequest: (_: Buffer, { protocol, remote, local, credentials }: Connection) =>
        `${JSON.stringify([protocol, remote, local, credentials ?? null])}\n`,
    }).listen()
    const client = await server.connect()
    client.send('who\n').finish()
    const [protocol, remote, local, credentials] = JSON.parse(String(await client.rest()))
    t.match([protocol, local], ['vsock', { address: '1', family: 'vsock', port: server.port }])
    t.match(remote, { address: '1', family: 'vsock' })
    t.ok(remote.port > 1023, `port ${remote.port}`)
    t.equal(credentials, null)
  },

  'two hundred clients with many in flight keep their order': async (t, ctx) => {
    const server = await make(ctx, { maxPipelined: 16 }).listen()
    const lines = Array.from({ length: 100 }, (_, i) => `${i}\n`).join('')
    const clients = await server.connectMany(200)
    await Promise.all(clients.map((client) => client.ask(lines)))
    t.equal((await server.stats()).requests, 20_000)
  },

  'a reply of 4 MiB arrives whole beside input that is not read': async (t, ctx) => {
    const server = await make(ctx, {
      outputLimit: 0,
      handleRequest: () => [Buffer.alloc(4 << 20, 'r'), false],
    }).listen()
    for (let i = 0; i < 10; i++) {
      const client = await server.connect()
      // As much as the kernel takes in for a server that does not read: socat waits for room for more, and reads nothing then.
      client.send(`go\n${'u'.repeat(200_000)}`)
      t.equal((await client.rest()).length, 4 << 20)
    }
  },

  'who does not read is closed by write_timeout': async (_t, ctx) => {
    const server = await make(ctx, {
      writeTimeout: brief(200),
      handleRequest: () => Buffer.alloc(16 << 20),
    }).listen()
    const client = await server.connect({ reading: false })
    client.send('a\n')
    await server.reachClosed('write_timeout')
    await (await server.connect()).write('still served\n')
  },

  'a client that is gone': async (_t, ctx) => {
    const server = await make(ctx).listen()
    const client = await server.connect()
    await client.ask('here\n')
    client.destroy()
    await server.reachActive(0)
    await (await server.connect()).ask('next\n')
  },

  'max_connections_per_ip is of each CID': async (_t, ctx) => {
    const server = await make(ctx, { maxConnectionsPerIp: 2 }).listen()
    const both = await server.connectMany(2)
    await Promise.all(both.map((client) => client.ask('in\n')))
    await (await server.connect()).expectEnd()
    await server.reachClosed('max_connections_per_ip')
    await server.logged(/max_connections_per_ip.*vsock:1:\d+/)
  },

  'close() lets late replies out': async (_t, ctx) => {
    const server = await make(ctx, {
      shutdownGrace: '10s',
      handleRequest: async (request: Buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 200))
        return request
      },
    }).listen()
    const client = await server.connect()
    client.send('late\n')
    await server.reach(({ requests }) => requests === 1, 'its request')
    await server.server.close()
    await client.expect('late\n')
    await client.expectEnd()
  },

  handle_batch: async (_t, ctx) => {
    const server = await make(ctx, {
      handleBatch: (batch: Batch) => {
        for (const request of batch) request.reply(request.text())
      },
    }).listen()
    const lines = Array.from({ length: 1000 }, (_, i) => `${i}\n`).join('')
    await (await server.connect()).ask(lines)
  },

  'TLS, and compression within it': async (_t, ctx) => {
    for (const options of [{}, { compress: 'gzip' }]) {
      const server = await make(ctx, {
        ...serverTls(),
        ...options,
        handleRequest: (request: Buffer, { tls }: Connection) => `${tls?.protocol} ${request}`,
      }).listen()
      const client = await server.connect()
      await client.ask('a\n', 'TLSv1.3 a\n')
    }
  },

  'a PROXY header, and who has sent it': async (_t, ctx) => {
    const server = await make(ctx, {
      proxyProtocol: 'v1',
      handleRequest: (_: Buffer, { protocol, remote, proxy }: Connection) =>
        `${protocol} ${remote.address} ${proxy?.address.family}:${proxy?.address.address}\n`,
    }).listen()
    const ahead = Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n')
    await (await server.connect({ ahead })).ask('who\n', 'vsock 192.0.2.7 vsock:1\n')
  },
}

export const vsock: Cases = {
  ...nativeOnly(
    { ...where(vsockRefusal, listening), ...where(loopbackRefusal, served) },
    'Node has no vsock',
  ),

  'the portable engine says that it has none': async (t, ctx) => {
    if (ctx.variant.engine === 'native') throw new Unfit('the native engine has it')
    await t.rejects(make(ctx).listen(), {
      code: 'ERR_GAIDAROS_ENGINE',
      message: /vsock: Node has no such sockets; wanted the native engine/,
    })
  },
}
