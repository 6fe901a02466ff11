// Compressed streams, and datagrams: what comes is inflated, what leaves is compressed, within limits, to the end.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import zlib from 'node:zlib'
import type { Test } from 'tap'
import type { CloseReason } from '../../../lib/engine/reasons.js'
import type { Case, Cases, Context } from '../case.js'
import type { Client } from '../client.js'
import { type Codes, Coding, hasZstd, type Method, zstd } from '../coding.js'
import { until } from '../deadline.js'
import type { Options, Served } from '../served.js'

const METHODS: readonly Method[] = ['zlib', 'gzip', 'brotli', ...(hasZstd ? ['zstd' as const] : [])]

const DEFLATE: Record<Method, Codes> = {
  zlib: zlib.deflateSync,
  gzip: zlib.gzipSync,
  brotli: zlib.brotliCompressSync as Codes,
  zstd: zstd.zstdCompressSync,
}
const INFLATE: Record<Method, Codes> = {
  zlib: zlib.inflateSync,
  gzip: zlib.gunzipSync,
  brotli: zlib.brotliDecompressSync as Codes,
  zstd: zstd.zstdDecompressSync,
}

const MIB = 1024 * 1024
/** More than loopback socket buffers hold in both directions together. */
const BEYOND_BUFFERS = 24 * MIB

const serve = (ctx: Context, compress: string, options: Options = {}): Promise<Served> =>
  ctx.serve({ compress, ...options })

/** A client whose bytes are its own: neither compressed nor inflated. */
const rawClient = (served: Served): Promise<Client> => served.connect({ compress: 'none' })

/** The case for each method. */
const each = (name: string, run: (t: Test, ctx: Context, method: Method) => Promise<void>): Cases =>
  Object.fromEntries(
    METHODS.map((method): [string, Case] => [
      `${method}: ${name}`,
      (t, ctx) => run(t, ctx, method),
    ]),
  )

/** Lines that compress as text does, `bytes` of them or a little more. */
function text(bytes: number): string {
  let out = ''
  for (let i = 0; out.length < bytes; i++) out += `${i} ${Math.sin(i)}\n`
  return out
}

/** Whole streams, sent raw and then FIN, give this whole stream back. */
async function gives(
  t: Test,
  served: Served,
  method: Method,
  sent: Uint8Array,
  wanted: string,
): Promise<void> {
  const client = await rawClient(served)
  client.finish(sent)
  const got = await client.rest()
  t.equal(String(INFLATE[method](got)), wanted)
}

/** What comes ends the connection for `reason`, behind the answer to what was asked before; a good client is served on. */
const ends =
  (
    method: Method,
    reason: CloseReason,
    sent: () => Uint8Array,
    answered: string,
    options: Options = {},
  ): Case =>
  async (t, ctx) => {
    const served = await serve(ctx, method, options)
    const good = await served.connect()
    await good.ask('fine\n')
    const bad = await rawClient(served)
    bad.finish(sent())
    const got = await bad.rest()
    t.equal(String(INFLATE[method](got)), answered, 'what was asked before is answered')
    await served.reachClosed(reason)
    t.equal(await served.closed(reason), 1)
    t.match(await served.logged(new RegExp(reason)), /127\.0\.0\.1|unix/)
    await good.ask('still fine\n')
  }

/** The constructor, or the start, refuses these options with a text that matches. */
const refused =
  (options: Options, message: RegExp): Case =>
  async (t, ctx) => {
    await t.rejects(
      async () => {
        await ctx.serve(options)
      },
      { message, code: /^ERR_GAIDAROS_/ },
    )
  }

