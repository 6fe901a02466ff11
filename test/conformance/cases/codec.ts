// What a handler is given and what it may give back: decode_request, encode_response, types of replies.

import type { Case, Cases } from '../case.js'

/** One exchange with these options. */
function exchange(
  options: Record<string, unknown>,
  request: string | Buffer,
  reply: string | Buffer,
): Case {
  return async (_t, ctx) => {
    const served = await ctx.serve(options)
    const client = await served.connect()
    await client.ask(request, reply)
    await client.ask(request, reply)
  }
}

const typed = (value: unknown): string => `${typeof value}:${value}`
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

export const codec: Cases = {
  'decode_request utf8': exchange(
    { decodeRequest: 'utf8', handleRequest: typed },
    'é\n',
    'string:é\n',
  ),
  'decode_request latin1: and strings go back as latin1': exchange(
    { decodeRequest: 'latin1', handleRequest: (s: string) => `<${s}>` },
    bytes('e9ff0a'),
    bytes('3ce9ff0a3e'),
  ),
  'decode_request ascii': exchange(
    { decodeRequest: 'ascii', handleRequest: (s: string) => s.toUpperCase() },
    'abc\n',
    'ABC\n',
  ),
  'decode_request hex': exchange(
    { decodeRequest: 'hex', encodeResponse: 'utf8', handleRequest: typed },
    'ab\n',
    'string:61620a',
  ),
  'decode_request base64': exchange(
    { decodeRequest: 'base64', encodeResponse: 'utf8', handleRequest: typed },
    'ab\n',
    'string:YWIK',
  ),
  'decode_request json': exchange(
    {
      decodeRequest: 'json',
      encodeResponse: 'json',
      handleRequest: (v: { n: number }) => ({ n: v.n + 1 }),
    },
    '{"n":1}\n',
    '{"n":2}',
  ),
  'decode_request as a function': exchange(
    {
      decodeRequest: (b: Buffer) => b.toString().trim().split(' '),
      handleRequest: (words: string[]) => words.reverse().join(' '),
    },
    'a b c\n',
    'c b a',
  ),
  'encode_response hex': exchange(
    { encodeResponse: 'hex', handleRequest: () => '616263' },
    'x\n',
    'abc',
  ),
  'encode_response base64': exchange(
    { encodeResponse: 'base64', handleRequest: () => 'YWJj' },
    'x\n',
    'abc',
  ),
  'encode_response latin1': exchange(
    { encodeResponse: 'latin1', handleRequest: () => 'é' },
    'x\n',
    bytes('e9'),
  ),
  'encode_response as a function': exchange(
    { encodeResponse: (n: number) => `${n};`, handleRequest: (r: Buffer) => r.length },
    'abc\n',
    '4;',
  ),
  'encode_response as a function that gives bytes': exchange(
    { encodeResponse: (n: number) => Uint8Array.of(n), handleRequest: () => 65 },
    'x\n',
    'A',
  ),
  'encode_response sees late replies and pieces of streams': exchange(
    {
      encodeResponse: (n: number) => `${n};`,
      handleRequest: async (r: Buffer) =>
        r.length > 2
          ? 7
          : (async function* () {
              yield 1
              yield 2
            })(),
    },
    'a\nbb\n',
    '1;2;7;',
  ),

  'a reply in utf8': exchange({ handleRequest: () => 'γάιδαρος 🐴' }, 'x\n', 'γάιδαρος 🐴'),
  'a Buffer of its own': exchange({ handleRequest: () => Buffer.from('own') }, 'x\n', 'own'),
  'a Uint8Array': exchange({ handleRequest: () => Uint8Array.of(1, 2, 3) }, 'x\n', bytes('010203')),
  'a view into the middle of an ArrayBuffer': exchange(
    {
      handleRequest: () => new Uint8Array(Uint8Array.from({ length: 9 }, (_, i) => i).buffer, 3, 4),
    },
    'x\n',
    bytes('03040506'),
  ),
  'an ArrayBuffer': exchange(
    { handleRequest: () => Uint8Array.of(9, 8).buffer },
    'x\n',
    bytes('0908'),
  ),
  'an empty Buffer, an empty string': exchange(
    { handleRequest: (r: Buffer) => (r.length === 2 ? '' : r.length === 3 ? Buffer.alloc(0) : r) },
    'a\nbb\nccc\n',
    'ccc\n',
  ),
  'the request itself': exchange({ handleRequest: (r: Buffer) => r }, 'abc\n', 'abc\n'),
  'a part of the request': exchange(
    { handleRequest: (r: Buffer) => r.subarray(1, -1) },
    'abc\n',
    'bc',
  ),
  'the request, changed in place': exchange(
    {
      handleRequest: (r: Buffer) => {
        r[0] = 42
        return r
      },
    },
    'abc\n',
    '*bc\n',
  ),

  'a request of before, from an older slab': async (_t, ctx) => {
    let first: Buffer | undefined
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => {
        first ??= r
        return r.includes('first?') ? first : r
      },
    })
    const client = await served.connect()
    await client.ask('the first\n')
    const noise = `${'n'.repeat(999)}\n`.repeat(300)
    for (let i = 0; i < 5; i++) {
      await client.ask(noise)
      await client.ask('first?\n', 'the first\n')
    }
  },

  'one Buffer used again for every reply': async (_t, ctx) => {
    const scratch = Buffer.alloc(8)
    let count = 0
    const served = await ctx.serve({
      handleRequest: () => scratch.subarray(0, scratch.write(`${count++};`)),
    })
    const client = await served.connect()
    await client.ask('x\n'.repeat(500), Array.from({ length: 500 }, (_, i) => `${i};`).join(''))
  },

  'a Buffer that is changed after its late reply was given': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async () => {
        const own = Buffer.from('before;')
        setImmediate(() => own.fill('!'))
        return own
      },
    })
    const client = await served.connect()
    await client.ask('x\n'.repeat(50), 'before;'.repeat(50))
  },

  'a piece of a stream that is changed after it was given': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async function* () {
        const own = Buffer.alloc(4)
        for (let i = 0; i < 50; i++) {
          own.write(`${String(i).padStart(3, '0')};`)
          yield own
        }
      },
    })
    const client = await served.connect()
    const text = Array.from({ length: 50 }, (_, i) => `${String(i).padStart(3, '0')};`).join('')
    await client.ask('x\n', text)
  },

  'replies of 1 MB, a hundred of them': async (t, ctx) => {
    const big = Buffer.alloc(1024 * 1024, 'big!')
    const served = await ctx.serve({ handleRequest: () => big })
    const client = await served.connect()
    client.send('x\n'.repeat(32))
    const got = await client.take(32 * big.length)
    t.ok(got.subarray(-big.length).equals(big))
  },

  'a long string of many-byte characters': async (_t, ctx) => {
    const text = 'ω'.repeat(300_000)
    const served = await ctx.serve({ handleRequest: () => text })
    const client = await served.connect()
    await client.ask('x\n', text)
  },

  'strip: a late reply and a stream get the delimiter once': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'delimiter:;,strip',
      handleRequest: (r: Buffer) =>
        r.includes('stream')
          ? (async function* () {
              yield 'a'
              yield 'b'
            })()
          : Promise.resolve(`late ${r}`),
    })
    const client = await served.connect()
    await client.ask('x;stream;y;', 'late x;ab;late y;')
  },

  'strip: an undefined reply gets no delimiter': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'line,strip',
      handleRequest: (r: Buffer) => (r.includes('no') ? undefined : r),
    })
    const client = await served.connect()
    await client.ask('no\nyes\n', 'yes\n')
  },

  'strip: an empty reply is a delimiter': exchange(
    { endRequest: 'line,strip', handleRequest: () => '' },
    'a\nb\n',
    '\n\n',
  ),

  'strip: connection.write adds nothing': async (_t, ctx) => {
    const served = await ctx.serve({
      endRequest: 'line,strip',
      handleRequest: (r: Buffer, connection: { write(d: string): boolean }) => {
        connection.write('raw ')
        return r
      },
    })
    const client = await served.connect()
    await client.ask('a\n', 'raw a\n')
  },
}
