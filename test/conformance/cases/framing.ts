// Declared framers: what is one request, however the bytes arrive.

import type { Batch } from '../../../lib/handler/contract.js'
import type { Cases } from '../case.js'

/** Payloads are shown to the test in hexadecimal between brackets, so that a frame's bounds are seen. */
const bracket = (request: Buffer): string => `[${request.toString('latin1')}]`

interface Sample {
  framer: string
  /** Bytes on the wire, as latin1. */
  wire: string
  /** What the handler that brackets each request sends. */
  replies: string
}

/** One sample for each kind of framer, with at least two frames in it. */
const SAMPLES: Record<string, Sample> = {
  line: { framer: 'line', wire: 'ab\n\ncd\r\n', replies: '[ab\n][\n][cd\r\n]' },
  'line,strip': { framer: 'line,strip', wire: 'ab\n\ncd\n', replies: '[ab]\n[]\n[cd]\n' },
  'delimiter of two bytes': {
    framer: 'delimiter:\\r\\n',
    wire: 'a\nb\r\n\rc\r\r\n',
    replies: '[a\nb\r\n][\rc\r\r\n]',
  },
  'delimiter of two bytes, strip': {
    framer: 'delimiter:\\r\\n,strip',
    wire: 'a\r\n\r\nb\r\n',
    replies: '[a]\r\n[]\r\n[b]\r\n',
  },
  'delimiter that overlaps itself': {
    framer: 'delimiter:aab',
    wire: 'aaabxaabaab',
    replies: '[aaab][xaab][aab]',
  },
  'delimiter of one zero byte': {
    framer: 'delimiter:\\0',
    wire: 'a\n\0b\0',
    replies: '[a\n\0][b\0]',
  },
  'length u8': { framer: 'length:u8', wire: '\x02ab\x00\x01c', replies: '[\x02ab][\x00][\x01c]' },
  'length u16be': {
    framer: 'length:u16be',
    wire: '\x00\x02ab\x00\x00',
    replies: '[\x00\x02ab][\x00\x00]',
  },
  'length u16le': {
    framer: 'length:u16le',
    wire: '\x02\x00ab\x01\x00c',
    replies: '[\x02\x00ab][\x01\x00c]',
  },
  'length u32be': {
    framer: 'length:u32be',
    wire: '\x00\x00\x00\x02ab\x00\x00\x00\x00',
    replies: '[\x00\x00\x00\x02ab][\x00\x00\x00\x00]',
  },
  'length u32le': {
    framer: 'length:u32le',
    wire: '\x02\x00\x00\x00ab\x01\x00\x00\x00c',
    replies: '[\x02\x00\x00\x00ab][\x01\x00\x00\x00c]',
  },
  'length with offset': {
    framer: 'length:u8,offset=2',
    wire: 'XY\x02abZZ\x00',
    replies: '[XY\x02ab][ZZ\x00]',
  },
  'length with adjust': {
    framer: 'length:u8,adjust=2',
    wire: '\x00ab\x01abc',
    replies: '[\x00ab][\x01abc]',
  },
  'length inclusive': {
    framer: 'length:u16be,inclusive',
    wire: '\x00\x04ab\x00\x02\x00\x03c',
    replies: '[\x00\x04ab][\x00\x02][\x00\x03c]',
  },
  'length u8, strip': {
    framer: 'length:u8,strip',
    wire: '\x02ab\x00\x01c',
    replies: '\x04[ab]\x02[]\x03[c]',
  },
  'length u32be, strip': {
    framer: 'length:u32be,strip',
    wire: '\x00\x00\x00\x01a\x00\x00\x00\x00',
    replies: '\x00\x00\x00\x03[a]\x00\x00\x00\x02[]',
  },
  'length inclusive, strip': {
    framer: 'length:u16be,inclusive,strip',
    wire: '\x00\x04ab\x00\x02',
    replies: '\x00\x06[ab]\x00\x04[]',
  },
  varint: { framer: 'varint', wire: '\x02ab\x00\x01c', replies: '[\x02ab][\x00][\x01c]' },
  'varint of two bytes, strip': {
    framer: 'varint,strip',
    wire: `\x80\x01${'x'.repeat(128)}\x01y`,
    replies: `\x82\x01[${'x'.repeat(128)}]\x03[y]`,
  },
  'fixed size': { framer: 'fixed:4', wire: 'abcd\n\n\n\nefgh', replies: '[abcd][\n\n\n\n][efgh]' },
  'fixed size of one': { framer: 'fixed:1', wire: 'ab\n', replies: '[a][b][\n]' },
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

function sampleCases(): Cases {
  const cases: Cases = {}
  const options = (sample: Sample) => ({
    endRequest: sample.framer,
    decodeRequest: (request: Buffer) => request,
    handleRequest: (request: Buffer) => bytes(bracket(request)),
  })
  for (const [name, sample] of Object.entries(SAMPLES)) {
    cases[`${name}: frames that arrive at once`] = async (t, ctx) => {
      const served = await ctx.serve(options(sample))
      const client = await served.connect()
      await client.ask(bytes(sample.wire), bytes(sample.replies))
      t.equal((await served.stats()).dropped_frames, 0)
    }
    cases[`${name}: frames that arrive byte by byte`] = async (t, ctx) => {
      const served = await ctx.serve(options(sample))
      const client = await served.connect()
      await client.trickle(bytes(sample.wire), async () => (await served.stats()).bytes_in)
      await client.expect(bytes(sample.replies))
      client.finish()
      await client.expectEnd('fin')
      t.equal((await served.stats()).dropped_frames, 0)
    }
  }
  return cases
}

/** Lines of all lengths up to 80, so that many offsets of a receive buffer are hit. */
function manyLines(count: number): Buffer {
  const lines = Array.from({ length: count }, (_, i) => `${i}:${'x'.repeat(i % 80)}\n`)
  return Buffer.from(lines.join(''))
}

export const framing: Cases = {
  ...sampleCases(),

  'line is the default, echo is the default handler': async (_t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask('hello\n')
  },

  'line: text that was cut inside a UTF-8 character': async (_t, ctx) => {
    const served = await ctx.serve({
      decodeRequest: 'utf8',
      handleRequest: (text: string) => text.toUpperCase(),
    })
    const client = await served.connect()
    await client.trickle('gaïdaros γάιδαρος\n', async () => (await served.stats()).bytes_in)
    await client.expect('GAÏDAROS ΓΆΙΔΑΡΟΣ\n')
  },

  'line,strip: one CR before the newline goes too': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'line,strip',
      handleRequest: (r: Buffer) => bracket(r),
    })
    const client = await served.connect()
    await client.ask('ab\r\ncd\r\r\n\r\n', '[ab]\n[cd\r]\n[]\n')
  },

  'line: ten thousand lines in one write': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask(manyLines(10_000))
    t.equal((await served.stats()).requests, 10_000)
  },

  'line: every byte value but the newline passes': async (_t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter((i) => i !== 10))
    await client.ask(Buffer.concat([all, Buffer.from('\n')]))
  },

  'line: a frame of 300 kB, longer than the slab, whole': async (_t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask(`${'0123456789'.repeat(30_000)}\n`)
  },

  'line: small frames before and behind a big one': async (_t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask(`a\nb\n${'x'.repeat(400_000)}\nc\nd\n`)
  },

  'line: a frame just as long as max_frame_size': async (_t, ctx) => {
    const served = await ctx.serve({ maxFrameSize: 1000 })
    const client = await served.connect()
    await client.ask(`${'x'.repeat(999)}\n`)
    await client.ask(`${'y'.repeat(999)}\n`)
  },

  'line: max_frame_size 0 lets 3 MB pass': async (_t, ctx) => {
    const served = await ctx.serve({ maxFrameSize: 0 })
    const client = await served.connect()
    await client.ask(`${'z'.repeat(3_000_000)}\n`)
  },

  'delimiter of 255 bytes': async (_t, ctx) => {
    const delimiter = Buffer.alloc(255, 'd')
    const served = await ctx.serve({
      endRequest: { framer: 'delimiter', delimiter, strip: true },
      handleRequest: bracket,
    })
    const client = await served.connect()
    await client.ask(Buffer.concat([Buffer.from('ab'), delimiter]), `[ab]${delimiter}`)
  },

  'delimiter as an object with text': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: { framer: 'delimiter', delimiter: ';' },
      handleRequest: bracket,
    })
    const client = await served.connect()
    await client.ask('a;b;', '[a;][b;]')
  },

  'length as an object': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: { framer: 'length', type: 'u16le', strip: true },
      handleRequest: bracket,
    })
    const client = await served.connect()
    await client.ask('\x01\x00a', '\x03\x00[a]')
  },

  'fixed as an object, frames longer than the slab': async (t, ctx) => {
    const size = 300_000
    const served = await ctx.serve({
      endRequest: { framer: 'fixed', size },
      handleRequest: (request: Buffer) => `${request.length};`,
    })
    const client = await served.connect()
    await client.ask(Buffer.alloc(2 * size), `${size};${size};`)
    t.equal((await served.stats()).requests, 2)
  },

  'strip: frames longer than 64 KiB are without their length': async (_t, ctx) => {
    const payload = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
    const frame = Buffer.concat([Buffer.alloc(4), payload])
    frame.writeUInt32BE(payload.length, 0)
    const handlers = [
      { handleRequest: (request: Buffer) => Buffer.from(request) },
      {
        handleBatch: (batch: Batch) => {
          for (const request of batch) request.reply(Buffer.from(request.bytes()))
        },
      },
    ]
    for (const handler of handlers) {
      const served = await ctx.serve({ endRequest: 'length:u32be,strip', ...handler })
      const client = await served.connect()
      await client.ask(Buffer.concat([frame, frame]))
    }
  },

  'a declared framer may be given as split_request': async (_t, ctx) => {
    const served = await ctx.serve({ splitRequest: 'fixed:2', handleRequest: bracket })
    const client = await served.connect()
    await client.ask('abcd', '[ab][cd]')
  },

  'eof: all input is one request, answered at half-close': async (_t, ctx) => {
    const served = await ctx.serve({ endRequest: 'eof', handleRequest: bracket })
    const client = await served.connect()
    await client.write('one\ntwo')
    client.finish('\nthree')
    await client.expect('[one\ntwo\nthree]')
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'eof: 500 kB in pieces': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'eof',
      handleRequest: (request: Buffer) => `${request.length} ${request.subarray(-3)}`,
    })
    const client = await served.connect()
    for (let i = 0; i < 50; i++) await client.write(Buffer.alloc(10_000, 'e'))
    client.finish('end')
    await client.expect('500003 end')
    await client.expectEnd('fin')
  },

  'eof: no input is no request': async (t, ctx) => {
    const served = await ctx.serve({ endRequest: 'eof', handleRequest: bracket })
    const client = await served.connect()
    client.finish()
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).requests, 0)
  },

  'requests are the handler’s to keep': async (t, ctx) => {
    const kept: Buffer[] = []
    const served = await ctx.serve({
      handleRequest: (request: Buffer) => {
        kept.push(request)
        return request
      },
    })
    const [one, two] = await served.connectMany(2)
    const lines = manyLines(8000)
    await Promise.all([one?.ask(lines), two?.ask(lines)])
    for (let i = 0; i < 20; i++) await one?.ask(lines)
    t.equal(kept.length, 22 * 8000)
    const texts = new Map<string, number>()
    for (const request of kept) {
      const text = request.toString()
      texts.set(text, (texts.get(text) ?? 0) + 1)
    }
    t.equal(texts.size, 8000, 'no request was overwritten by a later one')
    t.ok(
      [...texts.values()].every((n) => n === 22),
      'each was seen once a round',
    )
  },
}
