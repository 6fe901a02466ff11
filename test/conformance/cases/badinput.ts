// Bad peers: resets in every state, garbage, slow ones, many at once. Each has one outcome, nobody else notices.

import { randomBytes } from 'node:crypto'
import type { Connection } from '../../../lib/handler/contract.js'
import { type Case, type Cases, misbehave } from '../case.js'
import { Client } from '../client.js'
import { brief, PATIENT, tick, until } from '../deadline.js'
import type { Served } from '../served.js'

const BEYOND_BUFFERS = 24 * 1024 * 1024

/** A handler for every state that a reset may meet, and the connections that it paused. */
function states() {
  const paused: Connection[] = []
  const handleRequest = (r: Buffer, connection: Connection): unknown => {
    const name = r.toString().trim()
    if (name === 'pending') return new Promise(() => {})
    if (name === 'big') return Buffer.alloc(BEYOND_BUFFERS)
    if (name === 'bye') return [r, false]
    if (name === 'pause') {
      connection.pause()
      paused.push(connection)
    }
    if (name === 'stream') {
      return (async function* () {
        for (;;) {
          yield 'piece'
          await tick()
        }
      })()
    }
    return r
  }
  return { paused, handleRequest }
}

/**
 * Brings a connection into a state, then resets it; what is counted may depend on the state. An engine may
 * notice that a paused connection is gone when it is resumed.
 */
function resetWhile(arrive: (client: Client, served: Served) => Promise<unknown>): Case {
  return async (t, ctx) => {
    const { paused, handleRequest } = states()
    const served = await ctx.serve({ handleRequest })
    const good = await served.connect()
    await good.ask('fine\n')
    const client = await served.connect()
    await served.reach((s) => s.accepted === 2, 'the accepted connection')
    await arrive(client, served)
    client.reset()
    for (const connection of paused) connection.resume()
    await served.reachActive(1)
    const { closed } = await served.stats()
    t.equal(closed.reset + closed.io_error + closed.done + closed.end, 1, JSON.stringify(closed))
    await good.ask('fine\n')
    t.notOk(
      served.lines.some((line) => /handler_error/.test(line)),
      'it is no error of the handler',
    )
  }
}

/** A client sends `count` kilobytes of random bytes to a framer; the server goes on, whatever they mean to it. */
function garbage(framer: string, ask: [string, string?]): Case {
  return async (t, ctx) => {
    const served = await ctx.serve({ endRequest: framer, handleRequest: (r: Buffer) => r })
    const good = await served.connect()
    await good.ask(...ask)
    const bad = await served.connectMany(8)
    for (const client of bad) client.send(randomBytes(256 * 1024))
    for (const client of bad) client.finish()
    await served.reachActive(1)
    await good.ask(...ask)
    const { closed } = await served.stats()
    t.equal(closed.handler_error, 0)
    t.equal(
      closed.end + closed.frame_size + closed.frame_error + closed.reset,
      8,
      JSON.stringify(closed),
    )
  }
}

