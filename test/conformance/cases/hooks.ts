// The connection object and the hooks opened and closed.

import type { CloseReason } from '../../../lib/engine/reasons.js'
import type { Connection } from '../../../lib/handler/contract.js'
import type { Case, Cases } from '../case.js'
import { brief, until } from '../deadline.js'

/** A server that keeps its connection objects and what the closed hook was told. */
function watched() {
  const opened: Connection[] = []
  const closed: [Connection, CloseReason][] = []
  return {
    opened,
    closed,
    hooks: {
      opened: (connection: Connection) => void opened.push(connection),
      closed: (connection: Connection, reason: CloseReason) =>
        void closed.push([connection, reason]),
    },
  }
}

/** The closed hook is told this reason when the client does that. */
function toldOf(
  reason: CloseReason,
  act: (client: Awaited<ReturnType<import('../served.js').Served['connect']>>) => Promise<unknown>,
  options: Record<string, unknown> = {},
): Case {
  return async (t, ctx) => {
    const { closed, opened, hooks } = watched()
    const served = await ctx.serve({ ...hooks, ...options })
    const client = await served.connect()
    await act(client)
    await until(() => closed.length === 1, 'the closed hook')
    t.equal(closed[0]?.[1], reason)
    t.equal(closed[0]?.[0], opened[0], 'with the object that opened was given')
    t.equal(opened[0]?.isClosed, true)
    t.equal(opened[0]?.signal.aborted, true)
  }
}

/** The handler answers with what it is told about its connection. */
const tells = (tell: (connection: Connection) => unknown) => ({
  handleRequest: (_r: Buffer, connection: Connection) => `${tell(connection)}\n`,
})

