// Replies that are async iterables: sent piece by piece, no faster than the peer reads, ended with the connection.

import { Readable } from 'node:stream'
import type { Connection } from '../../../lib/handler/contract.js'
import type { Cases } from '../case.js'
import { brief, tick, until } from '../deadline.js'

async function* pieces(...list: unknown[]): AsyncGenerator<unknown> {
  for (const piece of list) {
    await new Promise(setImmediate)
    yield piece
  }
}

/** Yields `size` byte pieces for ever and tells how many were asked for and whether it was ended. */
function endless(size: number) {
  const state = { made: 0, ended: false }
  async function* make() {
    const piece = Buffer.alloc(size, 'e')
    try {
      for (;;) {
        state.made++
        yield piece
        if (state.made % 16 === 0) await new Promise(setImmediate)
      }
    } finally {
      state.ended = true
    }
  }
  return { state, make }
}

export const streaming: Cases = {
  'pieces are joined': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: () => pieces('a', 'b', 'c\n') })
    const client = await served.connect()
    await client.ask('go\n', 'abc\n')
    await client.ask('go\n', 'abc\n')
  },

  'pieces of every type': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: () =>
        pieces('a', Buffer.from('b'), Uint8Array.of(99), Uint8Array.of(100).buffer),
    })
    const client = await served.connect()
    await client.ask('go\n', 'abcd')
  },

  'empty pieces and an empty stream': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) =>
        r.includes('none') ? pieces() : pieces('', 'x', Buffer.alloc(0)),
    })
    const client = await served.connect()
    await client.ask('none\nsome\nnone\nsome\n', 'xx')
  },

  'a Readable of Node': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: () => Readable.from(['one ', 'two ', 'three\n']),
    })
    const client = await served.connect()
    await client.ask('go\n', 'one two three\n')
  },

  'a promise of a stream': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: async () => pieces('p', 'q\n') })
    const client = await served.connect()
    await client.ask('go\n', 'pq\n')
  },

  'an iterable made by hand': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: () => {
        let left = 3
        return {
          [Symbol.asyncIterator]: () => ({
            next: () => Promise.resolve(left-- > 0 ? { value: 'x', done: false } : { done: true }),
          }),
        }
      },
    })
    const client = await served.connect()
    await client.ask('go\n', 'xxx')
  },

  'a piece is sent before the next is made': async (_t, ctx) => {
    let next: (() => void) | undefined
    async function* stepwise() {
      yield 'first'
      await new Promise<void>((resolve) => {
        next = resolve
      })
      yield 'second'
    }
    const served = await ctx.serve({ handleRequest: stepwise })
    const client = await served.connect()
    await client.ask('go\n', 'first')
    await until(() => next !== undefined, 'the generator at its gate')
    next?.()
    await client.expect('second')
  },

  'sixteen megabytes in pieces': async (t, ctx) => {
    const piece = Buffer.alloc(64 * 1024, 'x')
    async function* many() {
      for (let i = 0; i < 256; i++) {
        piece.writeUInt32BE(i)
        yield Buffer.from(piece)
      }
    }
    const served = await ctx.serve({ handleRequest: many })
    const client = await served.connect()
    client.send('go\n')
    const got = await client.take(256 * piece.length)
    for (let i = 0; i < 256; i++) {
      if (got.readUInt32BE(i * piece.length) !== i) t.fail(`piece ${i} is in its place`)
    }
  },

  'a piece of 10 MB': async (t, ctx) => {
    const big = Buffer.alloc(10 * 1024 * 1024, 'b')
    const served = await ctx.serve({ handleRequest: () => pieces('<', big, '>') })
    const client = await served.connect()
    client.send('go\n')
    const got = await client.take(big.length + 2)
    t.equal(got[0], 60)
    t.equal(got.at(-1), 62)
  },

  'is not drawn from beyond the high-water mark': async (t, ctx) => {
    const source = endless(64 * 1024)
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => (r.includes('endless') ? source.make() : r),
    })
    const slow = await served.connect({ reading: false })
    const good = await served.connect()
    slow.send('endless\n')
    let before = -1
    while (source.state.made !== before) {
      before = source.state.made
      for (let i = 0; i < 5; i++) {
        await good.ask('fine\n')
        await tick(10)
      }
    }
    t.ok(before > 1, 'some pieces were made')
    t.ok(before * 65536 < 32 * 1024 * 1024, `${before} pieces of 64 KiB were made, then no more`)
    t.notOk(source.state.ended)
    slow.read()
    await slow.take(40 * 1024 * 1024)
    t.ok(source.state.made > before, 'and it goes on when the peer reads')
    slow.reset()
    await until(() => source.state.ended, 'the end of the generator')
  },

  'is ended when the peer resets': async (_t, ctx) => {
    const source = endless(1024)
    const served = await ctx.serve({ handleRequest: source.make })
    const client = await served.connect()
    client.send('go\n')
    await client.take(100_000)
    client.reset()
    await until(() => source.state.ended, 'the end of the generator')
    await served.reachActive(0)
  },

  'is ended when the handler closes the connection': async (_t, ctx) => {
    const source = endless(1024)
    let mine: Connection | undefined
    const served = await ctx.serve({
      handleRequest: (_r: Buffer, connection: Connection) => {
        mine = connection
        return source.make()
      },
    })
    const client = await served.connect()
    client.send('go\n')
    await client.take(10_000)
    mine?.close()
    await until(() => source.state.ended, 'the end of the generator')
  },

  'is ended when the server closes': async (_t, ctx) => {
    const source = endless(1024)
    const served = await ctx.serve({ handleRequest: source.make, shutdownGrace: brief(100) })
    const client = await served.connect()
    client.send('go\n')
    await client.take(10_000)
    await served.server.close()
    await until(() => source.state.ended, 'the end of the generator')
  },

  'is ended where the stream behind it was not begun': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => (r.includes('one') ? new Promise(() => {}) : pieces('x')),
    })
    const client = await served.connect()
    client.send('one\ntwo\n')
    await served.reach((s) => s.requests === 2, 'both requests')
    client.reset()
    await served.reachActive(0)
  },

  'ten streams on ten connections': async (t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async function* (r: Buffer) {
        for (let i = 0; i < 100; i++) {
          if (i % 10 === 0) await new Promise(setImmediate)
          yield `${r.toString().trim()}${i};`
        }
      },
    })
    const clients = await served.connectMany(10)
    await Promise.all(
      clients.map((client, n) =>
        client.ask(`${n}/\n`, Array.from({ length: 100 }, (_, i) => `${n}/${i};`).join('')),
      ),
    )
    t.equal((await served.stats()).requests, 10)
  },

  'requests behind a stream wait for its end': async (t, ctx) => {
    let next: (() => void) | undefined
    const served = await ctx.serve({
      handleRequest: async function* (r: Buffer) {
        yield r
        if (!r.includes('hold')) return
        await new Promise<void>((resolve) => {
          next = resolve
        })
        yield 'released\n'
      },
    })
    const [client, other] = await served.connectMany(2)
    client?.send('hold\nnext\n')
    await client?.expect('hold\n')
    await until(() => next !== undefined, 'the generator at its gate')
    await other?.ask('other\n')
    t.equal(client?.pending, 0)
    next?.()
    await client?.expect('released\nnext\n')
  },

  'large replies behind a stream do not hold it up': async (_t, ctx) => {
    const large = Buffer.alloc(300_000, 'L')
    async function* stream() {
      for (let i = 0; i < 8; i++) {
        await new Promise(setImmediate)
        yield Buffer.alloc(40_000, `${i}`)
      }
    }
    const answers: Record<string, () => unknown> = {
      stream,
      large: () => large,
      later: () => new Promise((resolve) => setTimeout(resolve, 50, 'later')),
      last: () => 'last',
    }
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => answers[r.toString().trim()]?.(),
    })
    const streamed = Buffer.concat(
      Array.from({ length: 8 }, (_, i) => Buffer.alloc(40_000, `${i}`)),
    )
    const expected: Record<string, Buffer> = {
      stream: streamed,
      large,
      later: Buffer.from('later'),
      last: Buffer.from('last'),
    }
    for (const asked of [
      ['stream', 'large', 'last'],
      ['later', 'large', 'stream', 'last'],
      ['stream', 'large', 'stream', 'stream', 'large', 'last'],
      ['later', 'stream', 'large', 'stream', 'large'],
    ]) {
      const client = await served.connect()
      client.send(`${asked.join('\n')}\n`)
      await client.expect(Buffer.concat(asked.map((name) => expected[name] as Buffer)))
    }
  },

  'a handler that waits for drained() is not held up by large replies behind it': async (
    _t,
    ctx,
  ) => {
    const large = Buffer.alloc(300_000, 'L')
    const served = await ctx.serve({
      handleRequest: async (r: Buffer, connection: Connection) => {
        if (r.includes('large')) return large
        await new Promise(setImmediate)
        connection.write(Buffer.alloc(200_000, 'w'))
        await connection.drained()
        return 'drained'
      },
    })
    const client = await served.connect()
    client.send('write\nlarge\n')
    await client.expect(Buffer.concat([Buffer.alloc(200_000, 'w'), Buffer.from('drained'), large]))
  },
}
