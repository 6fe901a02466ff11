// Slow and absent readers: what is held is bounded, what is read is exact, nobody else notices.

import type { Connection } from '../../../lib/handler/contract.js'
import { type Cases, misbehave } from '../case.js'
import type { Client } from '../client.js'
import { brief, PATIENCE_MS, PATIENT, tick, until } from '../deadline.js'
import { Unfit } from '../unfit.js'

/** More than loopback socket buffers hold in both directions together. */
const BEYOND_BUFFERS = 24 * 1024 * 1024

const line = (length: number): string => `${'x'.repeat(length - 1)}\n`

/** Sends until the server takes no more: nothing was added to bytes_in for as long as `other` needed for five replies. */
async function stalls(bytesIn: () => Promise<number>, other: () => Promise<void>): Promise<number> {
  let before = -1
  for (let now = await bytesIn(); now !== before; now = await bytesIn()) {
    before = now
    for (let i = 0; i < 5; i++) {
      await other()
      await tick(10)
    }
  }
  return before
}

/** What has a client read until so many bytes are there, and no further than a chunk, however late the test is. */
function reader(client: Client): (bytes: number) => void {
  let wanted: number | undefined
  return (bytes) => {
    const isFirst = wanted === undefined
    wanted = bytes
    client.read()
    // Behind the listener that counts what is there.
    if (isFirst) client.socket.on('data', () => client.pending >= (wanted ?? 0) && client.stop())
  }
}