export const hooks: Cases = {
  'opened is called before the first request': async (t, ctx) => {
    const calls: string[] = []
    const served = await ctx.serve({
      opened: () => void calls.push('opened'),
      handleRequest: (r: Buffer) => {
        calls.push('request')
        return r
      },
    })
    const client = await served.connect()
    await client.ask('a\nb\n')
    t.same(calls, ['opened', 'request', 'request'])
  },

  'opened may send a greeting': async (_t, ctx) => {
    const served = await ctx.serve({ opened: (c: Connection) => void c.write('220 ready\r\n') })
    const client = await served.connect()
    await client.expect('220 ready\r\n')
    await client.ask('a\n')
  },

  'opened may close': async (_t, ctx) => {
    const served = await ctx.serve({ opened: (c: Connection) => c.close() })
    const client = await served.connect()
    await client.expectEnd()
    await served.reachClosed('closed')
  },

  'opened may end with a message': async (_t, ctx) => {
    const served = await ctx.serve({ opened: (c: Connection) => c.end('go away\n') })
    const client = await served.connect()
    await client.expect('go away\n')
    await client.expectEnd('fin')
    client.finish()
    await served.reachClosed('done')
  },

  'opened and closed are called once for each of a hundred': async (t, ctx) => {
    const { opened, closed, hooks } = watched()
    const served = await ctx.serve(hooks)
    const clients = await served.connectMany(100)
    await until(() => opened.length === 100, '100 opened hooks')
    for (const [i, client] of clients.entries()) i % 2 ? client.finish() : client.reset()
    await until(() => closed.length === 100, '100 closed hooks')
    t.equal(new Set(opened.map((c) => c.id)).size, 100, 'all ids differ')
    t.equal(new Set(closed.map(([c]) => c)).size, 100)
  },

  'closed is told end': toldOf('end', async (client) => client.finish()),
  'closed is told reset': toldOf('reset', async (client) => {
    await client.ask('a\n')
    client.reset()
  }),
  'closed is told done': toldOf(
    'done',
    async (client) => {
      await client.ask('a\n')
      await client.expectEnd()
      client.finish()
    },
    { keepalive: false },
  ),
  'closed is told closed': toldOf('closed', async (client) => client.send('a\n'), {
    handleRequest: (_r: Buffer, connection: Connection) => connection.close(),
  }),
  'closed is told handler_error': toldOf('handler_error', async (client) => client.send('a\n'), {
    handleRequest: () => {
      throw new Error('for the closed hook')
    },
  }),
  'closed is told frame_size': toldOf(
    'frame_size',
    async (client) => client.send('x'.repeat(100)),
    {
      maxFrameSize: 10,
    },
  ),
  'closed is told idle_timeout': toldOf('idle_timeout', async (client) => client.ask('a\n'), {
    idleTimeout: brief(80),
  }),

  'closed is told shutdown or done when the server closes': async (t, ctx) => {
    const { closed, hooks } = watched()
    const served = await ctx.serve(hooks)
    const client = await served.connect()
    await client.ask('a\n')
    await served.server.close()
    t.equal(closed.length, 1, 'before close() settles')
    t.match(closed[0]?.[1], /^(shutdown|done)$/)
  },

  'the object is the same for all requests of a connection': async (t, ctx) => {
    const seen = new Set<Connection>()
    const served = await ctx.serve({
      handleRequest: (r: Buffer, connection: Connection) => {
        seen.add(connection)
        return r
      },
    })
    const client = await served.connect()
    await client.ask('a\nb\n')
    await client.ask('c\n')
    t.equal(seen.size, 1)
  },

  'data is the handler’s own, for each connection': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (_r: Buffer, connection: Connection) => {
        connection.data = ((connection.data as number | undefined) ?? 0) + 1
        return `${connection.data};`
      },
    })
    const [one, two] = await served.connectMany(2)
    await one?.ask('a\nb\nc\n', '1;2;3;')
    await two?.ask('a\n', '1;')
    await one?.ask('d\n', '4;')
  },

  'remote is the client’s address': async (_t, ctx) => {
    const served = await ctx.serve(
      tells(({ remote }) => `${remote.address} ${remote.family} ${remote.port}`),
    )
    // IPv6 has one address of its own.
    const [localAddress, family] = served.host === '::1' ? ['::1', 'IPv6'] : ['127.0.0.3', 'IPv4']
    const client = await served.connect({ localAddress })
    await client.ask('a\n', `${localAddress} ${family} ${client.localPort}\n`)
  },

  'local is the server’s address': async (_t, ctx) => {
    const served = await ctx.serve(
      tells(({ local, protocol }) => `${local.address} ${local.family} ${local.port} ${protocol}`),
    )
    const client = await served.connect()
    const family = served.host === '::1' ? 'IPv6' : 'IPv4'
    await client.ask('a\n', `${served.host} ${family} ${served.port} TCP\n`)
  },

  'bytesIn, bytesOut and requests count': async (t, ctx) => {
    const { opened, hooks } = watched()
    const served = await ctx.serve(hooks)
    const client = await served.connect()
    for (let i = 0; i < 5; i++) await client.ask('12345\n')
    await until(() => opened[0]?.bytesOut === 30, '30 bytes out')
    t.equal(opened[0]?.bytesIn, 30)
    t.equal(opened[0]?.requests, 5)
  },

  'the counts are still there in the closed hook': async (t, ctx) => {
    const counts: number[] = []
    const served = await ctx.serve({
      closed: (c: Connection) => void counts.push(c.bytesIn, c.bytesOut, c.requests, c.remote.port),
    })
    const client = await served.connect()
    const { localPort } = client
    await client.ask('abc\n')
    client.finish()
    await until(() => counts.length > 0, 'the closed hook')
    t.same(counts, [4, 4, 1, localPort])
  },

  'write() sends strings and bytes outside of any request': async (_t, ctx) => {
    const { opened, hooks } = watched()
    const served = await ctx.serve(hooks)
    const client = await served.connect()
    await until(() => opened.length === 1, 'the opened hook')
    opened[0]?.write('text ')
    opened[0]?.write(Uint8Array.of(98, 121, 116, 101, 115))
    opened[0]?.write(Buffer.from(' buffer'))
    await client.expect('text bytes buffer')
  },

  'write() from a timer to many connections': async (_t, ctx) => {
    const { opened, hooks } = watched()
    const served = await ctx.serve(hooks)
    const clients = await served.connectMany(30)
    await until(() => opened.length === 30, '30 opened hooks')
    setImmediate(() => {
      for (const connection of opened) connection.write('news\n')
    })
    for (const client of clients) await client.expect('news\n')
  },

  'writes before the reply of the same request come first': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (_r: Buffer, connection: Connection) => {
        connection.write('1')
        connection.write('2')
        return '3\n'
      },
    })
    const client = await served.connect()
    await client.ask('a\n', '123\n')
    await client.ask('a\n', '123\n')
  },

  'after the connection is gone nothing throws': async (t, ctx) => {
    const { opened, closed, hooks } = watched()
    const served = await ctx.serve(hooks)
    const client = await served.connect()
    await client.ask('abc\n')
    client.reset()
    await until(() => closed.length === 1, 'the closed hook')
    const connection = opened[0] as Connection
    t.equal(connection.write('late'), false)
    connection.pause()
    connection.resume()
    connection.end('late')
    connection.close()
    await connection.drained()
    t.equal(connection.isClosed, true)
    t.equal(connection.bytesIn, 4, 'and it still knows what it counted')
    t.equal(connection.remote.address, served.told)
  },

  'close() in the handler drops its reply and the requests behind it': async (t, ctx) => {
    let handled = 0
    const served = await ctx.serve({
      handleRequest: (r: Buffer, connection: Connection) => {
        handled++
        connection.close()
        return r
      },
    })
    const client = await served.connect()
    client.send('a\nb\nc\n')
    await client.expectEnd()
    await served.reachClosed('closed')
    t.equal(handled, 1)
  },

  'close() twice, end() then close()': async (t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (_r: Buffer, connection: Connection) => {
        connection.end()
        connection.close()
        connection.close()
      },
    })
    const client = await served.connect()
    client.send('a\n')
    await client.expectEnd()
    await served.reachActive(0)
    const { closed } = await served.stats()
    t.equal(closed.closed + closed.done, 1)
  },

  'the signal is aborted by the peer’s leaving, not before': async (t, ctx) => {
    const { opened, hooks } = watched()
    const served = await ctx.serve(hooks)
    const client = await served.connect()
    await client.ask('a\n')
    const signal = opened[0]?.signal
    t.equal(signal?.aborted, false)
    client.destroy()
    await until(() => signal?.aborted === true, 'the aborted signal')
  },

  'ids are not used again': async (t, ctx) => {
    const ids: string[] = []
    const served = await ctx.serve({ opened: (c: Connection) => void ids.push(c.id) })
    for (let i = 0; i < 50; i++) {
      const client = await served.connect()
      await until(() => ids.length === i + 1, `opened hook ${i + 1}`)
      client.reset()
    }
    t.equal(new Set(ids).size, 50)
  },
}
