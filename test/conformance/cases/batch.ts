// handle_batch: all requests of a turn at once, each answered by its own reply().

import type { Batch, BatchRequest } from '../../../lib/handler/contract.js'
import { type Cases, misbehave } from '../case.js'
import { tick, until } from '../deadline.js'

const echo = (batch: Batch): void => {
  for (const request of batch) request.reply(request)
}

const each =
  (answer: (request: BatchRequest) => void) =>
  (batch: Batch): void => {
    for (const request of batch) answer(request)
  }

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `${i}\n`).join('')

/** Echo that does `bad` to a request "bad\n" instead. */
const onBad = (bad: (request: BatchRequest) => void) =>
  each((request) => (request.text() === 'bad\n' ? bad(request) : request.reply(request)))

const sendBad = async (served: { connect(): Promise<{ send(d: string): unknown }> }) =>
  (await served.connect()).send('bad\n')

/** Whatever a bad request does, its connection is closed with handler_error; the other goes on. */
function fails(bad: (request: BatchRequest) => void, log?: RegExp): Cases[string] {
  return async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { handleBatch: onBad(bad) },
      act: sendBad,
      reason: 'handler_error',
      ...(log ? { log } : {}),
    })
  }
}

export const batch: Cases = {
  'replying with the request itself echoes it': async (_t, ctx) => {
    const served = await ctx.serve({ handleBatch: echo })
    const client = await served.connect()
    await client.ask('a\n')
    await client.ask(lines(5000))
  },

  'replying with bytes, with a string': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: each((r) => r.reply(r.length === 2 ? Uint8Array.of(98, 59) : 'text;')),
    })
    const client = await served.connect()
    await client.ask('x\nyy\nx\n', 'b;text;b;')
  },

  'bytes(), text() and length say the same': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: each((r) =>
        r.reply(`${r.length} ${r.bytes().length} ${r.text('hex')} ${r.text()}`),
      ),
    })
    const client = await served.connect()
    await client.ask('é\n', '3 3 c3a90a é\n')
  },

  'requests of several connections come in batches, in order': async (t, ctx) => {
    const sizes: number[] = []
    const served = await ctx.serve({
      handleBatch: (b: Batch) => {
        sizes.push(b.length)
        echo(b)
      },
    })
    const clients = await served.connectMany(10)
    for (let i = 0; i < 20; i++) await Promise.all(clients.map((c) => c.ask(lines(16))))
    t.equal(
      sizes.reduce((a, b) => a + b, 0),
      10 * 20 * 16,
    )
    t.ok(Math.max(...sizes) > 1, 'some batch had more than one')
  },

  'at() is the request at its place': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: (b: Batch) => {
        for (let i = b.length - 1; i >= 0; i--) b.at(i).reply(b.at(i))
      },
    })
    const client = await served.connect()
    await client.ask(lines(200))
  },

  'at() beyond the end is a RangeError': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: (b: Batch) => {
        let caught = ''
        try {
          b.at(b.length)
        } catch (error) {
          caught = (error as Error).name
        }
        for (const request of b) request.reply(caught)
      },
    })
    const client = await served.connect()
    await client.ask('a\n', 'RangeError')
  },

  'a reply may be another request of the batch': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: (b: Batch) => {
        for (const request of b) request.reply(b.at(0))
      },
    })
    const client = await served.connect()
    await client.ask('same\n')
  },

  'bytes() are the handler’s to keep': async (t, ctx) => {
    const kept: Buffer[] = []
    const served = await ctx.serve({
      handleBatch: each((r) => {
        kept.push(r.bytes())
        r.reply(r)
      }),
    })
    const client = await served.connect()
    for (let i = 0; i < 10; i++) await client.ask(lines(10_000))
    t.ok(
      kept.every((bytes, i) => bytes.toString() === `${i % 10_000}\n`),
      '100 000 requests are intact',
    )
  },

  'connection is that of the request': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: each((r) => r.reply(`${r.connection.remote.port}\n`)),
    })
    const clients = await served.connectMany(5)
    for (const client of clients) await client.ask('who\n', `${client.localPort}\n`)
  },

  'replies in any order leave in the order of requests': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: (b: Batch) => {
        for (const request of [...b].reverse()) request.reply(request)
      },
    })
    const client = await served.connect()
    await client.ask(lines(100))
  },

  'a handle_batch that returns a promise': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: async (b: Batch) => {
        await tick()
        echo(b)
      },
    })
    const clients = await served.connectMany(5)
    for (let i = 0; i < 5; i++) await Promise.all(clients.map((c) => c.ask(lines(20))))
  },

  'some requests at once, the rest when the promise settles': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: async (b: Batch) => {
        const all = [...b]
        for (const [i, request] of all.entries()) if (i % 2 === 0) request.reply(request)
        await new Promise(setImmediate)
        for (const [i, request] of all.entries()) if (i % 2 === 1) request.reply(request)
      },
    })
    const client = await served.connect()
    for (let i = 0; i < 5; i++) await client.ask(lines(33))
  },

  'batches overlap when their promises are late': async (_t, ctx) => {
    const gates: (() => void)[] = []
    const served = await ctx.serve({
      handleBatch: async (b: Batch) => {
        if (b.at(0).text().startsWith('slow'))
          await new Promise<void>((resolve) => gates.push(resolve))
        echo(b)
      },
    })
    const [slow, quick] = await served.connectMany(2)
    slow?.send('slow\n')
    await until(() => gates.length === 1, 'the slow batch')
    for (let i = 0; i < 10; i++) await quick?.ask('quick\n')
    gates[0]?.()
    await slow?.expect('slow\n')
  },

  'close() after reply() ends the connection behind the reply': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: each((r) => {
        r.reply(r)
        r.close()
      }),
    })
    const client = await served.connect()
    await client.ask('a\n')
    await client.expectEnd('fin')
    client.finish()
    await served.reachClosed('done')
  },

  'close() without a reply ends it without a byte': async (_t, ctx) => {
    const served = await ctx.serve({ handleBatch: each((r) => r.close()) })
    const client = await served.connect()
    client.send('a\n')
    await client.expectEnd('fin')
  },

  'close() after an await': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: async (b: Batch) => {
        await tick()
        for (const request of b) {
          request.reply('bye')
          request.close()
        }
      },
    })
    const client = await served.connect()
    await client.ask('a\n', 'bye')
    await client.expectEnd('fin')
  },

  'a request that is never answered closes with handler_error': fails(() => {}),
  'a batch that throws closes the connections it left unanswered': fails(() => {
    throw new Error('batch broke')
  }, /batch broke/),
  'a reply of a wrong type': fails((r) => r.reply(5 as never), /number/),

  'a batch whose promise rejects': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        handleBatch: async (b: Batch) => {
          await tick()
          for (const request of b) {
            if (request.text() === 'bad\n') throw new Error('batch rejected')
            request.reply(request)
          }
        },
      },
      act: sendBad,
      reason: 'handler_error',
      log: /batch rejected/,
    })
  },

  'a second reply to one request is refused': async (_t, ctx) => {
    const served = await ctx.serve({
      handleBatch: each((r) => {
        r.reply('first\n')
        try {
          r.reply('second\n')
        } catch {
          // Refused: the first one stands.
        }
      }),
    })
    const client = await served.connect()
    await client.ask('a\nb\n', 'first\nfirst\n')
  },

  'a batch kept beyond its end throws when it is used': async (t, ctx) => {
    let kept: BatchRequest | undefined
    const served = await ctx.serve({
      handleBatch: (b: Batch) => {
        kept ??= b.at(0)
        echo(b)
      },
    })
    const client = await served.connect()
    await client.ask('a\n')
    t.throws(() => kept?.reply('late'), { code: 'ERR_GAIDAROS_STATE' })
    await client.ask('b\n')
  },

  'requests longer than the slab': async (_t, ctx) => {
    const served = await ctx.serve({ handleBatch: echo })
    const client = await served.connect()
    await client.ask(`a\n${'x'.repeat(500_000)}\nb\n`)
  },

  'strip: replies get the delimiter back': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'line,strip',
      handleBatch: (b: Batch) => {
        for (const request of b)
          request.reply(request.length === 1 ? request : `<${request.text()}>`)
      },
    })
    const client = await served.connect()
    await client.ask('a\nbb\n', 'a\n<bb>\n')
  },

  'framing by functions': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: (b: Buffer) => b.includes(59),
      splitRequest: (b: Buffer) => [
        b.subarray(0, b.indexOf(59) + 1),
        b.subarray(b.indexOf(59) + 1),
      ],
      handleBatch: echo,
    })
    const client = await served.connect()
    await client.ask('a;bb;ccc;')
  },

  'the peer resets while a batch waits': async (_t, ctx) => {
    const gates: (() => void)[] = []
    const served = await ctx.serve({
      handleBatch: async (b: Batch) => {
        if (b.at(0).text().startsWith('wait'))
          await new Promise<void>((resolve) => gates.push(resolve))
        echo(b)
      },
    })
    const [bad, good] = await served.connectMany(2)
    bad?.send('wait\n')
    await until(() => gates.length === 1, 'the batch')
    bad?.reset()
    await served.reachActive(1)
    gates[0]?.()
    await good?.ask('fine\n')
  },
}
