// Whether a connection is kept after a reply.

import type { Connection } from '../../../lib/handler/contract.js'
import type { Case, Cases } from '../case.js'
import { tick } from '../deadline.js'

async function* pieces(...list: string[]): AsyncGenerator<string> {
  for (const piece of list) {
    await tick()
    yield piece
  }
}

/** One request, this reply, then FIN and the reason 'done'. */
function endsAfter(options: Record<string, unknown>, reply: string): Case {
  return async (t, ctx) => {
    const served = await ctx.serve(options)
    const [client, other] = await served.connectMany(2)
    await client?.ask('a\n', reply)
    await client?.expectEnd('fin')
    client?.finish()
    await served.reachClosed('done')
    t.equal(await served.closed('done'), 1)
    t.equal(other?.departure, undefined, 'the other connection is kept')
  }
}

/** Three requests on one connection, each with this reply. */
function keepsAfter(options: Record<string, unknown>, reply: string): Case {
  return async (t, ctx) => {
    const served = await ctx.serve(options)
    const client = await served.connect()
    for (let i = 0; i < 3; i++) await client.ask('a\n', reply)
    t.equal((await served.stats()).active, 1)
  }
}

export const keepalive: Cases = {
  'a plain reply keeps the connection': keepsAfter({}, 'a\n'),
  '[reply, true] keeps it': keepsAfter({ handleRequest: () => ['r', true] }, 'r'),
  '[reply, false] ends it after the flush': endsAfter({ handleRequest: () => ['r', false] }, 'r'),
  '[undefined, false] ends it without a byte': endsAfter(
    { handleRequest: () => [undefined, false] },
    '',
  ),
  'a promise of [reply, false]': endsAfter({ handleRequest: async () => ['r', false] }, 'r'),
  'a promise of [reply, true]': keepsAfter({ handleRequest: async () => ['r', true] }, 'r'),
  'keepalive false ends after a plain reply': endsAfter({ keepalive: false }, 'a\n'),
  'keepalive false ends after a late reply': endsAfter(
    { keepalive: false, handleRequest: async (r: Buffer) => r },
    'a\n',
  ),
  'keepalive false, [reply, true] keeps it': keepsAfter(
    { keepalive: false, handleRequest: () => ['r', true] },
    'r',
  ),
  'keepalive false ends after a whole stream': endsAfter(
    { keepalive: false, handleRequest: () => pieces('x', 'y', 'z') },
    'xyz',
  ),
  'keepalive false with no handler set up for it but a batch': endsAfter(
    {
      keepalive: false,
      handleBatch: (batch: Iterable<{ reply(r: string): void }>) => {
        for (const request of batch) request.reply('b')
      },
    },
    'b',
  ),
  'a stream keeps it by default': keepsAfter({ handleRequest: () => pieces('x', 'y') }, 'xy'),
  'connection.end() ends it after the reply': endsAfter(
    {
      handleRequest: (r: Buffer, connection: Connection) => {
        connection.end()
        return r
      },
    },
    'a\n',
  ),
  'connection.end(data) sends the data': endsAfter(
    {
      handleRequest: (_r: Buffer, connection: Connection) => {
        connection.end('good bye')
        return undefined
      },
    },
    'good bye',
  ),
  'connection.end() from a late handler': endsAfter(
    {
      handleRequest: async (r: Buffer, connection: Connection) => {
        await tick()
        connection.end()
        return r
      },
    },
    'a\n',
  ),
  'a large last reply is flushed before the end': async (t, ctx) => {
    const size = 8 * 1024 * 1024
    const served = await ctx.serve({ handleRequest: () => [Buffer.alloc(size, 'l'), false] })
    const client = await served.connect({ reading: false })
    client.send('a\n')
    await served.reach((s) => s.requests === 1, 'the request')
    client.read()
    t.equal((await client.rest()).length, size)
    t.equal(client.departure, 'fin')
  },
  'two hundred short connections': async (t, ctx) => {
    const served = await ctx.serve({ keepalive: false })
    const one = async () => {
      const client = await served.connect()
      await client.ask('a\n')
      await client.expectEnd('fin')
      client.finish()
    }
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 20 }, one))
    await served.reachClosed('done', 200)
    await served.reachActive(0)
    t.equal((await served.stats()).accepted, 200)
  },
}