const streams: Cases = {
  ...each('a line at a time, none has to wait for the next', async (_t, ctx, method) => {
    const served = await serve(ctx, method)
    const client = await served.connect()
    for (let i = 0; i < 20; i++) await client.ask(`line ${i}\n`)
  }),
  ...each('both ends of the stream are whole', async (t, ctx, method) => {
    const served = await serve(ctx, method)
    await gives(t, served, method, DEFLATE[method]('one\ntwo\n'), 'one\ntwo\n')
    await served.reachClosed('end')
  }),
  ...each('byte by byte', async (t, ctx, method) => {
    const served = await serve(ctx, method)
    const client = await rawClient(served)
    for (const byte of DEFLATE[method]('one\ntwo\nthree\n')) await client.write(Uint8Array.of(byte))
    client.finish()
    t.equal(String(INFLATE[method](await client.rest())), 'one\ntwo\nthree\n')
  }),
  ...each('1 MiB each way', async (t, ctx, method) => {
    const served = await serve(ctx, method, { maxFrameSize: '2m' })
    const sent = `${text(MIB).replaceAll('\n', ' ')}\n`
    await gives(t, served, method, DEFLATE[method](sent), sent)
  }),
  ...each('a few bytes that become many', async (t, ctx, method) => {
    const served = await serve(ctx, method, { inflateRatio: 0, maxFrameSize: '2m' })
    const sent = `a\n${'x'.repeat(MIB)}\nb\n`
    await gives(t, served, method, DEFLATE[method](sent), sent)
  }),
  ...each('1 MiB of short lines each way, FIN behind them', async (t, ctx, method) => {
    const served = await serve(ctx, method)
    const sent = text(MIB)
    await gives(t, served, method, DEFLATE[method](sent), sent)
    t.equal((await served.stats()).requests, sent.split('\n').length - 1)
  }),
  ...each('a peer that says nothing and leaves', async (t, ctx, method) => {
    const served = await serve(ctx, method)
    await gives(t, served, method, Buffer.alloc(0), '')
    await served.reachClosed('end')
  }),
  ...each('an empty stream', async (t, ctx, method) => {
    const served = await serve(ctx, method)
    await gives(t, served, method, DEFLATE[method](''), '')
    await served.reachClosed('end')
  }),
  ...each('a reply that ends the connection ends its stream', async (t, ctx, method) => {
    const served = await serve(ctx, method, { handleRequest: (r: Buffer) => [r, false] })
    const client = await rawClient(served)
    client.send(DEFLATE[method]('bye\n'))
    t.equal(String(INFLATE[method](await client.rest())), 'bye\n')
    client.finish()
    await served.reachClosed('done')
  }),
  ...each('a slow reader gets a reply of 4 MiB whole', async (t, ctx, method) => {
    const reply = Buffer.from(text(4 * MIB))
    const served = await serve(ctx, method, {
      outputLimit: '8m',
      handleRequest: () => reply,
    })
    const client = await served.connect({ reading: false })
    client.send('go\n')
    await served.reach((s) => s.replies === 1, 'the reply')
    client.read()
    t.ok((await client.take(reply.length)).equals(reply))
  }),
  ...each(
    'what inflates to nothing that ends a line is a frame too long',
    async (t, ctx, method) => {
      const served = await serve(ctx, method, { inflateRatio: 0, inflateMax: 0 })
      const client = await rawClient(served)
      client.send(DEFLATE[method](Buffer.alloc(64 * MIB)))
      await client.rest()
      client.finish()
      await served.reachClosed('frame_size')
      t.ok((await served.stats()).bytes_in < 4 * MIB, 'it is not inflated beyond that')
    },
  ),
  ...each(
    'a stream of many short lines waits for its answers, and all come',
    async (t, ctx, method) => {
      const served = await serve(ctx, method, { inflateRatio: 0, inflateMax: 0, maxPipelined: 4 })
      const sent = 'x\n'.repeat(200_000)
      await gives(t, served, method, DEFLATE[method](sent), sent)
    },
  ),
  'gzip: a pipeline of a thousand late answers, in order': async (t, ctx) => {
    const served = await serve(ctx, 'gzip', {
      handleRequest: (r: Buffer) => new Promise((resolve) => setImmediate(resolve, r)),
    })
    const sent = Array.from({ length: 1000 }, (_, i) => `${i}\n`).join('')
    await gives(t, served, 'gzip', zlib.gzipSync(sent), sent)
  },
  'gzip: framing by functions': async (t, ctx) => {
    const served = await serve(ctx, 'gzip', {
      splitRequest: (bytes: Buffer) => [bytes.subarray(0, 5), bytes.subarray(5)],
      endRequest: (bytes: Buffer) => bytes.length >= 5,
    })
    const sent = text(300_000).slice(0, 300_000)
    await gives(t, served, 'gzip', zlib.gzipSync(sent), sent)
  },
  'zlib: length framing': async (_t, ctx) => {
    const served = await serve(ctx, 'zlib', { endRequest: 'length:u32be,strip' })
    const client = await served.connect()
    await client.ask(Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from('abc')]))
  },
  'zlib: the end of input is what ends the request': async (t, ctx) => {
    const served = await serve(ctx, 'zlib', { endRequest: 'eof' })
    const sent = text(500_000)
    await gives(t, served, 'zlib', zlib.deflateSync(sent), sent)
  },
  'gzip: a streamed reply': async (t, ctx) => {
    const served = await serve(ctx, 'gzip', {
      handleRequest: async function* () {
        for (let i = 0; i < 50; i++) yield `piece ${i}\n`
      },
    })
    const wanted = Array.from({ length: 50 }, (_, i) => `piece ${i}\n`).join('')
    await gives(t, served, 'gzip', zlib.gzipSync('go\n'), wanted)
  },
  'gzip: a client that never reads is closed by write_timeout': async (_t, ctx) => {
    const { randomBytes } = await import('node:crypto')
    const reply = randomBytes(BEYOND_BUFFERS)
    const served = await serve(ctx, 'gzip', {
      writeTimeout: '500ms',
      compressLevel: 0,
      handleRequest: () => reply,
    })
    const client = await served.connect({ reading: false })
    client.send('go\n')
    await served.reachClosed('write_timeout')
  },
  'zlib: each reply by itself with tcp_nodelay': async (_t, ctx) => {
    const served = await serve(ctx, 'zlib', { tcpNodelay: true })
    const client = await served.connect()
    await client.ask('one\ntwo\nthree\n')
  },
  'gzip: a server that closes ends the streams of idle connections': async (t, ctx) => {
    const served = await serve(ctx, 'gzip')
    const client = await rawClient(served)
    client.send(zlib.gzipSync('one\n'))
    await served.reach((s) => s.replies === 1, 'the reply')
    const closed = served.server.close()
    t.equal(String(zlib.gunzipSync(await client.rest())), 'one\n')
    client.finish()
    await closed
  },
  'gzip: the PROXY header stands before the stream': async (t, ctx) => {
    const served = await serve(ctx, 'gzip', { proxyProtocol: 'v1' })
    const header = Buffer.from('PROXY TCP4 10.1.2.3 10.1.2.4 12345 443\r\n')
    await gives(t, served, 'gzip', Buffer.concat([header, zlib.gzipSync('one\n')]), 'one\n')
  },
  'gzip: on a unix socket': async (t, ctx) => {
    const served = await serve(ctx, 'gzip', { protocol: 'unixsocket' })
    await gives(t, served, 'gzip', zlib.gzipSync('one\n'), 'one\n')
  },
  'gzip: settings of level, window and memory': async (t, ctx) => {
    const settings = { compressLevel: 9, compressWindow: 9, compressMemory: 1 }
    const served = await serve(ctx, 'gzip', { ...settings, maxFrameSize: '2m' })
    const sent = text(MIB)
    await gives(t, served, 'gzip', zlib.gzipSync(sent), sent)
  },
  'zlib: bytes before and after are counted': async (t, ctx) => {
    const served = await serve(ctx, 'zlib')
    const line = `${'x'.repeat(10_000)}\n`
    const sent = zlib.deflateSync(line)
    await gives(t, served, 'zlib', sent, line)
    const stats = await served.stats()
    t.equal(stats.bytes_in, line.length)
    t.equal(stats.bytes_out, line.length)
    t.equal(stats.compressed_bytes_in, sent.length)
    t.ok(stats.compressed_bytes_out > 0 && stats.compressed_bytes_out < 1000)
  },
}

