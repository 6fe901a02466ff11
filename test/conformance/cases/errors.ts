// A handler that throws, rejects, returns what has no bytes, never answers, answers too late.

import type { Connection } from '../../../lib/handler/contract.js'
import { capturing } from '../capture.js'
import { type Cases, type Context, misbehave } from '../case.js'
import { brief, PATIENCE_MS, PATIENT, tick, until } from '../deadline.js'

/** A handler that does `bad` on "bad\n" and echoes everything else. */
const onBad = (bad: (r: Buffer, c: Connection) => unknown) =>
  capturing((r: Buffer, c: Connection): unknown => (r.includes('bad') ? bad(r, c) : r), { bad })

const raise = (what: unknown) =>
  capturing(
    (): never => {
      throw what
    },
    { what },
  )

/** One case: the handler fails in the way given, its connection is closed and logged, the other goes on. */
function fails(bad: (r: Buffer, c: Connection) => unknown, log?: RegExp): Cases[string] {
  return async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { handleRequest: onBad(bad) },
      act: async (served) => {
        const client = await served.connect()
        await client.ask('first\n')
        client.send('bad\n')
        await client.expectEnd()
      },
      reason: 'handler_error',
      ...(log ? { log } : {}),
    })
  }
}

async function* stream(...list: unknown[]): AsyncGenerator<unknown> {
  for (const piece of list) {
    if (piece instanceof Error) throw piece
    yield piece
  }
}

/** The same for functions other than handle_request. */
function failsIn(options: Record<string, unknown>, log: RegExp): Cases[string] {
  return async (t, ctx) => {
    await misbehave(t, ctx, {
      options,
      act: async (served) => {
        const client = await served.connect()
        client.send('bad\n')
        await client.expectEnd()
      },
      reason: 'handler_error',
      log,
    })
  }
}

async function lateAnswer(ctx: Context, leave: 'reset' | 'fin' | 'closed') {
  let answer: (() => void) | undefined
  let mine: Connection | undefined
  const served = await ctx.serve({
    handleRequest: onBad(
      (r, connection) =>
        new Promise((resolve) => {
          mine = connection
          answer = () => resolve(r)
        }),
    ),
  })
  const [good, bad] = await served.connectMany(2)
  bad?.send('bad\n')
  await until(() => answer !== undefined, 'the request')
  if (leave === 'closed') mine?.close()
  else if (leave === 'fin') bad?.destroy()
  else bad?.reset()
  return { served, good, answer: () => answer?.() }
}

