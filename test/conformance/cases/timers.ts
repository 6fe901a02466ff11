// Timers and limits: each closes with its own reason, spares who keeps to it, and is off at 0.

import { type Cases, type Context, misbehave } from '../case.js'
import { brief, PATIENCE_MS, PATIENT, tick, until } from '../deadline.js'
import type { Served } from '../served.js'

/**
 * A server with `option` off beside one that has it at 100 ms: when the second has closed its connection,
 * and once more, the first still serves.
 */
async function isOffAtZero(ctx: Context, option: string, start: (s: Served) => Promise<unknown>) {
  const [off, on] = await Promise.all([
    ctx.serve({ [option]: 0 }),
    ctx.serve({ [option]: brief(100) }),
  ])
  await start(off)
  for (let i = 1; i <= 2; i++) {
    const before = (await on.stats()).accepted - (await on.stats()).active
    await start(on)
    await on.reach((s) => s.accepted - s.active === before + 1, `${option} on the other server`)
  }
  if ((await off.stats()).active !== 1) throw new Error(`${option} 0 closed the connection`)
}

/** It may have been closed by the time that anybody looks. */
const connect = async (served: Served) => {
  const { accepted } = await served.stats()
  const client = await served.connect()
  await served.reach((s) => s.accepted > accepted, 'an accepted connection')
  return client
}

const begin = async (served: Served) => (await served.connect()).write('half a fra')

const askOnce = async (served: Served) => (await served.connect()).ask('a\n')

