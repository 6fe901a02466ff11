// Starting and stopping: what close() does to idle, busy and stuck connections, and what is left behind.

import { readdirSync } from 'node:fs'
import type { Connection } from '../../../lib/handler/contract.js'
import type { Cases } from '../case.js'
import { Client } from '../client.js'
import { brief, tick, until, within } from '../deadline.js'

/** Open sockets and rings of this process; other cases of this process make the number move. */
function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

const refuses = async (port: number): Promise<boolean> => {
  try {
    ;(await Client.connect(port)).destroy()
    return false
  } catch {
    return true
  }
}

export const shutdown: Cases = {
  'close() ends idle connections and takes no new ones': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask('a\n')
    await served.server.close()
    await client.expectEnd()
    t.equal((await served.stats()).active, 0)
    t.ok(await refuses(served.port))
  },

  'close() ends a hundred idle connections at once': async (t, ctx) => {
    const served = await ctx.serve({ shutdownGrace: '5m' })
    const clients = await served.connectMany(100)
    await served.reachActive(100)
    const began = performance.now()
    await served.server.close()
    t.ok(performance.now() - began < 60_000, 'without waiting for the grace of 5 min')
    for (const client of clients) await client.expectEnd()
    t.equal((await served.stats()).active, 0)
  },

  'close() lets what is in flight finish': async (_t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      shutdownGrace: '10s',
      handleRequest: (r: Buffer) =>
        new Promise((resolve) => {
          answer = () => resolve(r)
        }),
    })
    const client = await served.connect()
    client.send('a\n')
    await until(() => answer !== undefined, 'the request')
    const closing = served.server.close()
    answer?.()
    await client.expect('a\n')
    await client.expectEnd('fin')
    client.finish()
    await within(Promise.resolve(closing), 'closed server')
  },

  'close() lets a stream finish': async (_t, ctx) => {
    let go: (() => void) | undefined
    const served = await ctx.serve({
      shutdownGrace: '10s',
      handleRequest: async function* () {
        yield 'one '
        await new Promise<void>((resolve) => {
          go = resolve
        })
        yield 'two\n'
      },
    })
    const client = await served.connect()
    await client.ask('a\n', 'one ')
    await until(() => go !== undefined, 'the generator at its gate')
    const closing = served.server.close()
    go?.()
    await client.expect('two\n')
    await client.expectEnd('fin')
    client.finish()
    await within(Promise.resolve(closing), 'closed server')
  },

  'what outlasts the grace is closed by shutdown': async (t, ctx) => {
    const served = await ctx.serve({
      shutdownGrace: brief(150),
      handleRequest: () => new Promise(() => {}),
    })
    const client = await served.connect()
    client.send('a\n')
    await served.reach((s) => s.requests === 1, 'the request')
    await within(Promise.resolve(served.server.close()), 'closed server')
    await client.expectEnd()
    t.equal(await served.closed('shutdown'), 1)
    t.equal((await served.stats()).active, 0)
  },

  'a client that never reads does not outlast the grace': async (t, ctx) => {
    const served = await ctx.serve({
      shutdownGrace: brief(150),
      handleRequest: () => Buffer.alloc(24 * 1024 * 1024),
    })
    const client = await served.connect({ reading: false })
    client.send('a\n')
    await served.reach((s) => s.requests === 1, 'the request')
    await within(Promise.resolve(served.server.close()), 'closed server')
    t.equal((await served.stats()).active, 0)
  },

  'a client with half a frame does not outlast the grace': async (t, ctx) => {
    const served = await ctx.serve({ shutdownGrace: brief(150) })
    const client = await served.connect()
    client.send('half')
    await served.reach((s) => s.bytes_in === 4, 'the bytes')
    await within(Promise.resolve(served.server.close()), 'closed server')
    t.equal((await served.stats()).active, 0)
  },

  'a client that lingers does not outlast the grace': async (t, ctx) => {
    const served = await ctx.serve({ shutdownGrace: brief(150), keepalive: false })
    const client = await served.connect()
    await client.ask('a\n')
    await client.expectEnd('fin')
    await within(Promise.resolve(served.server.close()), 'closed server')
    t.equal((await served.stats()).active, 0)
  },

  'close() twice': async (_t, ctx) => {
    const served = await ctx.serve()
    await Promise.all([served.server.close(), served.server.close()])
    await served.server.close()
  },

  'close() before serve()': async (_t, ctx) => {
    const served = ctx.make()
    await served.server.close()
  },

  'serve() again while it serves is the same server': async (t, ctx) => {
    const served = await ctx.serve()
    t.same(await served.server.serve(), served.addresses)
    await (await served.connect()).ask('a\n')
  },

  'serve() after close() is refused': async (t, ctx) => {
    const served = await ctx.serve()
    await served.server.close()
    await t.rejects(served.server.serve(), { code: 'ERR_GAIDAROS_STATE' })
  },

  'closed settles when the server has closed': async (t, ctx) => {
    const served = await ctx.serve()
    let settled = false
    const closed = served.server.closed.then(() => {
      settled = true
    })
    await (await served.connect()).ask('a\n')
    t.notOk(settled)
    await served.server.close()
    await within(closed, 'settled closed')
  },

  'close() from inside a handler': async (t, ctx) => {
    const stop = { now: () => {} }
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => {
        if (r.includes('stop')) stop.now()
        return r
      },
    })
    stop.now = () => void served.server.close()
    const [client, idle] = await served.connectMany(2)
    await idle?.ask('a\n')
    await client?.ask('stop\n')
    await client?.expectEnd()
    await idle?.expectEnd()
    await within(served.server.closed, 'closed server')
    t.equal((await served.stats()).active, 0)
  },

  'close() from inside the opened hook': async (t, ctx) => {
    const stop = { now: () => {} }
    const served = await ctx.serve({ opened: () => stop.now() })
    stop.now = () => void served.server.close()
    const client = await served.connect()
    await client.expectEnd()
    await within(served.server.closed, 'closed server')
    t.equal((await served.stats()).active, 0)
  },

  'close() while connections arrive': async (t, ctx) => {
    const served = await ctx.serve()
    const arriving = Array.from({ length: 50 }, async () => {
      try {
        const client = await served.connect()
        client.finish('a\n')
        await client.rest()
      } catch {
        // Refused: the listener was closed before.
      }
    })
    await served.reach((s) => s.accepted > 0, 'a first connection')
    await served.server.close()
    await Promise.all(arriving)
    t.equal((await served.stats()).active, 0)
  },

  'close() under load': async (t, ctx) => {
    const served = await ctx.serve({ shutdownGrace: '2s' })
    const clients = await served.connectMany(20)
    const flood = 'x\n'.repeat(1000)
    for (const client of clients) client.send(flood)
    await served.reach((s) => s.requests > 100, 'some requests')
    await within(Promise.resolve(served.server.close()), 'closed server')
    for (const client of clients) {
      const rest = await client.rest()
      t.ok(
        rest.length % 2 === 0 && rest.length <= flood.length,
        'whole replies, or a cut at the end',
      )
    }
  },

  'await using closes': async (t, ctx) => {
    const served = ctx.make()
    {
      await using _server = served.server
      await served.listen()
      await (await served.connect()).ask('a\n')
    }
    t.equal((await served.stats()).active, 0)
    t.ok(await refuses(served.port))
  },

  'handle() serves one request, then stops': async (t, ctx) => {
    const served = ctx.make()
    const handled = Promise.resolve(served.server.handle())
    await until(() => served.server.addresses.length > 0, 'the listening server')
    served.addresses = [...served.server.addresses]
    const client = await served.connect()
    await client.ask('only\n')
    await within(handled, 'the end of handle()')
    await within(served.server.closed, 'closed server')
    t.equal((await served.stats()).requests, 1)
  },

  'two servers of one process, each as quick as one': async (t, ctx) => {
    const options = { handleRequest: () => `${'x'.repeat(100_000)}\n` }
    const both = [await ctx.serve(options), await ctx.serve(options)]
    const asking = both.map(async (served) => {
      const client = await served.connect()
      for (let i = 0; i < 100; i++) {
        client.send('a\n')
        await client.take(100_001)
      }
    })
    // Who only hears of the other's events, or of timers, takes a second for each.
    await within(Promise.all(asking), 'two hundred answers')
    t.equal((await both[1]?.stats())?.requests, 100)
  },

  'a hundred servers made and closed leave no descriptor': async (t, ctx) => {
    const before = descriptors()
    for (let i = 0; i < 100; i++) {
      const served = ctx.make()
      await served.listen()
      if (i % 10 === 0) {
        const client = await served.connect()
        await client.ask('a\n')
        client.destroy()
      }
      await served.server.close()
    }
    // Other cases run beside this one and hold descriptors of their own: a leak of one a server shows all the same.
    await until(() => descriptors() < before + 90, 'descriptors of before')
    t.ok(true)
  },

  'a connection object outlives its server': async (t, ctx) => {
    let connection: Connection | undefined
    const served = await ctx.serve({
      opened: (c: Connection) => {
        connection = c
      },
    })
    const client = await served.connect()
    await client.ask('a\n')
    await served.server.close()
    await tick()
    t.equal(connection?.isClosed, true)
    t.equal(connection?.write('late'), false)
    connection?.close()
  },
}
