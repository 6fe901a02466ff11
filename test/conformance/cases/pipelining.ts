// Many requests in flight on one connection: order and bounds.

import type { Cases } from '../case.js'
import { until } from '../deadline.js'

const lines = (count: number, mark = ''): string =>
  Array.from({ length: count }, (_, i) => `${mark}${i}\n`).join('')

/** A handler whose answers wait until release() is called; tells how many are waiting. */
function gated() {
  const waiting: (() => void)[] = []
  let open = false
  return {
    handleRequest: (request: Buffer): unknown =>
      open ? request : new Promise((resolve) => waiting.push(() => resolve(request))),
    waiting: () => waiting.length,
    release: () => {
      open = true
      for (const go of waiting.splice(0)) go()
    },
  }
}

async function boundedBy(most: number, ctx: Parameters<Cases[string]>[1]): Promise<number> {
  const gate = gated()
  const served = await ctx.serve({ maxPipelined: most, handleRequest: gate.handleRequest })
  const [busy, other] = await served.connectMany(2)
  busy?.send(lines(500))
  await until(() => gate.waiting() >= most, `${most} requests in flight`)
  // The other connection's request comes after the bytes of the first: by then more would have been cut.
  other?.send('probe\n')
  await until(() => gate.waiting() >= most + 1, 'the other connection’s request')
  const waiting = gate.waiting()
  gate.release()
  await busy?.expect(lines(500))
  await other?.expect('probe\n')
  return waiting - 1
}

export const pipelining: Cases = {
  'a thousand requests in one write': async (_t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask(lines(1000))
  },

  'sixteen deep on thirty-two connections': async (t, ctx) => {
    const served = await ctx.serve()
    const clients = await served.connectMany(32)
    for (let round = 0; round < 5; round++) {
      await Promise.all(clients.map((client, i) => client.ask(lines(16, `${i}/${round}/`))))
    }
    t.equal((await served.stats()).requests, 32 * 5 * 16)
  },

  // Several turns of the handler within one of the loop, each with a request that has memory of its own.
  'long requests of which one at a time is in flight': async (_t, ctx) => {
    const served = await ctx.serve({ maxPipelined: 1, outputHighWater: '1m' })
    const client = await served.connect()
    const long = (mark: string) => `${mark}${'.'.repeat(100_000)}\n`
    await client.ask(['a', 'b', 'c', 'd', 'e'].map(long).join(''))
  },

  'requests cut by a small receive size': async (_t, ctx) => {
    const served = await ctx.serve({ recvSize: 512 })
    const client = await served.connect()
    await client.ask(lines(500, 'a request that is cut somewhere '))
  },

  'max_pipelined 1: one in flight, all answered': async (t, ctx) => {
    t.equal(await boundedBy(1, ctx), 1)
  },

  'max_pipelined 5 bounds what is in flight': async (t, ctx) => {
    t.equal(await boundedBy(5, ctx), 5)
  },

  'max_pipelined is 64 by default': async (t, ctx) => {
    t.equal(await boundedBy(64, ctx), 64)
  },

  'max_pipelined 0 is no bound': async (_t, ctx) => {
    const gate = gated()
    const served = await ctx.serve({ maxPipelined: 0, handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.send(lines(1000))
    await until(() => gate.waiting() === 1000, '1000 in flight')
    gate.release()
    await client.expect(lines(1000))
  },

  'max_pipelined is for each connection by itself': async (_t, ctx) => {
    const gate = gated()
    const served = await ctx.serve({ maxPipelined: 3, handleRequest: gate.handleRequest })
    const clients = await served.connectMany(4)
    for (const client of clients) client.send(lines(10))
    await until(() => gate.waiting() === 12, '3 in flight on each of 4 connections')
    gate.release()
    for (const client of clients) await client.expect(lines(10))
  },

  'synchronous answers are not held back by max_pipelined': async (_t, ctx) => {
    const served = await ctx.serve({ maxPipelined: 2 })
    const client = await served.connect()
    await client.ask(lines(2000))
  },

  'requests of two connections do not mix': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (request: Buffer, connection: { remote: { port: number } }) =>
        `${connection.remote.port} ${request}`,
    })
    const clients = await served.connectMany(8)
    await Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < 50; i++) await client.ask(`${i}\n`, `${client.localPort} ${i}\n`)
      }),
    )
  },

  'requests that arrive while the first is being answered': async (_t, ctx) => {
    const gate = gated()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.send('one\n')
    await until(() => gate.waiting() === 1, 'the first request')
    client.send('two\nthree\n')
    await until(() => gate.waiting() === 3, 'the other requests')
    gate.release()
    await client.expect('one\ntwo\nthree\n')
  },

  'a reply in the middle that ends the connection': async (t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => (r.includes('bye') ? [r, false] : r),
    })
    const client = await served.connect()
    client.send('one\nbye\nnever\nanswered\n')
    await client.expect('one\nbye\n')
    await client.expectEnd('fin')
    client.destroy()
    await served.reachClosed('done')
    t.equal((await served.stats()).active, 0)
  },

  'half-close behind a pipeline of late answers': async (_t, ctx) => {
    const gate = gated()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.finish(lines(20))
    await until(() => gate.waiting() === 20, '20 in flight')
    gate.release()
    await client.expect(lines(20))
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'half-close behind more than max_pipelined': async (_t, ctx) => {
    const gate = gated()
    const served = await ctx.serve({ maxPipelined: 4, handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.finish(lines(100))
    await until(() => gate.waiting() === 4, '4 in flight')
    gate.release()
    await client.expect(lines(100))
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'in_flight levels out at nothing': async (t, ctx) => {
    const served = await ctx.serve({ handleRequest: async (request: Buffer) => request })
    const client = await served.connect()
    await client.ask(lines(300))
    const { requests, replies } = await served.stats()
    t.equal(requests, 300)
    t.equal(replies, 300)
  },
}