export const timers: Cases = {
  'first_byte_timeout: a client that says nothing': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { firstByteTimeout: PATIENT },
      act: connect,
      reason: 'first_byte_timeout',
    })
  },

  'first_byte_timeout: not once a byte has come': async (t, ctx) => {
    const served = await ctx.serve({ firstByteTimeout: PATIENT })
    const slow = await served.connect()
    slow.send('a')
    const silent = await served.connect()
    await silent.expectEnd()
    const again = await served.connect()
    await again.expectEnd()
    await slow.ask('\n', 'a\n')
    t.equal(await served.closed('first_byte_timeout'), 2)
  },

  'first_byte_timeout 0 is off': (_t, ctx) => isOffAtZero(ctx, 'firstByteTimeout', connect),

  'frame_timeout: a frame that never ends': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { frameTimeout: brief(150) },
      act: begin,
      reason: 'frame_timeout',
    })
  },

  'frame_timeout is absolute: bytes that dribble do not help': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { frameTimeout: brief(200) },
      act: async (served) => {
        const client = await served.connect()
        while (client.departure === undefined) {
          client.send('x')
          await tick(10)
        }
      },
      reason: 'frame_timeout',
    })
  },

  'frame_timeout: a length prefix whose payload never comes': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { frameTimeout: brief(150), endRequest: 'length:u32be' },
      act: async (served) => (await served.connect()).send('\0\0\0\x05ab'),
      reason: 'frame_timeout',
      ask: ['\0\0\0\x01a', '\0\0\0\x01a'],
    })
  },

  'frame_timeout: not between frames': async (t, ctx) => {
    const served = await ctx.serve({ frameTimeout: brief(100) })
    const idle = await served.connect()
    await idle.ask('whole\n')
    for (let i = 0; i < 2; i++) {
      const stuck = await served.connect()
      await stuck.send('half').expectEnd()
    }
    await idle.ask('whole\n')
    t.equal(await served.closed('frame_timeout'), 2)
  },

  'frame_timeout begins anew with each frame': async (t, ctx) => {
    const served = await ctx.serve({ frameTimeout: PATIENT })
    const client = await served.connect()
    const began = performance.now()
    while (performance.now() - began < 1.2 * PATIENCE_MS) {
      client.send('ha')
      await tick(5)
      await client.ask('lf\n', 'half\n')
    }
    t.equal(await served.closed('frame_timeout'), 0)
  },

  'frame_timeout 0 is off': (_t, ctx) => isOffAtZero(ctx, 'frameTimeout', begin),

  'idle_timeout: nothing after an answered request': async (t, ctx) => {
    const served = await ctx.serve({ idleTimeout: brief(300) })
    const client = await served.connect()
    await client.ask('a\n')
    await client.expectEnd()
    await served.reachClosed('idle_timeout')
    t.equal((await served.stats()).active, 0)
  },

  'idle_timeout: activity puts it off': async (t, ctx) => {
    const served = await ctx.serve({ idleTimeout: PATIENT })
    const [busy, idle] = await served.connectMany(2)
    await idle?.ask('a\n')
    while (idle?.departure === undefined) {
      await busy?.ask('a\n')
      await tick(5)
    }
    await busy?.ask('a\n')
    t.equal(await served.closed('idle_timeout'), 1)
  },

  'idle_timeout: not while a handler is working': async (_t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      idleTimeout: brief(100),
      handleRequest: (r: Buffer) =>
        r.includes('wait') ? new Promise((resolve) => (answer = () => resolve(r))) : r,
    })
    const waiting = await served.connect()
    waiting.send('wait\n')
    for (let i = 0; i < 2; i++) {
      const idle = await served.connect()
      await idle.ask('a\n')
      await idle.expectEnd()
    }
    answer?.()
    await waiting.expect('wait\n')
  },

  'idle_timeout is not logged as a fault': async (t, ctx) => {
    const served = await ctx.serve({ idleTimeout: brief(80) })
    const client = await served.connect()
    await client.ask('a\n')
    await client.expectEnd()
    await served.reachClosed('idle_timeout')
    t.notOk(
      served.lines.some((line) => /idle_timeout/.test(line)),
      'no line about it',
    )
  },

  'idle_timeout 0 is off': (_t, ctx) => isOffAtZero(ctx, 'idleTimeout', askOnce),

  'handler_timeout 0 is off': (_t, ctx) => {
    const handleRequest = (): Promise<never> => new Promise(() => {})
    const make = (served: Served) => served.connect().then((client) => client.write('a\n'))
    const context = { serve: (o: object) => ctx.serve({ ...o, handleRequest }) } as Context
    return isOffAtZero(context, 'handlerTimeout', make)
  },

  'each timer counts by itself': async (t, ctx) => {
    const served = await ctx.serve({
      firstByteTimeout: PATIENT,
      frameTimeout: brief(100),
      idleTimeout: brief(200),
    })
    await connect(served)
    await begin(served)
    await askOnce(served)
    // The silent one's is the longest: whose first byte it waits for is not idle.
    for (const reason of ['first_byte_timeout', 'frame_timeout', 'idle_timeout'] as const) {
      await served.reachClosed(reason)
    }
    const { closed } = await served.stats()
    t.equal(closed.first_byte_timeout, 1)
    t.equal(closed.frame_timeout, 1)
    t.equal(closed.idle_timeout, 1)
  },

  'a hundred silent clients are closed, one that talks is not': async (t, ctx) => {
    const served = await ctx.serve({ firstByteTimeout: PATIENT })
    const good = await served.connect()
    await good.ask('fine\n')
    const silent = await served.connectMany(100)
    await served.reachClosed('first_byte_timeout', 100)
    for (const client of silent) await client.expectEnd()
    await good.ask('fine\n')
    t.equal((await served.stats()).active, 1)
  },

  'max_frame_size: a line without end': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { maxFrameSize: 1000 },
      act: async (served) => (await served.connect()).send('x'.repeat(1001)),
      reason: 'frame_size',
    })
  },

  'max_frame_size: a whole line that is one byte too long': async (t, ctx) => {
    const served = await misbehave(t, ctx, {
      options: { maxFrameSize: 1000 },
      act: async (s) => (await s.connect()).send(`${'x'.repeat(1000)}\n`),
      reason: 'frame_size',
    })
    t.equal((await served.stats()).requests, 2, 'it was not handed up')
  },

  'max_frame_size: a length prefix that announces too much, refused at once': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { maxFrameSize: 1000, endRequest: 'length:u32be' },
      act: async (served) => (await served.connect()).send('\x7f\xff\xff\xff'),
      reason: 'frame_size',
      ask: ['\0\0\0\x01a', '\0\0\0\x01a'],
    })
  },

  'max_frame_size: a varint that announces too much': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { maxFrameSize: 1000, endRequest: 'varint' },
      act: async (served) => (await served.connect()).send(Uint8Array.of(0xff, 0xff, 0x7f)),
      reason: 'frame_size',
      ask: ['\x01a', '\x01a'],
    })
  },

  'max_frame_size: eof input without end': async (t, ctx) => {
    const served = await ctx.serve({ maxFrameSize: 100_000, endRequest: 'eof' })
    const client = await served.connect()
    client.send(Buffer.alloc(200_000))
    await client.expectEnd()
    await served.reachClosed('frame_size')
    await served.logged(/frame_size/)
    t.equal((await served.stats()).requests, 0)
  },

  'max_frame_size: the default is 1 MiB': async (t, ctx) => {
    await misbehave(t, ctx, {
      act: async (served) => {
        const client = await served.connect()
        const longest = Buffer.alloc(1024 * 1024, 'l')
        longest[longest.length - 1] = 10
        await client.ask(longest)
        client.send(Buffer.alloc(1024 * 1024 + 1, 'l'))
      },
      reason: 'frame_size',
    })
  },

  'max_frame_size: requests before the long one are answered or the connection just ends': async (
    t,
    ctx,
  ) => {
    const served = await ctx.serve({ maxFrameSize: 100 })
    const client = await served.connect()
    const got = (await client.send(`a\nb\n${'x'.repeat(300)}`).rest()).toString()
    t.ok('a\nb\n'.startsWith(got), `got ${JSON.stringify(got)}`)
    await served.reachClosed('frame_size')
  },

  'a varint that never ends closes with frame_error': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { endRequest: 'varint', maxFrameSize: 0 },
      act: async (served) => (await served.connect()).send(Buffer.alloc(12, 0xff)),
      reason: 'frame_error',
      ask: ['\x01a', '\x01a'],
    })
  },

  'a varint that is not in its shortest form closes with frame_error': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { endRequest: 'varint' },
      act: async (served) => (await served.connect()).send(Uint8Array.of(0x81, 0)),
      reason: 'frame_error',
      ask: ['\x01a', '\x01a'],
    })
  },

  'an inclusive length below its own header closes with frame_error': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { endRequest: 'length:u32be,inclusive' },
      act: async (served) => (await served.connect()).send('\0\0\0\x01'),
      reason: 'frame_error',
      ask: ['\0\0\0\x05a', '\0\0\0\x05a'],
    })
  },

  'a length that adjusts below zero closes with frame_error': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { endRequest: 'length:u8,adjust=-10' },
      act: async (served) => (await served.connect()).send('\x02'),
      reason: 'frame_error',
      ask: ['\x0ba', '\x0ba'],
    })
  },

  'max_connections: what is beyond waits or is refused, and gets in when one leaves': async (
    t,
    ctx,
  ) => {
    const served = await ctx.serve({ maxConnections: 2 })
    const [one, two] = await served.connectMany(2)
    await one?.ask('a\n')
    await two?.ask('a\n')
    const extra = await served.connect()
    extra.send('late\n')
    for (let i = 0; i < 5; i++) await two?.ask('a\n')
    t.ok((await served.stats()).active <= 2, 'never more than two')
    t.equal(extra.pending, 0, 'the third is not served')
    one?.finish()
    await one?.expectEnd()
    await until(
      () => extra.departure !== undefined || extra.pending === 5,
      'the third connection is served or was closed',
    )
    const { closed, accept_paused_limit: paused } = await served.stats()
    t.ok(closed.max_connections + paused > 0, 'and it was counted')
  },

  'max_connections: many more than fit, each is served in the end': async (t, ctx) => {
    const served = await ctx.serve({ maxConnections: 4 })
    let answered = 0
    const one = async () => {
      const client = await served.connect()
      client.finish('a\n')
      const rest = await client.rest()
      if (rest.toString() === 'a\n') answered++
    }
    await Promise.all(Array.from({ length: 40 }, one))
    await served.reachActive(0)
    t.equal(answered + (await served.closed('max_connections')), 40)
    t.ok(answered >= 4, `${answered} were served`)
  },

  'max_connections_per_ip closes the one too many from an address': async (t, ctx) => {
    const served = await ctx.serve({ maxConnectionsPerIp: 2 })
    const [one, two] = await served.connectMany(2)
    await one?.ask('a\n')
    await two?.ask('a\n')
    const third = await served.connect()
    await third.expectEnd()
    await served.reachClosed('max_connections_per_ip')
    await served.logged(/max_connections_per_ip/)
    const elsewhere = await served.connect({ localAddress: '127.0.0.2' })
    await elsewhere.ask('b\n')
    one?.finish()
    await one?.expectEnd()
    await served.reachActive(2)
    const again = await served.connect()
    await again.ask('c\n')
    t.equal(await served.closed('max_connections_per_ip'), 1)
  },
}