export const errors: Cases = {
  'throws an Error': fails(raise(new Error('broken on purpose')), /broken on purpose/),
  'throws a string': fails(raise('just text'), /just text/),
  'throws undefined': fails(raise(undefined)),
  'throws null': fails(raise(null)),
  rejects: fails(() => Promise.reject(new Error('rejected on purpose')), /rejected on purpose/),
  'rejects later': fails(async () => {
    await tick()
    throw new Error('rejected later')
  }, /rejected later/),
  'rejects with undefined': fails(() => Promise.reject(undefined)),
  'returns a number': fails(() => 42, /number/),
  'returns a boolean': fails(() => true, /boolean/),
  'returns null': fails(() => null, /null/),
  'returns an object': fails(() => ({ a: 1 }), /object/i),
  'returns a function': fails(() => () => 'x', /function/),
  'returns a symbol': fails(() => Symbol('s'), /symbol/),
  'returns a pair with a wrong first item': fails(() => [7, true], /number/),
  'returns an array of three': fails(() => ['a', 'b', 'c']),
  'promises a number': fails(async () => 42, /number/),
  'streams a number': fails(() => stream('a', 42), /number/),
  'streams, then throws': fails(() => stream('a', new Error('stream broke')), /stream broke/),

  'the log names the connection and the number of the request': async (_t, ctx) => {
    let id = ''
    const served = await ctx.serve({
      handleRequest: onBad((_r, connection) => {
        id = connection.id
        throw new Error('which one')
      }),
    })
    const client = await served.connect()
    await client.ask('a\nb\n')
    client.send('bad\n')
    await client.expectEnd()
    const line = await served.logged(/which one/)
    if (!line.includes(id)) throw new Error(`${line} does not name connection ${id}`)
    if (!/\b[23]\b/.test(line)) throw new Error(`${line} does not name request 2 (from 0)`)
  },

  'the answers before the failing request leave in order or not at all': async (t, ctx) => {
    const served = await ctx.serve({ handleRequest: onBad(raise(new Error('in the middle'))) })
    const client = await served.connect()
    const got = (await client.send('a\nb\nbad\nc\n').rest()).toString()
    t.ok('a\nb\n'.startsWith(got), `got ${JSON.stringify(got)}`)
    await served.reachClosed('handler_error')
  },

  'a reply that was flushed before the failure arrives': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: onBad(raise(new Error('then'))) })
    const client = await served.connect()
    await client.ask('a\n')
    await client.send('bad\n').expectEnd()
  },

  'a hundred connections fail, one does not notice': async (t, ctx) => {
    const served = await ctx.serve({ handleRequest: onBad(raise(new Error('one of many'))) })
    const good = await served.connect()
    const bad = await served.connectMany(100)
    for (const client of bad) client.send('bad\n')
    for (let i = 0; i < 10; i++) await good.ask('fine\n')
    for (const client of bad) await client.expectEnd()
    await served.reachClosed('handler_error', 100)
    await good.ask('fine\n')
    t.equal((await served.stats()).active, 1)
  },

  'decode_request that throws': failsIn(
    {
      decodeRequest: (r: Buffer) => {
        if (r.includes('bad')) throw new Error('undecodable')
        return r
      },
    },
    /undecodable/,
  ),
  'decode_request json with what is no JSON': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { decodeRequest: 'json', handleRequest: (v: unknown) => `${JSON.stringify(v)}\n` },
      act: async (served) => (await served.connect()).send('{no\n'),
      reason: 'handler_error',
      log: /JSON/,
      ask: ['[1]\n', '[1]\n'],
    })
  },
  'encode_response that throws': failsIn(
    {
      handleRequest: (r: Buffer) => r,
      encodeResponse: (r: Buffer) => {
        if (r.includes('bad')) throw new Error('unencodable')
        return r
      },
    },
    /unencodable/,
  ),
  'encode_response that returns no bytes': failsIn(
    { handleRequest: (r: Buffer) => r, encodeResponse: (r: Buffer) => (r.includes('bad') ? 5 : r) },
    /number/,
  ),

  'an opened hook that throws closes that connection alone': async (t, ctx) => {
    let count = 0
    const served = await ctx.serve({
      opened: () => {
        if (++count === 2) throw new Error('not welcome')
      },
    })
    const good = await served.connect()
    await good.ask('fine\n')
    const bad = await served.connect()
    await bad.expectEnd()
    await served.reachClosed('handler_error')
    await served.logged(/not welcome/)
    await good.ask('fine\n')
    t.equal((await served.stats()).active, 1)
  },

  'a closed hook that throws is logged and harms nobody': async (_t, ctx) => {
    const served = await ctx.serve({
      closed: () => {
        throw new Error('in the closed hook')
      },
    })
    const [good, bad] = await served.connectMany(2)
    await bad?.ask('a\n')
    bad?.finish()
    await bad?.expectEnd()
    await served.logged(/in the closed hook/)
    await good?.ask('fine\n')
  },

  'never answers: handler_timeout': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { handlerTimeout: brief(150), handleRequest: onBad(() => new Promise(() => {})) },
      act: async (served) => (await served.connect()).send('bad\n'),
      reason: 'handler_timeout',
    })
  },

  'never gives a stream’s first piece: handler_timeout': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        handlerTimeout: brief(150),
        handleRequest: onBad(async function* () {
          await new Promise(() => {})
          yield 'never'
        }),
      },
      act: async (served) => (await served.connect()).send('bad\n'),
      reason: 'handler_timeout',
    })
  },

  'handler_timeout aborts the connection’s signal': async (_t, ctx) => {
    let aborted = false
    const served = await ctx.serve({
      handlerTimeout: brief(100),
      handleRequest: (_r: Buffer, connection: Connection) => {
        connection.signal.addEventListener('abort', () => {
          aborted = true
        })
        return new Promise(() => {})
      },
    })
    const client = await served.connect()
    client.send('a\n')
    await until(() => aborted, 'the abort event')
    await client.expectEnd()
  },

  'handler_timeout spares answers that come in time': async (t, ctx) => {
    const served = await ctx.serve({
      handlerTimeout: PATIENT,
      handleRequest: async (r: Buffer) => {
        await tick(20)
        return r
      },
    })
    const client = await served.connect()
    const began = performance.now()
    while (performance.now() - began < 1.2 * PATIENCE_MS) await client.ask('a\n')
    t.equal(await served.closed('handler_timeout'), 0)
  },

  'answers after its request overran: ignored': async (t, ctx) => {
    let answer: (() => void) | undefined
    const served = await misbehave(t, ctx, {
      options: {
        handlerTimeout: brief(100),
        handleRequest: onBad(
          (r) =>
            new Promise((resolve) => {
              answer = () => resolve(r)
            }),
        ),
      },
      act: async (s) => (await s.connect()).send('bad\n'),
      reason: 'handler_timeout',
    })
    const lines = served.lines.length
    answer?.()
    const again = await served.connect()
    await again.ask('fine\n')
    t.equal(served.lines.length, lines, 'nothing is logged')
  },

  'answers after the peer reset': async (_t, ctx) => {
    const { served, good, answer } = await lateAnswer(ctx, 'reset')
    await served.reachActive(1)
    answer()
    await good?.ask('fine\n')
    await good?.ask('fine\n')
  },

  'answers after the peer left': async (_t, ctx) => {
    const { served, good, answer } = await lateAnswer(ctx, 'fin')
    answer()
    await served.reachActive(1)
    await good?.ask('fine\n')
  },

  'answers after it closed the connection itself': async (_t, ctx) => {
    const { served, good, answer } = await lateAnswer(ctx, 'closed')
    await served.reachClosed('closed')
    answer()
    await good?.ask('fine\n')
    await served.reachActive(1)
  },

  'the place of a closed connection is not answered by a late reply': async (t, ctx) => {
    const { served, answer } = await lateAnswer(ctx, 'reset')
    await served.reachActive(1)
    const fresh = await served.connectMany(10)
    for (const client of fresh) await client.ask('fresh\n')
    answer()
    for (const client of fresh) await client.ask('again\n')
    t.ok(fresh.every((client) => client.pending === 0))
  },

  'closes while writing': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        handleRequest: onBad((r, connection) => {
          connection.write('some of it')
          connection.close()
          connection.write('after close')
          return r
        }),
      },
      act: async (served) => {
        const client = await served.connect()
        client.send('bad\n')
        const rest = (await client.rest()).toString()
        t.ok('some of it'.startsWith(rest), `got ${rest}`)
      },
      reason: 'closed',
    })
  },

  'closes while a large reply waits unsent': async (t, ctx) => {
    let connection: Connection | undefined
    await misbehave(t, ctx, {
      options: {
        handleRequest: onBad((_r, c) => {
          connection = c
          return Buffer.alloc(24 * 1024 * 1024)
        }),
      },
      act: async (served) => {
        const client = await served.connect({ reading: false })
        client.send('bad\n')
        await until(() => connection !== undefined, 'the request')
        connection?.close()
      },
      reason: 'closed',
    })
  },

  'closes from within its own stream': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        handleRequest: onBad(async function* (_r, connection) {
          yield 'one'
          connection.close()
          yield 'two'
        }),
      },
      act: async (served) => {
        const rest = (await (await served.connect()).send('bad\n').rest()).toString()
        t.ok(['', 'one'].includes(rest), `got ${rest}`)
      },
      reason: 'closed',
    })
  },

  'die_on_error stops the server': async (t, ctx) => {
    const served = await ctx.serve({
      dieOnError: true,
      handleRequest: onBad(raise(new Error('fatal'))),
    })
    const [good, bad] = await served.connectMany(2)
    await good?.ask('fine\n')
    bad?.send('bad\n')
    await bad?.expectEnd()
    await good?.expectEnd()
    await served.logged(/fatal/)
    await served.reachActive(0)
    await t.rejects(served.server.closed, { message: 'fatal' })
    t.equal(await served.closed('handler_error'), 1)
  },
}