const members: Cases = {
  'gzip: members behind one another are one stream': async (t, ctx) => {
    const served = await serve(ctx, 'gzip')
    const sent = Buffer.concat([
      zlib.gzipSync('one\ntw'),
      zlib.gzipSync(''),
      zlib.gzipSync('o\nthree\n'),
    ])
    await gives(t, served, 'gzip', sent, 'one\ntwo\nthree\n')
    const client = await rawClient(served)
    for (const byte of sent) await client.write(Uint8Array.of(byte))
    client.finish()
    t.equal(String(zlib.gunzipSync(await client.rest())), 'one\ntwo\nthree\n')
  },
  ...(hasZstd && {
    'zstd: frames behind one another are one stream, and some are skipped': async (t, ctx) => {
      const served = await serve(ctx, 'zstd')
      const skipped = Buffer.from('572a4d1803000000787878', 'hex')
      const sent = Buffer.concat(
        ['one\ntw', '', 'o\nthree\n'].flatMap((plain) => [skipped, DEFLATE.zstd(plain)]),
      )
      await gives(t, served, 'zstd', sent, 'one\ntwo\nthree\n')
      const client = await rawClient(served)
      for (const byte of sent) await client.write(Uint8Array.of(byte))
      client.finish(skipped)
      t.equal(String(INFLATE.zstd(await client.rest())), 'one\ntwo\nthree\n')
    },
    'zstd: a window beyond inflate_window': async (_t, ctx) => {
      const served = await serve(ctx, 'zstd', { inflateWindow: 16 })
      for (const window of [16, 17]) {
        // 101: ZSTD_c_windowLog, of a frame that does not say its size.
        const coding = new Coding('zstd', { 101: window })
        const client = await rawClient(served)
        client.finish(Buffer.concat([coding.encode('one\n'), coding.finish()]))
        await client.rest()
        await served.reachClosed(window === 16 ? 'end' : 'inflate_error')
      }
    },
  }),
  'gzip: zeros behind the last member are padding': async (t, ctx) => {
    const served = await serve(ctx, 'gzip')
    const sent = Buffer.concat([zlib.gzipSync('one\n'), Buffer.alloc(1000)])
    await gives(t, served, 'gzip', sent, 'one\n')
    await served.reachClosed('end')
  },
  'gzip: a header with a name, a comment and more': async (t, ctx) => {
    const plain = zlib.gzipSync('one\n')
    const fields = Buffer.from('\x02\x00abname\0comment\0', 'latin1')
    const head = Buffer.concat([plain.subarray(0, 10), fields])
    head[3] = 4 | 8 | 16
    const served = await serve(ctx, 'gzip')
    await gives(t, served, 'gzip', Buffer.concat([head, plain.subarray(10)]), 'one\n')
  },
}