export const badinput: Cases = {
  'reset: before a byte': resetWhile(async () => {}),
  'reset: in the middle of a frame': resetWhile(async (client, served) => {
    client.send('half')
    await served.reach((s) => s.bytes_in >= 9, 'the bytes')
  }),
  'reset: after an answered request': resetWhile((client) => client.ask('a\n')),
  'reset: while the handler is working': resetWhile(async (client, served) => {
    client.send('pending\n')
    await served.reach((s) => s.requests === 2, 'the request')
  }),
  'reset: while pipelined requests wait behind it': resetWhile(async (client, served) => {
    client.send(`pending\n${'a\n'.repeat(500)}`)
    await served.reach((s) => s.requests > 2, 'the requests')
  }),
  'reset: while a large reply is being sent': resetWhile(async (client) => {
    client.send('big\n')
    await client.take(1000)
    client.stop()
  }),
  'reset: while a stream is running': resetWhile((client) => client.ask('stream\n', 'piecepiece')),
  'reset: while it is paused': resetWhile((client) => client.ask('pause\n')),
  'reset: while it lingers': resetWhile(async (client) => {
    await client.ask('bye\n')
    await client.expectEnd('fin')
  }),
  'reset: with input that was not read': resetWhile(async (client) => {
    await client.ask('pause\n')
    await client.write('x\n'.repeat(5000))
  }),

  'reset: while it is paused and nobody resumes it: idle_timeout at the latest': async (t, ctx) => {
    const { handleRequest } = states()
    const served = await ctx.serve({ handleRequest, idleTimeout: brief(200) })
    const client = await served.connect()
    await client.ask('pause\n')
    client.reset()
    await served.reachActive(0)
    t.equal((await served.closed('idle_timeout')) + (await served.closed('reset')), 1)
  },

  'reset: many at once, in all states': async (t, ctx) => {
    const { paused, handleRequest } = states()
    const served = await ctx.serve({ handleRequest })
    const good = await served.connect()
    const bad = await served.connectMany(100)
    const openings = ['', 'half', 'a\n', 'pending\n', 'stream\n', 'pause\n', 'bye\n']
    for (const [i, client] of bad.entries()) client.send(openings[i % openings.length] ?? '')
    await good.ask('fine\n')
    await served.reach((s) => s.accepted === 101, '101 connections')
    for (const client of bad) client.reset()
    await until(async () => {
      for (const connection of paused.splice(0)) connection.resume()
      return (await served.stats()).active === 1
    }, 'only the good connection')
    await good.ask('fine\n')
    t.equal(await served.closed('handler_error'), 0)
  },

  'garbage for line': garbage('line', ['fine\n']),
  'garbage for a delimiter': garbage('delimiter:\\r\\n', ['fine\r\n']),
  'garbage for length:u8': garbage('length:u8', ['\x04fine']),
  'garbage for length:u32be': garbage('length:u32be', ['\0\0\0\x04fine']),
  'garbage for an inclusive length': garbage('length:u16le,inclusive', ['\x06\0fine']),
  'garbage for varint': garbage('varint', ['\x04fine']),
  'garbage for fixed': garbage('fixed:16', ['sixteen bytes ok']),

  'two hundred connections that leave at once': async (t, ctx) => {
    const served = await ctx.serve()
    const good = await served.connect()
    await good.ask('fine\n')
    for (let round = 0; round < 4; round++) {
      const clients = await Promise.all(
        Array.from({ length: 50 }, () => Client.connect(served.port)),
      )
      for (const [i, client] of clients.entries()) i % 2 ? client.reset() : client.destroy()
      await good.ask('fine\n')
    }
    await served.reach((s) => s.accepted >= 101 && s.active === 1, 'only the good connection')
    t.equal((await served.stats()).requests, 5)
  },

  'fifty clients that send a byte now and then': async (t, ctx) => {
    const served = await ctx.serve({ frameTimeout: brief(300) })
    const good = await served.connect()
    await good.ask('fine\n')
    const slow = await served.connectMany(50)
    while (slow.some((client) => client.departure === undefined)) {
      for (const client of slow) client.send('x')
      await good.ask('fine\n')
      await tick(20)
    }
    await served.reachClosed('frame_timeout', 50)
    t.equal((await served.stats()).active, 1)
  },

  'eight clients that never read': async (t, ctx) => {
    const served = await ctx.serve({
      writeTimeout: brief(300),
      handleRequest: (r: Buffer) => (r.includes('big') ? Buffer.alloc(12 * 1024 * 1024) : r),
    })
    const good = await served.connect()
    const count = 8
    for (let i = 0; i < count; i++) (await served.connect({ reading: false })).send('big\n')
    await good.ask('fine\n')
    await served.reachClosed('write_timeout', count)
    await good.ask('fine\n')
    t.equal((await served.stats()).active, 1)
  },

  'a flood of empty lines': async (_t, ctx) => {
    const served = await ctx.serve()
    const [bad, good] = await served.connectMany(2)
    bad?.send('\n'.repeat(200_000))
    await good?.ask('fine\n')
    await bad?.take(200_000)
  },

  'a busy connection does not starve another': async (t, ctx) => {
    const served = await ctx.serve()
    const [busy, good] = await served.connectMany(2)
    const flood = Buffer.from(`${'f'.repeat(63)}\n`.repeat(16_384))
    const total = 32 * flood.length
    let sent = 0
    const pump = (): void => {
      if (sent >= total || busy === undefined) return
      sent += flood.length
      busy.socket.write(flood, pump)
    }
    pump()
    for (let i = 0; i < 50; i++) await good?.ask('fine\n')
    const got = await busy?.take(total)
    t.equal(got?.length, total)
  },

  'a frame that never ends, over-long, and a silent client side by side': async (t, ctx) => {
    const served = await misbehave(t, ctx, {
      // The second client's first byte has to be in time on the slowest machine, or frame_timeout never is.
      options: { maxFrameSize: 10_000, frameTimeout: brief(200), firstByteTimeout: PATIENT },
      act: async (s) => {
        ;(await s.connect()).send('x'.repeat(20_000))
        ;(await s.connect()).send('never')
        await s.connect()
        await s.reachClosed('frame_timeout')
        await s.reachClosed('first_byte_timeout')
      },
      reason: 'frame_size',
    })
    await served.logged(/frame_timeout/)
    await served.logged(/first_byte_timeout/)
  },

  'the reason and the peer’s address stand in the log': async (t, ctx) => {
    let port = 0
    const served = await misbehave(t, ctx, {
      options: { maxFrameSize: 10 },
      act: async (s) => {
        const bad = await s.connect()
        port = bad.localPort
        bad.send('x'.repeat(100))
      },
      reason: 'frame_size',
    })
    const line = await served.logged(/frame_size/)
    t.match(line, new RegExp(`(?:127\\.0\\.0\\.1|::1).*${port}`))
  },

  'what a peer sends never shapes the log': async (t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => {
        throw new Error(`cannot parse ${r}`)
      },
    })
    const client = await served.connect()
    client.send('a\rforged: line\u001b[2J\n')
    await client.expectEnd()
    await until(() => served.lines.length > 0, 'a log line')
    await served.logged(/cannot parse/)
    t.notOk(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
      served.lines.some((line) => /[\u0000-\u001f]/.test(line)),
      'control characters are escaped',
    )
  },
}