export const backpressure: Cases = {
  'a client that never reads stops being read': async (t, ctx) => {
    const served = await ctx.serve({ maxPipelined: 0 })
    const began = performance.now()
    const good = await served.connect()
    const bad = await served.connect({ reading: false })
    const flood = Buffer.from(line(1024).repeat(1024))
    for (let sent = 0; sent < 3 * BEYOND_BUFFERS; sent += flood.length) bad.send(flood)
    let asked = 0
    const taken = await stalls(
      async () => (await served.stats()).bytes_in - asked,
      async () => {
        asked += 3
        await good.ask('ok\n')
      },
    )
    t.ok(taken < 2 * BEYOND_BUFFERS, `the server took ${taken} bytes and stopped`)
    // The kernel's own patience with a peer that takes nothing (TCP_USER_TIMEOUT) is 30 s.
    if (performance.now() - began < 25_000)
      t.equal((await served.stats()).active, 2, 'and the connection is kept')
  },

  'what was held back arrives whole once it is read': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect({ reading: false })
    const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${line(4096)}`)
    const text = lines.join('')
    client.send(text)
    await served.reach((s) => s.bytes_in > 0, 'some bytes')
    client.read()
    const got = await client.take(text.length)
    t.ok(got.equals(Buffer.from(text)), 'the same bytes in the same order')
  },

  'a client that reads by fits and starts': async (t, ctx) => {
    const served = await ctx.serve({ outputHighWater: 16384 })
    const client = await served.connect({ reading: false })
    const text = line(1000).repeat(8000)
    client.send(text)
    let got = 0
    while (got < text.length) {
      client.read()
      got += (await client.take(Math.min(500_000, text.length - got))).length
      client.stop()
      await tick()
    }
    t.equal(got, text.length)
  },

  'a reply of 20 MB is sent whole to a reader': async (t, ctx) => {
    const big = Buffer.alloc(20 * 1024 * 1024, '0123456789abcdef')
    const served = await ctx.serve({ handleRequest: () => big })
    const client = await served.connect()
    client.send('go\n')
    const got = await client.take(big.length)
    t.ok(got.equals(big))
    await client.ask('', '')
    t.equal((await served.stats()).active, 1)
  },

  'a reply longer than output_limit is no offence': async (t, ctx) => {
    const big = Buffer.alloc(BEYOND_BUFFERS, 'b')
    const served = await ctx.serve({
      outputLimit: 65536,
      handleRequest: (r: Buffer) => (r.includes('big') ? big : r),
    })
    const [slow, good] = [await served.connect({ reading: false }), await served.connect()]
    slow.send('big\n')
    await served.reach((s) => s.requests === 1, 'the request')
    await good.ask('fine\n')
    slow.read()
    t.ok((await slow.take(big.length)).equals(big))
    await slow.ask('fine\n')
  },

  'write() beyond output_limit closes with output_limit': async (t, ctx) => {
    const piece = Buffer.alloc(1024 * 1024)
    await misbehave(t, ctx, {
      options: {
        outputLimit: 256 * 1024,
        handleRequest: (r: Buffer, connection: Connection) => {
          if (!r.includes('flood')) return r
          for (let i = 0; i < 40 && !connection.isClosed; i++) connection.write(piece)
          return undefined
        },
      },
      act: async (served) => (await served.connect({ reading: false })).send('flood\n'),
      reason: 'output_limit',
    })
  },

  'write() says false above the high-water mark, drained() when it is gone': async (t, ctx) => {
    const piece = Buffer.alloc(65536, 'p')
    const good = Buffer.from('good\n')
    // More than the kernel's buffers take for a client that does not read.
    const pieces = 512
    let written = 0
    let drained = false
    const served = await ctx.serve({
      outputLimit: 64 * 1024 * 1024,
      handleRequest: async (r: Buffer, connection: Connection) => {
        if (r.equals(good)) return r
        while (written < pieces) {
          written++
          if (!connection.write(piece)) await connection.drained()
        }
        drained = true
        return 'end\n'
      },
    })
    const client = await served.connect({ reading: false })
    client.send('go\n')
    await until(() => written > 0, 'written pieces')
    await (await served.connect()).ask('good\n')
    t.notOk(drained, 'not drained while nobody reads')
    client.read()
    await client.take(pieces * piece.length)
    await client.expect('end\n')
    t.ok(drained)
  },

  'drained() settles at once when there is nothing to drain': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async (r: Buffer, connection: Connection) => {
        await connection.drained()
        return r
      },
    })
    const client = await served.connect()
    await client.ask('a\n')
  },

  'drained() settles when the connection is gone': async (_t, ctx) => {
    let settled = 0
    const piece = Buffer.alloc(65536)
    const served = await ctx.serve({
      outputLimit: 64 * 1024 * 1024,
      handleRequest: async (_r: Buffer, connection: Connection) => {
        while (connection.write(piece));
        await connection.drained()
        settled++
      },
    })
    const client = await served.connect({ reading: false })
    client.send('go\n')
    await served.reach((s) => s.requests === 1, 'the request')
    client.reset()
    await until(() => settled === 1, 'settled drained()')
  },

  'pause() stops requests, resume() goes on': async (t, ctx) => {
    const connections: Connection[] = []
    const served = await ctx.serve({
      handleRequest: (r: Buffer, connection: Connection) => {
        if (r.includes('pause')) {
          connection.pause()
          connections.push(connection)
        }
        return r
      },
    })
    const [client, other] = await served.connectMany(2)
    await client?.ask('pause\n')
    client?.send('held\n')
    for (let i = 0; i < 5; i++) await other?.ask('other\n')
    t.equal(client?.pending, 0, 'nothing is answered while paused')
    connections[0]?.resume()
    await client?.expect('held\n')
  },

  'a paused connection is not read without bound': async (t, ctx) => {
    const connections: Connection[] = []
    const served = await ctx.serve({
      opened: (connection: Connection) => {
        if (connections.push(connection) === 1) connection.pause()
      },
    })
    const paused = await served.connect()
    await until(() => connections.length === 1, 'the opened hook')
    const good = await served.connect()
    const flood = line(1024).repeat(8 * 1024)
    paused.send(flood)
    let asked = 0
    const taken = await stalls(
      async () => (await served.stats()).bytes_in - asked,
      async () => {
        asked += 3
        await good.ask('ok\n')
      },
    )
    t.ok(taken < 2 * 1024 * 1024, `${taken} bytes were taken while paused`)
    connections[0]?.resume()
    t.equal((await paused.take(flood.length)).length, flood.length)
  },

  'a paused connection still notices a reset or the server’s close': async (_t, ctx) => {
    const served = await ctx.serve({ opened: (connection: Connection) => connection.pause() })
    await served.connect()
    await served.reachActive(1)
    await served.server.close()
    await served.reachActive(0)
  },

  'one slow reader among fifty': async (_t, ctx) => {
    const served = await ctx.serve()
    const slow = await served.connect({ reading: false })
    slow.send(line(1024).repeat(4096))
    const clients = await served.connectMany(50)
    for (let i = 0; i < 10; i++) await Promise.all(clients.map((client) => client.ask(`${i}\n`)))
    slow.read()
    await slow.take(4096 * 1024)
  },

  'a client that never reads is closed by write_timeout': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        writeTimeout: brief(200),
        handleRequest: (r: Buffer) => (r.includes('big') ? Buffer.alloc(BEYOND_BUFFERS) : r),
      },
      act: async (served) => (await served.connect({ reading: false })).send('big\n'),
      reason: 'write_timeout',
    })
  },

  'output that moves is not closed by write_timeout': async (t, ctx) => {
    // The kernel tells of room when a third of its buffer is free, so progress comes in steps of many reads.
    const served = await ctx.serve({
      writeTimeout: PATIENT,
      handleRequest: () => Buffer.alloc(BEYOND_BUFFERS, 'm'),
    })
    const client = await served.connect({ reading: false })
    client.send('go\n')
    const began = performance.now()
    const readUpTo = reader(client)
    while (performance.now() - began < 1.3 * PATIENCE_MS) {
      readUpTo(client.pending + 512 * 1024)
      await tick(PATIENCE_MS / 20)
    }
    readUpTo(BEYOND_BUFFERS)
    await client.take(BEYOND_BUFFERS)
    t.ok(performance.now() - began > PATIENCE_MS, 'it took longer than the timeout')
    t.equal(await served.closed('write_timeout'), 0)
  },

  'a client that reads less than the kernel tells of is not closed by write_timeout': async (
    t,
    ctx,
  ) => {
    if (ctx.variant.engine === 'portable')
      throw new Unfit('Node does not say what the peer has taken')
    const served = await ctx.serve({
      writeTimeout: PATIENT,
      // Whatever compresses makes it no shorter.
      handleRequest: () =>
        Buffer.from(
          Uint32Array.from({ length: BEYOND_BUFFERS / 4 }, () => Math.random() * 2 ** 32).buffer,
        ),
    })
    const client = await served.connect({ reading: false })
    client.send('go\n')
    const readUpTo = reader(client)
    // In one timeout not a third of the megabytes that the kernel has of it.
    for (let i = 1; i <= 15; i++) {
      readUpTo(client.pending + 64 * 1024)
      await tick(PATIENCE_MS / 10)
    }
    t.equal(client.departure, undefined)
    t.ok(client.pending < BEYOND_BUFFERS / 2, `${client.pending} bytes in one timeout and a half`)
    t.equal(await served.closed('write_timeout'), 0)
  },
}