const flipped = (stream: Buffer, at: number): Buffer => {
  const wrong = Buffer.from(stream)
  wrong[at < 0 ? wrong.length + at : at] = (wrong.at(at) ?? 0) ^ 0xff
  return wrong
}
const behind = (stream: Buffer, more: string): Buffer => Buffer.concat([stream, Buffer.from(more)])

/** A stream without its end, of which all that went into it can be read. */
function unfinished(method: Method, plain: string): Buffer {
  if (method === 'brotli') return DEFLATE.brotli(plain).subarray(0, -1)
  if (method === 'zstd') return new Coding('zstd').encode(plain)
  return DEFLATE[method](plain, { finishFlush: zlib.constants.Z_SYNC_FLUSH })
}

const wrong: Cases = {
  ...each('what is no such stream', (t, ctx, method) =>
    ends(method, 'inflate_error', () => Buffer.from('\x11hello\n'), '')(t, ctx),
  ),
  ...each('something behind the end of the stream', (t, ctx, method) =>
    ends(
      method,
      'inflate_trailing',
      () => behind(DEFLATE[method]('one\n'), 'hello\n'),
      'one\n',
    )(t, ctx),
  ),
  ...each('FIN in the midst of the stream', (t, ctx, method) =>
    ends(method, 'inflate_truncated', () => unfinished(method, 'one\n'), 'one\n')(t, ctx),
  ),
  'gzip: a wrong checksum': ends(
    'gzip',
    'inflate_error',
    () => flipped(zlib.gzipSync('one\n'), -5),
    'one\n',
  ),
  'gzip: something behind padding': ends(
    'gzip',
    'inflate_trailing',
    () => Buffer.concat([zlib.gzipSync('one\n'), Buffer.alloc(3), zlib.gzipSync('two\n')]),
    'one\n',
  ),
  'zlib: a stream that asks for a dictionary': ends(
    'zlib',
    'inflate_error',
    () => zlib.deflateSync('one\n', { dictionary: Buffer.from('one') }),
    '',
  ),
  ...each('a bomb is stopped by inflate_ratio', async (t, ctx, method) => {
    const served = await serve(ctx, method, { maxPipelined: 0 })
    const client = await rawClient(served)
    client.send(DEFLATE[method]('\n'.repeat(64 * MIB)))
    await client.rest()
    client.finish()
    await served.reachClosed('inflate_limit')
    await served.logged(/inflate_limit/)
    t.ok((await served.stats()).bytes_in < 32 * MIB, 'long before its end')
  }),
  'zlib: a bomb is stopped by inflate_max': async (t, ctx) => {
    const served = await serve(ctx, 'zlib', {
      inflateRatio: 0,
      inflateMax: '256k',
      maxPipelined: 0,
    })
    const client = await rawClient(served)
    client.send(zlib.deflateSync('\n'.repeat(16 * MIB)))
    await client.rest()
    client.finish()
    await served.reachClosed('inflate_limit')
    t.ok((await served.stats()).bytes_in <= 256 * 1024)
  },
  'zlib: limits hold for connections that are open when they change': async (_t, ctx) => {
    const served = await serve(ctx, 'zlib')
    const client = await rawClient(served)
    const stream = zlib.deflateSync('\n'.repeat(MIB), { level: 9 })
    client.send(stream.subarray(0, 4))
    await served.reach((s) => s.compressed_bytes_in === 4, 'the first bytes')
    served.server.setLimits({ inflateMax: 1000 })
    client.send(stream.subarray(4))
    await client.rest()
    client.finish()
    await served.reachClosed('inflate_limit')
  },
  'brotli: a window beyond inflate_window': async (_t, ctx) => {
    const served = await serve(ctx, 'brotli', { inflateWindow: 16 })
    for (const window of [16, 17]) {
      const params = { [zlib.constants.BROTLI_PARAM_LGWIN]: window }
      const client = await rawClient(served)
      client.finish(zlib.brotliCompressSync('one\n', { params }))
      await client.rest()
      await served.reachClosed(window === 16 ? 'end' : 'inflate_error')
    }
  },
}

