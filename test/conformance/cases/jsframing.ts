// Framing by functions: end_request and split_request are asked on the accumulated bytes.

import { type Cases, misbehave } from '../case.js'
import { brief } from '../deadline.js'

const NEWLINE = 10

const endRequest = (bytes: Buffer): boolean => bytes.includes(NEWLINE)
const splitRequest = (bytes: Buffer): [Buffer, Buffer] => {
  const end = bytes.indexOf(NEWLINE) + 1
  return [bytes.subarray(0, end), bytes.subarray(end)]
}
const framed = { endRequest, splitRequest }
const bracket = (request: Buffer): string => `[${request}]`

export const jsframing: Cases = {
  'one request': async (_t, ctx) => {
    const served = await ctx.serve({ ...framed, handleRequest: bracket })
    const client = await served.connect()
    await client.ask('ab\n', '[ab\n]')
    await client.ask('cd\n', '[cd\n]')
  },

  'several requests in one write, the rest kept for later': async (t, ctx) => {
    const served = await ctx.serve({ ...framed, handleRequest: bracket })
    const client = await served.connect()
    await client.ask('a\nb\nc', '[a\n][b\n]')
    await client.ask('d\n', '[cd\n]')
    t.equal((await served.stats()).requests, 3)
  },

  'byte by byte': async (_t, ctx) => {
    const served = await ctx.serve({ ...framed, handleRequest: bracket })
    const client = await served.connect()
    await client.trickle('ab\n\ncd\n', async () => (await served.stats()).bytes_in)
    await client.expect('[ab\n][\n][cd\n]')
  },

  'a frame of 600 kB that comes in many pieces': async (_t, ctx) => {
    const served = await ctx.serve({ ...framed, recvSize: 65536 })
    const client = await served.connect()
    await client.ask(`${'x'.repeat(600_000)}\n`)
  },

  'five thousand requests in one write': async (t, ctx) => {
    const served = await ctx.serve(framed)
    const client = await served.connect()
    await client.ask(Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(''))
    t.equal((await served.stats()).requests, 5000)
  },

  'split_request may drop bytes between the request and the rest': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest,
      splitRequest: (bytes: Buffer) => {
        const end = bytes.indexOf(NEWLINE)
        return [bytes.subarray(0, end), bytes.subarray(end + 1)]
      },
      handleRequest: bracket,
    })
    const client = await served.connect()
    await client.ask('ab\ncd\n', '[ab][cd]')
  },

  'split_request may return plain Uint8Arrays': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest,
      splitRequest: (bytes: Buffer) => splitRequest(bytes).map((part) => new Uint8Array(part)),
      handleRequest: (request: Buffer) => bracket(Buffer.from(request)),
    })
    const client = await served.connect()
    await client.ask('ab\ncd\n', '[ab\n][cd\n]')
  },

  'the handler is given a Buffer': async (_t, ctx) => {
    const served = await ctx.serve({
      ...framed,
      handleRequest: (request: Buffer) => String(Buffer.isBuffer(request)),
    })
    const client = await served.connect()
    await client.ask('a\n', 'true')
  },

  'an empty request with a shorter rest is a request': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: (bytes: Buffer) => bytes.length > 0,
      splitRequest: (bytes: Buffer) => [bytes.subarray(0, 0), bytes.subarray(1)],
      handleRequest: bracket,
    })
    const client = await served.connect()
    await client.ask('abc', '[][][]')
  },

  'a rest that is not shorter closes with split': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        endRequest,
        splitRequest: (b: Buffer) => (b[0] === 33 ? [b, b] : splitRequest(b)),
      },
      act: async (served) => (await served.connect()).send('!\n'),
      reason: 'split',
    })
  },

  'a rest that is longer closes with split': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        endRequest,
        splitRequest: (b: Buffer) => (b[0] === 33 ? [b, Buffer.concat([b, b])] : splitRequest(b)),
      },
      act: async (served) => (await served.connect()).send('!\n'),
      reason: 'split',
    })
  },

  'requests before a bad split are answered in order or not at all': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        endRequest,
        splitRequest: (b: Buffer) => (b[0] === 33 ? [b, b] : splitRequest(b)),
      },
      act: async (served) => {
        const client = await served.connect()
        const rest = await client.send('a\nb\n!\n').rest()
        t.ok('a\nb\n'.startsWith(rest.toString()), `got ${rest}`)
      },
      reason: 'split',
    })
  },

  'an end_request that throws closes with handler_error': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        endRequest: (bytes: Buffer) => {
          if (bytes[0] === 33) throw new Error('cannot tell')
          return endRequest(bytes)
        },
        splitRequest,
      },
      act: async (served) => (await served.connect()).send('!\n'),
      reason: 'handler_error',
      log: /cannot tell/,
    })
  },

  'a split_request that throws closes with handler_error': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: {
        endRequest,
        splitRequest: (bytes: Buffer) => {
          if (bytes[0] === 33) throw new Error('cannot split')
          return splitRequest(bytes)
        },
      },
      act: async (served) => (await served.connect()).send('!\n'),
      reason: 'handler_error',
      log: /cannot split/,
    })
  },

  'a split_request that returns no pair closes its connection alone': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest,
      splitRequest: (b: Buffer) => (b[0] === 33 ? 'nonsense' : splitRequest(b)),
    })
    const [good, bad] = await served.connectMany(2)
    await good?.ask('fine\n')
    bad?.send('!\n')
    await bad?.expectEnd()
    await served.reach((s) => s.closed.handler_error + s.closed.split === 1, 'one closed by error')
    await good?.ask('fine\n')
  },

  'max_frame_size holds': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { ...framed, maxFrameSize: 1000 },
      act: async (served) => (await served.connect()).send('x'.repeat(5000)),
      reason: 'frame_size',
    })
  },

  'max_frame_size counts the unfinished frame, not those before it': async (_t, ctx) => {
    const served = await ctx.serve({ ...framed, maxFrameSize: 1000 })
    const client = await served.connect()
    for (let i = 0; i < 10; i++) await client.ask(`${'x'.repeat(900)}\n`)
  },

  'frame_timeout holds for a frame that never ends': async (t, ctx) => {
    await misbehave(t, ctx, {
      options: { ...framed, frameTimeout: brief(150) },
      act: async (served) => (await served.connect()).send('never'),
      reason: 'frame_timeout',
    })
  },

  'max_pipelined holds': async (t, ctx) => {
    let running = 0
    let most = 0
    const served = await ctx.serve({
      ...framed,
      maxPipelined: 8,
      handleRequest: async (request: Buffer) => {
        most = Math.max(most, ++running)
        await new Promise(setImmediate)
        running--
        return request
      },
    })
    const client = await served.connect()
    await client.ask(Array.from({ length: 200 }, (_, i) => `${i}\n`).join(''))
    t.ok(most <= 8, `at most 8 in flight, there were ${most}`)
  },

  'answers that are late keep their order': async (_t, ctx) => {
    const gates: (() => void)[] = []
    const served = await ctx.serve({
      ...framed,
      handleRequest: (request: Buffer) =>
        new Promise((resolve) => {
          gates.push(() => resolve(request))
          if (gates.length === 4) for (const open of gates.reverse()) setImmediate(open)
        }),
    })
    const client = await served.connect()
    await client.ask('a\nb\nc\nd\n')
  },

  'half-close: an unfinished frame is dropped and counted': async (t, ctx) => {
    const served = await ctx.serve(framed)
    const client = await served.connect()
    client.finish('a\nb')
    await client.expect('a\n')
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).dropped_frames, 1)
  },

  'half-close: what max_pipelined held back is answered before the rest is dropped': async (
    t,
    ctx,
  ) => {
    const served = await ctx.serve({
      ...framed,
      maxPipelined: 2,
      handleRequest: async (request: Buffer) => {
        await new Promise(setImmediate)
        return request
      },
    })
    const client = await served.connect()
    client.finish('a\nb\nc\nd\ne\nf')
    await client.expect('a\nb\nc\nd\ne\n')
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).dropped_frames, 1)
  },

  'a reset with an unfinished frame leaves nothing behind': async (t, ctx) => {
    const served = await misbehave(t, ctx, {
      options: framed,
      act: async (s) => {
        const bad = await s.connect()
        const before = (await s.stats()).bytes_in
        bad.send('half')
        await s.reach((stats) => stats.bytes_in >= before + 4, 'four more bytes')
        bad.reset()
      },
      reason: 'reset',
    })
    t.equal((await served.stats()).requests, 2)
  },
}
