// Options of the constructor: what they change, and what is refused.

import net from 'node:net'
import { type Case, type Cases, misbehave } from '../case.js'
import { brief, PATIENT } from '../deadline.js'
import type { Options } from '../served.js'

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `${i}\n`).join('')

/** A little of everything works with these options: pipelines, a big reply, many connections. */
function works(options: Options): Case {
  return async (t, ctx) => {
    const big = Buffer.alloc(500_000, 'B')
    const served = await ctx.serve({
      ...options,
      handleRequest: (r: Buffer) =>
        r.includes('big') ? big : r.includes('late') ? Promise.resolve(r) : r,
    })
    const clients = await served.connectMany(10)
    await Promise.all(clients.map((client) => client.ask(lines(100))))
    await Promise.all(clients.map((client) => client.ask('a\nbig\nlate\n', `a\n${big}late\n`)))
    clients[0]?.finish('last\n')
    await clients[0]?.expect('last\n')
    await clients[0]?.expectEnd('fin')
    clients[1]?.reset()
    await served.reachActive(8)
    t.equal((await served.stats()).requests, 10 * 103 + 1)
  }
}

/** The constructor refuses these options with a text that matches. */
function refused(options: Options, message: RegExp): Case {
  return async (t, ctx) => {
    let caught: (Error & { code?: string }) | undefined
    try {
      await ctx.serve(options)
    } catch (error) {
      caught = error as Error
    }
    t.match(caught?.message, message)
    t.match(caught?.code, /^ERR_GAIDAROS_/)
  }
}

export const options: Cases = {
  tcp_cork: works({ tcpCork: true }),
  tcp_nodelay: works({ tcpNodelay: true }),
  disable_nagle: works({ disableNagle: true }),
  'tcp_cork with tcp_nodelay': works({ tcpCork: true, tcpNodelay: true }),
  'tcp_cork with disable_nagle': works({ tcpCork: true, disableNagle: true }),
  'send_batching off': works({ sendBatching: false }),
  'send_batching off with tcp_cork': works({ sendBatching: false, tcpCork: true }),
  busy_poll: works({ busyPoll: '50us' }),
  'poll_timeout of 10 ms': works({ pollTimeout: brief(10) }),
  'poll_timeout of a minute': works({ pollTimeout: '60s' }),
  'recv_size of 512 bytes': works({ recvSize: 512 }),
  'recv_size of 1 MiB': works({ recvSize: '1m' }),
  'backlog of 1': works({ backlog: 1 }),
  'output_high_water of 1 kB': works({ outputHighWater: 1024 }),
  'all limits off': works({
    maxConnections: 0,
    maxFrameSize: 0,
    outputHighWater: 0,
    outputLimit: 0,
    maxPipelined: 0,
    firstByteTimeout: 0,
    frameTimeout: 0,
    idleTimeout: 0,
    writeTimeout: 0,
    handlerTimeout: 0,
    lingerIdleTimeout: 0,
    lingerTimeout: 0,
    lingerBytes: 0,
  }),

  'poll_timeout does not delay timers': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { pollTimeout: '60s', firstByteTimeout: PATIENT },
      act: (served) => served.connect(),
      reason: 'first_byte_timeout',
    })
  },

  'an unknown option is refused with a suggestion': refused(
    { handleReqest: () => '' },
    /handleRequest/,
  ),
  'an unknown polling type': refused({ pollingType: 'sideways' }, /edge.*level.*completion/s),
  'an unknown engine': refused({ engine: 'steam' }, /native.*portable/s),
  'a port that is none': refused({ port: 70_000 }, /port.*65535/s),
  'a value of the wrong type': refused({ maxPipelined: 'many' }, /max_?[pP]ipelined/),
  'a negative limit': refused({ maxFrameSize: -1 }, /max_?[fF]rame_?[sS]ize/),
  'all errors at once': refused(
    { port: -1, backlog: 'x', nonsense: 1 },
    /port.*backlog|backlog.*port/s,
  ),
  'a handler and a batch handler': refused(
    { handleRequest: () => '', handleBatch: () => {} },
    /handle_?[bB]atch/,
  ),
  'a framer that does not exist': refused({ endRequest: 'paragraph' }, /paragraph/),
  'a fixed framer of size 0': refused({ endRequest: 'fixed:0' }, /fixed/),
  'an empty delimiter': refused(
    { endRequest: { framer: 'delimiter', delimiter: '' } },
    /delimiter/,
  ),
  'a length framer of an unknown type': refused({ endRequest: 'length:u24be' }, /u24be/),
  'a handler that is no function': refused({ handleRequest: 42 }, /handle_?[rR]equest/),
  'an option of a later version': refused({ compress: 'gzip' }, /not available/),

  'a port in use is ERR_GAIDAROS_LISTEN and names it': async (t, ctx) => {
    const served = await ctx.serve()
    const second = ctx.make({ port: served.port })
    await t.rejects(second.listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      message: new RegExp(`${served.port}`),
    })
    const client = await served.connect()
    await client.ask('still here\n')
  },

  'a port that is free again can be taken again': async (_t, ctx) => {
    const first = await ctx.serve()
    const client = await first.connect()
    await client.ask('a\n')
    const { port } = first
    await first.server.close()
    const second = await ctx.serve({ port })
    const again = await second.connect()
    await again.ask('b\n')
  },

  'an address that is not ours is ERR_GAIDAROS_LISTEN': async (t, ctx) => {
    const served = ctx.make({ host: '192.0.2.1' })
    await t.rejects(served.listen(), { code: 'ERR_GAIDAROS_LISTEN' })
  },

  'port 0 gives each server its own': async (t, ctx) => {
    const served = await Promise.all([ctx.serve(), ctx.serve(), ctx.serve()])
    t.equal(new Set(served.map((s) => s.port)).size, 3)
    for (const s of served) await (await s.connect()).ask('a\n')
  },

  'several servers in one process do not disturb each other': async (_t, ctx) => {
    const servers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => ctx.serve({ handleRequest: () => `server ${i}\n` })),
    )
    const clients = await Promise.all(servers.map((s) => s.connect()))
    await servers[3]?.server.close()
    for (const [i, client] of clients.entries()) {
      if (i !== 3) await client.ask('who\n', `server ${i}\n`)
    }
  },

  'ip_version 4 with localhost: 127.0.0.1 alone': async (t, ctx) => {
    const served = await ctx.serve({ host: 'localhost', ipVersion: 4 })
    t.same(
      served.addresses.map((a) => a.address),
      ['127.0.0.1'],
    )
    await (await served.connect()).ask('a\n')
  },
}