const starts: Cases = {
  'a method that is none': refused({ compress: 'lzma' }, /compress.*lzma.*zlib/s),
  'a level that the method does not have': refused(
    { compress: 'gzip', compressLevel: 10 },
    /compress_?[lL]evel.*0 to 9/s,
  ),
  'a window that the method does not have': refused(
    { compress: 'zlib', compressWindow: 8 },
    /compress_?[wW]indow.*9 to 15/s,
  ),
  'memory of another method': refused(
    { compress: 'brotli', compressMemory: 3 },
    /compress_?[mM]emory.*no such thing/s,
  ),
  'a level without a method': refused({ compressLevel: 3 }, /compress_?[lL]evel/s),
  'zstd, or one line that says what is wanting': async (t, ctx) => {
    const served = ctx.make({ compress: 'zstd' })
    const outcome = await served.listen().then(
      () => 'served',
      (error: Error) => error.message,
    )
    t.match(outcome, /^served$|^compress zstd cannot be had: [^\n]+$/)
    if (outcome !== 'served') return
    // An empty frame, RFC 8878: the magic number, no checksum, one raw last block of no bytes.
    const client = await rawClient(served)
    client.finish(Buffer.from('28b52ffd2000010000', 'hex'))
    t.match((await client.rest()).subarray(0, 4), Buffer.from('28b52ffd', 'hex'))
    await served.reachClosed('end')
  },
}

