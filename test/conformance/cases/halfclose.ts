// The end of a connection: FIN from either side, what is unfinished then, and lingering.

import type { Connection } from '../../../lib/handler/contract.js'
import { type Cases, misbehave } from '../case.js'
import { brief, tick, until } from '../deadline.js'

async function* slowly(...list: string[]): AsyncGenerator<string> {
  for (const piece of list) {
    await tick(5)
    yield piece
  }
}

const endsOnBye = (r: Buffer): unknown => (r.includes('bye') ? [r, false] : r)

export const halfclose: Cases = {
  'FIN right behind a request: answered, then FIN': async (_t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    client.finish('last\n')
    await client.expect('last\n')
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'FIN after an answered request': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask('one\n')
    client.finish()
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).active, 0)
    t.equal((await served.stats()).dropped_frames, 0)
  },

  'FIN without a byte': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    client.finish()
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).requests, 0)
  },

  'FIN with an unfinished frame: dropped and counted': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    client.finish('whole\nhalf')
    await client.expect('whole\n')
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).dropped_frames, 1)
    t.equal((await served.stats()).requests, 1)
  },

  'FIN with nothing but an unfinished frame': async (t, ctx) => {
    const served = await ctx.serve({ endRequest: 'length:u32be' })
    const client = await served.connect()
    client.finish('\0\0')
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).dropped_frames, 1)
    t.equal((await served.stats()).requests, 0)
  },

  'FIN while a late answer is due: answered, then FIN': async (_t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      handleRequest: (r: Buffer) =>
        new Promise((resolve) => {
          answer = () => resolve(r)
        }),
    })
    const client = await served.connect()
    client.finish('late\n')
    await until(() => answer !== undefined, 'the request')
    answer?.()
    await client.expect('late\n')
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'FIN while a stream is running: the stream is sent whole': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: () => slowly('a', 'b', 'c', 'd\n') })
    const client = await served.connect()
    client.finish('go\n')
    await client.expect('abcd\n')
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'FIN with output that waits for a slow reader': async (t, ctx) => {
    const size = 12 * 1024 * 1024
    const served = await ctx.serve({ handleRequest: () => Buffer.alloc(size, 'w') })
    const client = await served.connect({ reading: false })
    client.finish('go\n')
    await served.reach((s) => s.requests === 1, 'the request')
    client.read()
    t.equal((await client.rest()).length, size)
    await served.reachClosed('end')
  },

  'a reset after FIN: gone when the answer comes, at the latest': async (t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      handleRequest: (r: Buffer) =>
        new Promise((resolve) => {
          answer = () => resolve(r)
        }),
    })
    const client = await served.connect()
    client.finish('late\n')
    await until(() => answer !== undefined, 'the request')
    client.reset()
    answer?.()
    await served.reachActive(0)
    t.equal(await served.closed('handler_error'), 0)
  },

  'the server’s end comes as FIN and not as a reset': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: endsOnBye })
    const client = await served.connect()
    await client.ask('bye\n')
    await client.expectEnd('fin')
    client.finish()
    await served.reachClosed('done')
  },

  'a peer that stays after the server’s end is closed by linger': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { handleRequest: endsOnBye, lingerIdleTimeout: brief(100) },
      act: async (served) => {
        const client = await served.connect()
        await client.ask('bye\n')
        await client.expectEnd('fin')
      },
      reason: 'linger',
    })
  },

  'a peer that goes on sending after the server’s end: linger_bytes': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { handleRequest: endsOnBye, lingerBytes: 65536 },
      act: async (served) => {
        const client = await served.connect()
        await client.ask('bye\n')
        await client.expectEnd('fin')
        for (let i = 0; i < 64; i++) client.send(Buffer.alloc(65536))
      },
      reason: 'linger',
    })
  },

  'a peer that dribbles after the server’s end: linger_timeout': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        handleRequest: endsOnBye,
        lingerTimeout: brief(300),
        lingerIdleTimeout: '10s',
      },
      act: async (served) => {
        const client = await served.connect()
        await client.ask('bye\n')
        await client.expectEnd('fin')
        while ((await served.closed('linger')) === 0) {
          client.send('.')
          await tick(10)
        }
      },
      reason: 'linger',
    })
  },

  'a reply of 4 MB arrives whole although 300 kB of input are unread': async (t, ctx) => {
    const size = 4 * 1024 * 1024
    const served = await ctx.serve({
      handleRequest: () => [Buffer.alloc(size, 'r'), false],
    })
    for (let i = 0; i < 5; i++) {
      const client = await served.connect()
      client.send('go\n').send(Buffer.alloc(300_000, 'u'))
      const got = await client.rest()
      t.equal(got.length, size)
      t.equal(client.departure, 'fin')
      client.destroy()
    }
    await served.reachClosed('done', 5)
  },

  'requests that come after the server’s end are not handled': async (t, ctx) => {
    const served = await ctx.serve({ handleRequest: endsOnBye })
    const client = await served.connect()
    await client.ask('bye\n')
    await client.expectEnd('fin')
    client.send('too late\n').finish()
    await served.reachClosed('done')
    t.equal((await served.stats()).requests, 1)
  },

  'end() sends what is answered, then FIN': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer, connection: Connection) => {
        connection.end()
        return r
      },
    })
    const client = await served.connect()
    await client.ask('one\n')
    await client.expectEnd('fin')
    client.finish()
    await served.reachClosed('done')
  },

  'both sides end at once': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: endsOnBye })
    const client = await served.connect()
    client.finish('bye\n')
    await client.expect('bye\n')
    await client.expectEnd('fin')
    await served.reach((s) => s.closed.done + s.closed.end === 1, 'one closed by done or end')
  },

  'closing both directions at once is no error': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask('a\n')
    client.destroy()
    await served.reachActive(0)
    const { closed } = await served.stats()
    // Over TLS it leaves without close_notify.
    t.equal(closed.end + closed.reset + closed.tls_truncated, 1)
  },

  'eof: FIN answers, the connection ends by end': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'eof',
      handleRequest: (r: Buffer) => `${r.length}`,
    })
    const client = await served.connect()
    client.finish('12345')
    await client.expect('5')
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },
}