/** Whether this machine has IPv6 on loopback. */
async function hasIpv6(): Promise<boolean> {
  const server = net.createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(0, '::1', () => server.close(() => resolve(true)))
  })
}

/** A case for machines with IPv6; a skip elsewhere. */
const onIpv6 =
  (run: Case): Case =>
  async (t, ctx) => {
    if (await hasIpv6()) return run(t, ctx)
    t.pass('IPv6 on loopback', { skip: 'this machine has no ::1' })
  }

const connectsOver4 = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

export const addresses: Cases = {
  'IPv6: ::1': onIpv6(async (t, ctx) => {
    const served = await ctx.serve({ host: '::1' })
    t.equal(served.addresses[0]?.family, 'IPv6')
    const client = await served.connect({ host: '::1' })
    await client.ask('six\n')
  }),

  'IPv6: remote is the client’s address': onIpv6(async (_t, ctx) => {
    const served = await ctx.serve({
      host: '::1',
      handleRequest: (_r: Buffer, { remote }: { remote: { address: string; family: string } }) =>
        `${remote.address} ${remote.family}\n`,
    })
    const client = await served.connect({ host: '::1' })
    await client.ask('a\n', '::1 IPv6\n')
  }),

  'localhost: both versions on one port': onIpv6(async (t, ctx) => {
    const served = await ctx.serve({ host: 'localhost' })
    t.same(served.addresses.map((a) => a.address).sort(), ['127.0.0.1', '::1'])
    t.equal(new Set(served.addresses.map((a) => a.port)).size, 1)
    await (await served.connect()).ask('four\n')
    await (await served.connect({ host: '::1' })).ask('six\n')
    t.equal((await served.stats()).accepted, 2)
  }),

  'localhost with ip_version 6: ::1 alone': onIpv6(async (t, ctx) => {
    const served = await ctx.serve({ host: 'localhost', ipVersion: 6 })
    t.same(
      served.addresses.map((a) => a.address),
      ['::1'],
    )
    await (await served.connect({ host: '::1' })).ask('six\n')
  }),

  ':: takes both versions on one socket': onIpv6(async (t, ctx) => {
    const served = await ctx.serve({
      host: '::',
      handleRequest: (_r: Buffer, { remote }: { remote: { address: string } }) =>
        `${remote.address}\n`,
    })
    t.equal(served.addresses.length, 1)
    const [six, four] = [await served.connect({ host: '::1' }), await served.connect()]
    await six.ask('a\n', '::1\n')
    four.send('a\n')
    const seen = (await four.take(10)).toString()
    t.match(seen, /^(127\.0\.0\.|::ffff:12)/)
  }),

  ':: with ip_version 6 keeps IPv4 out': onIpv6(async (t, ctx) => {
    const served = await ctx.serve({ host: '::', ipVersion: 6 })
    await (await served.connect({ host: '::1' })).ask('six\n')
    t.equal(await connectsOver4(served.port), false)
  }),

  '0.0.0.0 takes every IPv4 address': async (_t, ctx) => {
    const served = await ctx.serve({ host: '0.0.0.0' })
    const client = await served.connect({ host: '127.0.0.9' })
    await client.ask('a\n')
  },
}