/** Sends a datagram until it is answered: it may be lost where a machine is busy. */
async function asked(t: Test, served: Served, sent: Uint8Array): Promise<Buffer> {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const got: Buffer[] = []
  socket.on('message', (bytes) => got.push(bytes))
  let last = 0
  await until(
    () => {
      if (performance.now() - last > 1000) {
        last = performance.now()
        socket.send(sent, served.port, '127.0.0.1')
      }
      return got.length > 0
    },
    () => `an answer to ${sent.length} bytes`,
  )
  return got[0] as Buffer
}

const datagrams =
  (compress: Method, options: Options, run: (t: Test, served: Served) => Promise<void>): Case =>
  async (t, ctx) =>
    run(t, await ctx.serve({ protocol: 'UDP', compress, ...options }))

const udp: Cases = {
  ...Object.fromEntries(
    METHODS.map((method): [string, Case] => [
      `UDP: a datagram and its reply by ${method}`,
      datagrams(method, {}, async (t, served) => {
        for (const plain of ['one', 'x'.repeat(20_000)]) {
          const got = await asked(t, served, DEFLATE[method](plain))
          t.equal(String(INFLATE[method](got)), plain)
        }
      }),
    ]),
  ),
  'UDP: what does not inflate is dropped and counted': datagrams('zlib', {}, async (t, served) => {
    const socket = createSocket('udp4')
    t.teardown(() => socket.close())
    const good = zlib.deflateSync('one')
    const bad = [Buffer.from('one'), good.subarray(0, -1), behind(good, 'x'), Buffer.alloc(0)]
    let sent = 0
    await served.reach((s) => {
      if (sent === 0 || s.datagrams_corrupt < 4)
        for (const each of bad) socket.send(each, served.port, '127.0.0.1', () => sent++)
      return s.datagrams_corrupt >= 4
    }, 'four bad datagrams')
    t.equal(String(zlib.inflateSync(await asked(t, served, good))), 'one')
    t.equal((await served.stats()).closed.inflate_error, 0)
  }),
  'UDP: a datagram inflates to max_frame_size at most': datagrams(
    'gzip',
    { maxFrameSize: '100k', inflateRatio: 0 },
    async (t, served) => {
      const socket = createSocket('udp4')
      t.teardown(() => socket.close())
      const bomb = zlib.gzipSync(Buffer.alloc(101 * 1024))
      await served.reach((s) => {
        if (s.datagrams_corrupt === 0) socket.send(bomb, served.port, '127.0.0.1')
        return s.datagrams_corrupt > 0
      }, 'the bomb')
      t.equal((await served.stats()).requests, 0)
    },
  ),
  'UDP: amplification is that of the wire': datagrams(
    'zlib',
    { udpAmplification: 1, handleRequest: (r: Buffer) => `${r}${r}` },
    async (t, served) => {
      const plain = 'x'.repeat(5000)
      const got = await asked(t, served, zlib.deflateSync(plain, { level: 1 }))
      t.equal(String(zlib.inflateSync(got)), plain + plain)
      t.equal((await served.stats()).datagrams_held_back, 0)
    },
  ),
}

export const compression: Cases = { ...streams, ...members, ...wrong, ...starts, ...udp }
