// The portable engine by itself: a small host in this file, real sockets on both sides. What must hold for every
// engine is tested in test/conformance.

import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import type { Engine, EngineOptions, FramerSpec, Limits } from '../../lib/engine/engine.js'
import {
  ANSWER,
  HTTP_FLAG,
  KIND,
  RECORD,
  RECORD_WORDS,
  REPLY,
  REPLY_END,
  REPLY_FLAG,
  REPLY_WORDS,
} from '../../lib/engine/layout.js'
import { createPortableEngine, portableWarnings } from '../../lib/engine/portable/index.js'
import { Receiver } from '../../lib/engine/portable/receiver.js'
import { REASONS } from '../../lib/engine/reasons.js'

const OFF: Limits = {
  maxConnections: 0,
  maxConnectionsPerIp: 0,
  maxFrameSize: 1 << 20,
  outputHighWater: 65_536,
  outputLimit: 1 << 20,
  maxPipelined: 64,
  firstByteTimeout: 0,
  frameTimeout: 0,
  idleTimeout: 0,
  writeTimeout: 0,
  handlerTimeout: 0,
  lingerIdleTimeout: 0,
  lingerTimeout: 0,
  lingerBytes: 0,
  stallWarning: 0,
  tlsHandshakeTimeout: 0,
  inflateMax: 0,
  inflateRatio: 0,
  httpMaxLine: 0,
  httpMaxHeaders: 0,
  httpMaxHeaderCount: 0,
  httpMaxBody: 0,
  httpMaxChunkExtension: 0,
}
const LINE: FramerSpec = { kind: 'delimiter', delimiter: Buffer.from('\n'), strip: false }
const STRIPPED: FramerSpec = { ...LINE, strip: true, cr: true }

interface Seen {
  kind: number
  slot: number
  generation: number
  sequence: number
  extra: number
  bytes: Buffer
}
/** What a record is answered with: an ANSWER, bytes for engine.out, or nothing (ANSWER.none). */
type Answer = number | string | undefined
type Respond = (record: Seen, engine: Engine) => Answer

const same: Respond = ({ kind }) => (kind === KIND.request ? ANSWER.same : ANSWER.none)
const later: Respond = ({ kind }) => (kind === KIND.request ? ANSWER.later : ANSWER.none)

/** A host that notes each record and answers it with what `respond` says. */
class Host {
  readonly seen: Seen[] = []
  readonly turns: number[] = []
  readonly stalls: number[] = []
  engine!: Engine
  readonly respond: Respond
  constructor(respond: Respond) {
    this.respond = respond
  }

  stalled(count: number): void {
    this.stalls.push(count)
  }

  warned(text: string): void {
    throw new Error(text)
  }

  turn(count: number): undefined {
    this.turns.push(count)
    let used = 0
    for (let i = 0; i < count; i++) {
      const record = this.#record(i)
      this.seen.push(record)
      const answer = this.respond(record, this.engine) ?? ANSWER.none
      const word = i * REPLY_WORDS
      const { replies, out } = this.engine
      replies[word + REPLY.kind] = typeof answer === 'number' ? answer : ANSWER.out
      if (typeof answer === 'number') continue
      replies[word + REPLY.offset] = used
      replies[word + REPLY.length] = out.write(answer, used)
      used += replies[word + REPLY.length] as number
    }
  }

  of(kind: number): Seen[] {
    return this.seen.filter((record) => record.kind === kind)
  }
  get texts(): string[] {
    return this.of(KIND.request).map(({ bytes }) => bytes.toString())
  }
  get reasons(): string[] {
    return this.of(KIND.closed).map(({ extra }) => REASONS[extra] as string)
  }

  #record(index: number): Seen {
    const { records, slab } = this.engine
    const at = (field: number) => records[index * RECORD_WORDS + field] as number
    const offset = at(RECORD.offset)
    return {
      kind: at(RECORD.kind),
      slot: at(RECORD.slot),
      generation: at(RECORD.generation),
      sequence: at(RECORD.sequence),
      extra: at(RECORD.extra),
      bytes: slab.subarray(offset, offset + at(RECORD.length)),
    }
  }
}

/** A client that collects what it gets. */
class Client {
  readonly socket: Socket
  readonly chunks: Buffer[] = []
  ended = false
  closed = false
  error: NodeJS.ErrnoException | undefined
  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    this.socket.on('data', (chunk) => this.chunks.push(chunk))
    this.socket.on('end', () => {
      this.ended = true
    })
    this.socket.on('close', () => {
      this.closed = true
    })
    this.socket.on('error', (error) => {
      this.error = error
    })
  }
  /** The server has closed: FIN, or a reset. */
  get gone(): boolean {
    return this.ended || this.closed
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
  get text(): string {
    return this.bytes.toString('latin1')
  }
}

/** Waits for a condition. */
async function until(what: string, condition: () => boolean, ms = 30_000): Promise<void> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

interface Setting extends Partial<Omit<EngineOptions, 'limits'>> {
  limits?: Partial<Limits>
}

interface Rig {
  engine: Engine
  host: Host
  port: number
  client(): Client
  connected(): Promise<Client>
}

function makeOptions(setting: Setting): EngineOptions {
  return {
    pollingType: 'edge',
    sendBatching: true,
    tcpCork: false,
    compress: { method: 'none', level: -1, window: 0, inflateWindow: 0, memory: 0 },
    tcpNodelay: false,
    disableNagle: false,
    recvSize: 16_384,
    pollTimeout: 1000,
    busyPoll: 0,
    quickAck: false,
    datagrams: false,
    messages: false,
    vsock: false,
    local: false,
    amplification: 0,
    gso: false,
    socket: SOCKET,
    framer: LINE,
    proxy: { versions: 'off', timeout: 0, allow: [] },
    wantOpened: false,
    wantClosed: true,
    ...setting,
    limits: { ...OFF, ...setting.limits },
  }
}

const SOCKET = {
  sendBuffer: 0,
  receiveBuffer: 0,
  interface: '',
  mark: 0,
  dscp: 0,
  busyPoll: 0,
  incomingCpu: -1,
  keepaliveIdle: 0,
  keepaliveInterval: 0,
  keepaliveCount: 0,
  userTimeout: 0,
  fastOpen: 0,
  deferAccept: 0,
  multipath: false,
  broadcast: false,
  multicast: [],
  pktinfo: 'auto',
  gro: 'auto',
  gso: 'auto',
} as const
const ANY = { address: '127.0.0.1', port: 0, backlog: 511, v6only: false }

/** A running engine, closed with the test. */
async function serve(
  test: { teardown(fn: () => unknown): unknown },
  respond: Respond,
  setting: Setting = {},
): Promise<Rig> {
  const host = new Host(respond)
  const engine = createPortableEngine(makeOptions(setting), host)
  host.engine = engine
  const { port } = await engine.listen(ANY)
  engine.start()
  const clients: Client[] = []
  const client = () => {
    clients.push(new Client(port))
    return clients.at(-1) as Client
  }
  test.teardown(async () => {
    for (const { socket } of clients) socket.destroy()
    await engine.close(0)
  })
  const connected = async () => {
    const one = client()
    await once(one.socket, 'connect')
    return one
  }
  return { engine, host, port, client, connected }
}

t.test('input', async (t) => {
  t.test('lines are echoed; those of a chunk lie in one slab, which stays as it is', async (t) => {
    const { engine, host, client } = await serve(t, same)
    const one = client()
    one.socket.write('first\nsecond\nthird\n')
    await until('the echo', () => one.text === 'first\nsecond\nthird\n')
    t.equal(host.seen[0]?.bytes.buffer, host.seen[2]?.bytes.buffer, 'one slab')
    one.socket.write('and more\n')
    await until('the echo', () => one.text.endsWith('and more\n'))
    t.strictSame(host.texts, ['first\n', 'second\n', 'third\n', 'and more\n'])
    t.strictSame(
      host.seen.map(({ sequence }) => sequence),
      [0, 1, 2, 3],
    )
    t.match(engine.stats(), { requests: 4, replies: 4, batches: 2, records: 4, active: 1 })
    t.match(engine, { name: 'portable', description: 'node:net' })
  })

  t.test('chunks of many connections share the memory that they are read into', async (t) => {
    const { host, connected } = await serve(t, same)
    const clients = await Promise.all(Array.from({ length: 8 }, connected))
    const lines = clients.map((_, i) => `${`${i}`.repeat(1000 + i)}\n`)
    for (const [i, { socket }] of clients.entries()) socket.write(lines[i] as string)
    await until('the echoes', () => clients.every(({ text }, i) => text === lines[i]))
    t.strictSame(host.texts.toSorted(), lines.toSorted(), 'what a handler kept was not read over')
  })

  t.test('a socket without a handle is read from as it is', async (t) => {
    const stream = new PassThrough() as unknown as Socket
    const chunks: string[] = []
    const socket = new Receiver().adopt(stream, (chunk) => chunks.push(chunk.toString()))
    t.equal(socket, stream)
    stream.write('some')
    await until('the chunk', () => chunks.length === 1)
    t.strictSame(chunks, ['some'])
  })

  t.test(
    'a paused connection is read ahead a little, and its end is told of once it goes on',
    async (t) => {
      const { engine, host, connected } = await serve(t, same)
      const one = await connected()
      one.socket.write('first\n')
      await until('the echo', () => one.text === 'first\n')
      const { slot, generation } = host.seen[0] as Seen
      engine.pause(slot, generation)
      one.socket.end('second\n')
      await until('the bytes', () => engine.stats().bytes_in === 13)
      // Another connection goes all the way after the FIN has come.
      const other = await connected()
      other.socket.write('other\n')
      await until('the other echo', () => other.text === 'other\n')
      t.equal(one.gone, false)
      t.strictSame(host.texts, ['first\n', 'other\n'])
      engine.resume(slot, generation)
      await until('the end', () => one.ended)
      t.equal(one.text, 'first\nsecond\n')
    },
  )

  t.test('byte by byte', async (t) => {
    const { host, connected } = await serve(t, same)
    const one = await connected()
    for (const [at, byte] of [...'ab\ncde\n'].entries()) {
      one.socket.write(byte)
      await until('the byte', () => host.engine.stats().bytes_in === at + 1)
    }
    await until('the echo', () => one.text === 'ab\ncde\n')
    t.strictSame(host.texts, ['ab\n', 'cde\n'])
  })

  t.test('frames that span chunks, with rests that wait; bytes may be kept', async (t) => {
    const { host, connected } = await serve(t, same)
    const one = await connected()
    const lines = Array.from({ length: 300 }, (_, i) => `${`${i}`.repeat(i * 7 + 1)}\n`).join('')
    for (let at = 0; at < lines.length; at += 7000) {
      await new Promise((sent) => one.socket.write(lines.slice(at, at + 7000), sent))
    }
    await until('the echo', () => one.text.length >= lines.length)
    t.equal(one.text, lines)
    t.equal(Buffer.concat(host.of(KIND.request).map(({ bytes }) => bytes)).toString(), lines)
  })

  t.test('a frame longer than max_frame_size, behind a good one', async (t) => {
    const { host, client } = await serve(t, same, { limits: { maxFrameSize: 100 } })
    const one = client()
    one.socket.write(`good\n${'x'.repeat(200)}`)
    await until('the end', () => one.gone)
    t.equal(one.text, 'good\n')
    t.strictSame(host.reasons, ['frame_size'])
  })

  t.test('bytes that cannot be a frame', async (t) => {
    const { host, client } = await serve(t, same, { framer: { kind: 'varint', strip: false } })
    const one = client()
    one.socket.write(Buffer.from([0x80, 0x00]))
    await until('the end', () => one.gone)
    t.strictSame(host.reasons, ['frame_error'])
  })

  t.test('framing above: chunk, framed, ended', async (t) => {
    const respond: Respond = (record, engine) => {
      const { kind, slot, generation, sequence, bytes } = record
      if (kind !== KIND.chunk) return undefined
      const lines = bytes.toString().split('\n')
      engine.framed(slot, generation, lines.length - 1, lines.at(-1) !== '')
      lines.slice(0, -1).forEach((line, i) => {
        engine.reply(slot, generation, sequence + i, Buffer.from(`<${line}>`), 0)
      })
      return undefined
    }
    const { engine, host, connected } = await serve(t, respond, { framer: { kind: 'chunk' } })
    const one = await connected()
    one.socket.write('a\nb\n')
    await until('two', () => one.text === '<a><b>')
    one.socket.write('c\nrest')
    await until('three', () => one.text === '<a><b><c>')
    one.socket.end()
    await until('the end', () => one.ended && host.reasons.length === 1)
    t.strictSame(
      host.seen.map(({ kind, sequence }) => [kind, sequence]),
      [
        [KIND.chunk, 0],
        [KIND.chunk, 2],
        [KIND.ended, 3],
        [KIND.closed, 3],
      ],
    )
    t.match(engine.stats(), { requests: 3, replies: 3, dropped_frames: 1, closed: { end: 1 } })
  })

  t.test('framing above: input that waits is never written into that of others', async (t) => {
    // An unfinished frame is at hand, all of it above.
    const unfinished: Respond = ({ kind, slot, generation }, engine) => {
      if (kind === KIND.chunk) engine.framed(slot, generation, 0, true)
      return undefined
    }
    const { engine, host, connected } = await serve(t, unfinished, { framer: { kind: 'chunk' } })
    const chunks = () => host.of(KIND.chunk).map(({ bytes }) => bytes.toString())
    const received = (bytes: number) =>
      until(`${bytes} bytes`, () => engine.stats().bytes_in === bytes)
    const [first, second] = [await connected(), await connected()]
    first.socket.write('a')
    await until('a chunk', () => chunks().length === 1)
    const { slot, generation } = host.seen[0] as Seen
    engine.pause(slot, generation)
    first.socket.write('b')
    await received(2)
    second.socket.write('x')
    await received(3)
    first.socket.write('c')
    await received(4)
    engine.resume(slot, generation)
    await until('all chunks', () => chunks().length === 3)
    t.same(chunks(), ['a', 'x', 'bc'])
  })

  t.test('nothing is read before start()', async (t) => {
    const host = new Host(same)
    const engine = createPortableEngine(makeOptions({}), host)
    host.engine = engine
    const { port } = await engine.listen(ANY)
    const one = new Client(port)
    t.teardown(() => one.socket.destroy())
    await new Promise((sent) => one.socket.write('early\n', sent))
    // Another connection goes all the way while that one waits.
    const other = new Client(port)
    await once(other.socket, 'connect')
    t.equal(host.turns.length, 0)
    t.equal(engine.stats().accepted, 0)
    engine.start()
    await until('the echo', () => one.text === 'early\n')
    other.socket.destroy()
    await engine.close(0)
  })
})

t.test('replies', async (t) => {
  t.test('leave in order of their requests, whatever answers first', async (t) => {
    const { engine, host, client } = await serve(t, later)
    const one = client()
    one.socket.write('0\n1\n2\n3\n')
    await until('four requests', () => host.seen.length === 4)
    const reply = (sequence: number, text: string | undefined) =>
      engine.reply(
        0,
        host.seen[0]?.generation ?? -1,
        sequence,
        text === undefined ? text : Buffer.from(text),
        0,
      )
    t.equal(reply(2, 'two'), 3, 'held')
    t.equal(reply(1, undefined), 3)
    t.equal(reply(3, 'three'), 8)
    t.equal(one.text, '')
    reply(0, 'zero')
    await until('all', () => one.text === 'zerotwothree')
    t.equal(reply(0, 'again'), 0, 'answered already')
    t.match(engine.stats(), { requests: 4, replies: 4 })
    t.equal(one.text, 'zerotwothree')
  })

  t.test('the caller may rewrite what it gave', async (t) => {
    const scratch = Buffer.alloc(5)
    const { engine, host, client } = await serve(t, later)
    const one = client()
    one.socket.write('0\n1\n2\n')
    await until('three requests', () => host.seen.length === 3)
    for (const sequence of [2, 0, 1]) {
      scratch.fill(`${sequence}`)
      engine.reply(0, host.seen[0]?.generation ?? -1, sequence, scratch, 0)
      scratch.fill('x')
    }
    await until('all', () => one.text === '000001111122222')
  })

  t.test('from engine.out, mixed with the slab and with nothing', async (t) => {
    const answers: Answer[] = [ANSWER.same, 'from out ', undefined, 'and more ', ANSWER.same]
    const { client } = await serve(t, ({ kind, sequence }) =>
      kind === KIND.request ? answers[sequence] : undefined,
    )
    const one = client()
    one.socket.write('a\nb\nc\nd\ne\n')
    await until('all', () => one.text === 'a\nfrom out and more e\n')
  })

  t.test('many large scattered replies arrive whole', async (t) => {
    const big = 'x'.repeat(5000)
    const { client } = await serve(t, ({ kind, sequence }) =>
      kind !== KIND.request ? undefined : sequence % 2 ? `${sequence}${big}` : ANSWER.same,
    )
    const one = client()
    const count = 200
    const lines = Array.from({ length: count }, (_, i) => `line ${i}\n`)
    one.socket.write(lines.join(''))
    const wanted = lines.map((line, i) => (i % 2 ? `${i}${big}` : line)).join('')
    await until('all', () => one.text.length >= wanted.length)
    t.equal(one.text === wanted, true)
  })

  t.test('pieces of the head leave at once, those of others are held', async (t) => {
    const { engine, host, client } = await serve(t, later)
    const one = client()
    one.socket.write('0\n1\n')
    await until('two requests', () => host.seen.length === 2)
    const generation = host.seen[0]?.generation ?? -1
    const piece = (sequence: number, text: string, flags: number) =>
      engine.reply(0, generation, sequence, Buffer.from(text), flags)
    piece(1, 'c', REPLY_FLAG.more)
    piece(0, 'a', REPLY_FLAG.more)
    await until('a piece of the head', () => one.text === 'a')
    piece(1, 'd', REPLY_FLAG.more)
    piece(0, 'b', 0)
    await until('what was held', () => one.text === 'abcd')
    piece(1, 'e', REPLY_FLAG.more)
    await until('a piece of the new head', () => one.text === 'abcde')
    engine.reply(0, generation, 1, undefined, 0)
    one.socket.write('2\n')
    await until('the third request', () => host.seen.length === 3)
    piece(2, 'f', 0)
    await until('the third reply', () => one.text === 'abcdef')
    t.equal(engine.stats().replies, 3)
  })

  t.test('gathered in one write; each by itself with tcp_nodelay', async (t) => {
    for (const [tcpNodelay, writes] of [
      [false, 1],
      [true, 3],
    ] as const) {
      const { port, client } = await serve(
        t,
        ({ kind }) => (kind === KIND.request ? 'reply' : undefined),
        {
          tcpNodelay,
        },
      )
      const real = Socket.prototype.write
      let count = 0
      Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
        if (this.localPort === port) count++
        return Reflect.apply(real, this, args)
      } as typeof real
      try {
        const one = client()
        one.socket.write('a\nb\nc\n')
        await until('three replies', () => one.text === 'reply'.repeat(3))
      } finally {
        Socket.prototype.write = real
      }
      t.equal(count, writes, `tcpNodelay ${tcpNodelay}`)
    }
  })

  t.test('strip: delimiters go and come back', async (t) => {
    const respond: Respond = ({ kind, slot, generation, sequence, bytes }, engine) => {
      if (kind !== KIND.request) return undefined
      if (bytes.toString() === 'same') return ANSWER.same
      const text = Buffer.from(bytes.toString().toUpperCase())
      engine.reply(slot, generation, sequence, text, bytes.length === 4 ? REPLY_FLAG.frame : 0)
      return ANSWER.later
    }
    const { host, client } = await serve(t, respond, { framer: STRIPPED })
    const one = client()
    one.socket.write('same\r\nwith\nwithout\n')
    await until('the echo', () => one.text === 'same\nWITH\nWITHOUT')
    t.strictSame(host.texts, ['same', 'with', 'without'])
  })

  t.test('strip: a reply too long for its length field is an error of the handler', async (t) => {
    const framer: FramerSpec = {
      kind: 'length',
      type: 'u8',
      offset: 0,
      adjust: 0,
      inclusive: false,
      strip: true,
    }
    const { engine, host, client } = await serve(t, later, { framer })
    const one = client()
    one.socket.write(Buffer.from([2, 65, 66, 1, 67]))
    await until('two requests', () => host.texts.length === 2)
    t.strictSame(host.texts, ['AB', 'C'])
    const { generation } = host.seen[0] as Seen
    engine.reply(0, generation, 0, Buffer.from('xyz'), REPLY_FLAG.frame)
    await until('the reply', () => one.text === '\x03xyz')
    t.equal(engine.reply(0, generation, 1, Buffer.alloc(256), REPLY_FLAG.frame), -1)
    await until('the end', () => one.gone)
    t.strictSame(host.reasons, ['handler_error'])
  })

  t.test('a failed handler closes, behind the replies before it', async (t) => {
    const { host, client } = await serve(t, ({ kind, sequence }) =>
      kind !== KIND.request ? undefined : sequence === 1 ? ANSWER.failed : ANSWER.same,
    )
    const one = client()
    one.socket.write('0\n1\n2\n')
    await until('the end', () => one.gone)
    t.equal(one.text, '0\n')
    t.strictSame(host.reasons, ['handler_error'])
  })
})

t.test('pipelining', async (t) => {
  t.test('at most max_pipelined requests are in flight; the rest stays unframed', async (t) => {
    const { engine, host, client } = await serve(t, later, { limits: { maxPipelined: 3 } })
    const one = client()
    one.socket.write('0\n1\n2\n3\n4\n5\n6\n')
    await until('three', () => host.seen.length >= 3)
    await until('all received', () => engine.stats().bytes_in === 14)
    t.equal(host.seen.length, 3)
    const { generation } = host.seen[0] as Seen
    engine.reply(0, generation, 1, Buffer.from('1'), 0)
    t.equal(engine.stats().requests, 3, 'a held reply makes no room')
    engine.reply(0, generation, 0, Buffer.from('0'), 0)
    t.equal(host.seen.length, 3, 'the host is not entered from its own call')
    await until('two more', () => host.seen.length === 5)
    for (let sequence = 2; sequence < 7; sequence++) {
      await until('the request', () => host.seen.length > sequence)
      engine.reply(0, generation, sequence, Buffer.from(`${sequence}`), 0)
    }
    await until('all', () => one.text === '0123456')
  })

  t.test('replies that free room for the next request are a loop, not a recursion', async (t) => {
    const count = 30_000
    const { engine, client } = await serve(
      t,
      ({ kind, slot, generation, sequence }, engine) => {
        if (kind !== KIND.request) return undefined
        if (sequence % 2)
          queueMicrotask(() => engine.reply(slot, generation, sequence, Buffer.from('a'), 0))
        else engine.reply(slot, generation, sequence, Buffer.from('b'), 0)
        return ANSWER.later
      },
      { limits: { maxPipelined: 1 } },
    )
    const one = client()
    one.socket.write('\n'.repeat(count))
    await until('all', () => one.text.length === count)
    t.equal(one.text, 'ba'.repeat(count / 2))
    t.equal(engine.stats().requests, count)
  })

  t.test('more requests in a chunk than records in a turn, without limit', async (t) => {
    const count = 5000
    const { host, client } = await serve(t, same, {
      limits: { maxPipelined: 0, outputHighWater: 0 },
    })
    const one = client()
    one.socket.write('\n'.repeat(count))
    await until('all', () => one.text.length === count)
    t.ok(Math.max(...host.turns) <= 1024)
    t.ok(Math.max(...host.turns) > 64)
  })

  t.test('fewer are in flight where replies are large', async (t) => {
    const { engine, host, client } = await serve(t, later)
    const one = client()
    one.socket.write('\n'.repeat(400))
    const big = Buffer.alloc(256 * 1024)
    let most = 0
    // The first 64 came in before any reply had shown its size.
    for (let sequence = 0; sequence < 80; sequence++) {
      await until('the request', () => host.seen.length > sequence)
      if (sequence >= 66) most = Math.max(most, host.seen.length - sequence)
      engine.reply(0, host.seen[0]?.generation ?? -1, sequence, big, 0)
      await until('the reply', () => one.bytes.length >= (sequence + 1) * big.length)
      one.chunks.splice(0, one.chunks.length, Buffer.concat(one.chunks))
    }
    t.ok(most <= 2, `in flight: ${most}`)
  })
})

t.test('backpressure', async (t) => {
  t.test('a client that does not read is not read from; it gets all once it does', async (t) => {
    const { engine, connected } = await serve(t, same)
    const one = await connected()
    one.socket.pause()
    const block = Buffer.from(`${'x'.repeat(1023)}\n`.repeat(1024))
    let sent = 0
    let stuck = 0
    // Until a turn of the clock brings no further input.
    for (let before = -1; stuck < 50 && sent < 200; ) {
      if (one.socket.writableLength === 0) {
        one.socket.write(block)
        sent++
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
      const now = engine.stats().bytes_in
      stuck = now === before ? stuck + 1 : 0
      before = now
    }
    t.ok(sent < 200, `the kernel's buffers are full after ${sent} MiB`)
    const { bytes_in, requests } = engine.stats()
    t.ok(requests * 1024 <= bytes_in)
    one.socket.resume()
    await until(
      'all',
      () => one.chunks.reduce((sum, { length }) => sum + length, 0) === sent * block.length,
    )
    t.equal(one.bytes.equals(Buffer.concat(Array(sent).fill(block))), true)
    t.equal(engine.stats().closed.output_limit, 0)
  })

  t.test('drained, for a watched connection', async (t) => {
    const { engine, host, connected } = await serve(t, later)
    const one = await connected()
    one.socket.write('go\n')
    await until('the request', () => host.seen.length === 1)
    const { generation } = host.seen[0] as Seen
    engine.watch(0, generation)
    one.socket.pause()
    let queued = 0
    let total = 0
    for (; queued <= 65_536; total += 32_768) {
      queued = engine.reply(0, generation, 0, Buffer.alloc(32_768, total >> 15), REPLY_FLAG.more)
      if (queued < 65_536) await new Promise(setImmediate)
    }
    t.equal(host.of(KIND.drained).length, 0)
    one.socket.resume()
    await until('drained', () => host.of(KIND.drained).length === 1)
    await until('all', () => one.bytes.length === total)
    t.ok((host.of(KIND.drained)[0]?.extra ?? Infinity) <= 32_768)
  })

  t.test('pieces beyond output_limit reset the connection', async (t) => {
    const { engine, host, connected } = await serve(t, later, { limits: { outputLimit: 100_000 } })
    const one = await connected()
    one.socket.write('go\n')
    await until('the request', () => host.seen.length === 1)
    const { generation } = host.seen[0] as Seen
    one.socket.pause()
    let pieces = 0
    while (engine.reply(0, generation, 0, Buffer.alloc(65_536), REPLY_FLAG.more) >= 0) {
      t.ok(++pieces < 1000)
      await new Promise(setImmediate)
    }
    t.equal(engine.write(0, generation, Buffer.from('x')), -1)
    one.socket.resume()
    await until('the reset', () => one.gone)
    t.strictSame(host.reasons, ['output_limit'])
    const { bytes_out } = engine.stats()
    t.ok(bytes_out < pieces * 65_536, 'unsent bytes are not counted')
    t.ok(one.bytes.length < bytes_out, 'what the kernel held was dropped')
  })

  t.test('write() keeps the order of calls and is bounded; a large reply is not', async (t) => {
    const { engine, host, connected } = await serve(t, later, { limits: { outputLimit: 1000 } })
    const one = await connected()
    one.socket.write('go\n')
    await until('the request', () => host.seen.length === 1)
    const { generation } = host.seen[0] as Seen
    for (let i = 0; i < 500; i++) t.ok(engine.write(0, generation, Buffer.from(`${i},`)) >= 0)
    one.socket.pause()
    t.ok(engine.reply(0, generation, 0, Buffer.alloc(20 << 20), 0) > 1000)
    t.equal(engine.write(0, generation, Buffer.from('x')), -1, 'unsent from earlier')
    await until('the reason', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['output_limit'])
  })

  t.test('pause() and resume()', async (t) => {
    const { engine, host, connected } = await serve(t, same)
    const one = await connected()
    one.socket.write('a\n')
    await until('the first', () => one.text === 'a\n')
    const { generation } = host.seen[0] as Seen
    engine.pause(0, generation)
    await new Promise((sent) => one.socket.write('b\nc\n', sent))
    const two = await connected()
    two.socket.write('other\n')
    await until('another connection', () => two.text === 'other\n')
    t.equal(one.text, 'a\n')
    engine.resume(0, generation)
    await until('the rest', () => one.text === 'a\nb\nc\n')
  })
})

t.test('half-close', async (t) => {
  t.test('an unfinished frame is dropped and counted', async (t) => {
    const { engine, host, client } = await serve(t, same)
    const one = client()
    one.socket.end('whole\nunfinished')
    await until('the end', () => one.ended && host.reasons.length === 1)
    t.equal(one.text, 'whole\n')
    t.match(engine.stats(), { dropped_frames: 1, active: 0, closed: { end: 1 } })
  })

  t.test('eof: all input is the last frame', async (t) => {
    const { host, client } = await serve(t, same, { framer: { kind: 'eof' } })
    const one = client()
    one.socket.end('all of it')
    await until('the end', () => one.ended)
    t.equal(one.text, 'all of it')
    t.strictSame(host.texts, ['all of it'])
  })

  t.test('FIN is answered when all in flight is, of input that waited too', async (t) => {
    const { engine, host, client } = await serve(t, later, { limits: { maxPipelined: 1 } })
    const one = client()
    one.socket.end('0\n1\nrest')
    for (const sequence of [0, 1]) {
      await until('the request', () => host.texts.length === sequence + 1)
      t.equal(one.ended, false)
      engine.reply(0, host.seen[0]?.generation ?? -1, sequence, Buffer.from(`${sequence}`), 0)
    }
    await until('the end', () => one.ended && host.reasons.length === 1)
    t.equal(one.text, '01')
    t.match(engine.stats(), { dropped_frames: 1, closed: { end: 1 } })
  })
})

t.test('the end of a connection', async (t) => {
  const linger = { lingerIdleTimeout: 5000, lingerTimeout: 30_000, lingerBytes: 1 << 20 }

  t.test('REPLY_END: what follows is dropped; FIN; the peer sends its own', async (t) => {
    const { engine, host, client } = await serve(
      t,
      ({ kind, sequence }) =>
        kind === KIND.request ? ANSWER.same | (sequence === 1 ? REPLY_END : 0) : undefined,
      { limits: linger },
    )
    const one = client()
    one.socket.write('0\n1\n2\n3\n')
    await until('FIN', () => one.ended)
    t.equal(one.text, '0\n1\n')
    t.equal(host.reasons.length, 0, 'lingers')
    t.equal(engine.reply(0, host.seen[0]?.generation ?? -1, 2, Buffer.from('x'), 0), -1)
    one.socket.end('ignored\n')
    await until('the end', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['done'])
    t.equal(host.texts.length, 4)
  })

  t.test('end by reply(), held behind the others', async (t) => {
    const { engine, host, client } = await serve(t, later)
    const one = client()
    one.socket.write('0\n1\n2\n')
    await until('three', () => host.seen.length === 3)
    const { generation } = host.seen[0] as Seen
    engine.reply(0, generation, 1, Buffer.from('1'), REPLY_FLAG.end)
    engine.reply(0, generation, 2, Buffer.from('2'), 0)
    engine.reply(0, generation, 0, Buffer.from('0'), 0)
    await until('FIN', () => one.ended)
    t.equal(one.text, '01')
    one.socket.end()
    await until('the end', () => host.reasons[0] === 'done')
  })

  t.test('end(): no further requests, those in flight are answered', async (t) => {
    const { engine, host, connected } = await serve(t, later)
    const one = await connected()
    one.socket.write('0\n')
    await until('one', () => host.seen.length === 1)
    const { generation } = host.seen[0] as Seen
    engine.end(0, generation)
    one.socket.write('1\n')
    engine.write(0, generation, Buffer.from('bye '))
    engine.reply(0, generation, 0, Buffer.from('0'), 0)
    await until('FIN', () => one.ended)
    t.equal(one.text, 'bye 0')
    one.socket.end()
    await until('the end', () => host.reasons[0] === 'done')
    t.equal(host.texts.length, 1)
  })

  t.test('a large last reply arrives whole in spite of unread input', async (t) => {
    const { host, connected } = await serve(
      t,
      ({ kind }) => (kind === KIND.request ? ANSWER.later : undefined),
      {
        limits: linger,
      },
    )
    const one = await connected()
    one.socket.write('go\n')
    one.socket.write(Buffer.alloc(300_000))
    await until('the request', () => host.seen.length === 1)
    host.engine.reply(
      0,
      host.seen[0]?.generation ?? -1,
      0,
      Buffer.alloc(4 << 20, 7),
      REPLY_FLAG.end,
    )
    await until('FIN', () => one.ended)
    t.equal(one.bytes.equals(Buffer.alloc(4 << 20, 7)), true)
    one.socket.end()
    await until('the end', () => host.reasons[0] === 'done')
  })

  for (const [name, limits, flood] of [
    ['linger_idle_timeout', { lingerIdleTimeout: 60 }, false],
    ['linger_timeout', { lingerTimeout: 60 }, false],
    ['linger_bytes', { lingerBytes: 1000 }, true],
  ] as const) {
    t.test(`a peer that does not close: ${name}`, async (t) => {
      const { host, connected } = await serve(
        t,
        ({ kind }) => (kind === KIND.request ? ANSWER.same | REPLY_END : undefined),
        { limits },
      )
      const one = await connected()
      one.socket.write('last\n')
      await until('FIN', () => one.ended)
      if (flood) one.socket.write(Buffer.alloc(2000))
      await until('the end', () => host.reasons.length === 1)
      t.strictSame(host.reasons, ['linger'])
      t.equal(one.text, 'last\n')
    })
  }

  t.test(
    'close(): now, with the reason given; slots are used again with a new generation',
    async (t) => {
      const { engine, host, client, connected } = await serve(t, later)
      const one = await connected()
      one.socket.write('0\n')
      await until('one', () => host.seen.length === 1)
      const { generation } = host.seen[0] as Seen
      engine.close(0, generation, 'split')
      t.equal(engine.reply(0, generation, 0, Buffer.from('x'), 0), -1)
      t.equal(engine.stats().active, 0)
      await until('the end', () => one.gone && host.reasons.length === 1)
      t.strictSame(host.reasons, ['split'])
      t.equal(engine.info(0, generation), undefined)
      client().socket.write('1\n')
      await until('another', () => host.texts.length === 2)
      const next = host.of(KIND.request)[1] as Seen
      t.equal(next.slot, 0)
      t.not(next.generation, generation)
      t.equal(engine.write(0, generation, Buffer.from('x')), -1, 'the old name is nobody')
    },
  )

  t.test('a reset by the peer', async (t) => {
    const { host, connected } = await serve(t, later)
    const one = await connected()
    one.socket.write('0\n')
    await until('one', () => host.seen.length === 1)
    one.socket.resetAndDestroy()
    await until('the end', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['reset'])
  })
})

t.test('records of connections', async (t) => {
  t.test('opened and closed; info() answers during closed', async (t) => {
    const infos: unknown[] = []
    const respond: Respond = (record, engine) => {
      if (record.kind === KIND.closed) infos.push(engine.info(record.slot, record.generation))
      if (record.kind === KIND.opened)
        engine.write(record.slot, record.generation, Buffer.from('hello '))
      return same(record, engine)
    }
    const { host, connected, port } = await serve(t, respond, { wantOpened: true })
    const one = await connected()
    const local = one.socket.localPort
    one.socket.end('a\n')
    await until('the end', () => infos.length === 1)
    t.equal(one.text, 'hello a\n')
    t.strictSame(
      host.seen.map(({ kind }) => kind),
      [KIND.opened, KIND.request, KIND.closed],
    )
    t.strictSame(infos[0], {
      remote: { address: '127.0.0.1', family: 'IPv4', port: local },
      local: { address: '127.0.0.1', family: 'IPv4', port },
      bytesIn: 2,
      bytesOut: 8,
      requests: 1,
    })
  })

  t.test('closed comes unasked for an abnormal reason only', async (t) => {
    const { engine, host, client } = await serve(t, same, {
      wantClosed: false,
      limits: { maxFrameSize: 10 },
    })
    const one = client()
    one.socket.end('a\n')
    await until('the end', () => one.ended && engine.stats().closed.end === 1)
    t.equal(host.of(KIND.closed).length, 0)
    client().socket.write('x'.repeat(20))
    await until('the record', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['frame_size'])
  })
})

t.test('timers', async (t) => {
  const cases: [
    name: string,
    limits: Partial<Limits>,
    reason: string,
    input: string,
    respond: Respond,
  ][] = [
    ['no first byte', { firstByteTimeout: 60 }, 'first_byte_timeout', '', same],
    ['an unfinished frame', { frameTimeout: 60 }, 'frame_timeout', 'a\nunfinished', same],
    ['idle', { idleTimeout: 60 }, 'idle_timeout', 'a\n', same],
    ['a handler that does not answer', { handlerTimeout: 60 }, 'handler_timeout', 'a\n', later],
  ]
  for (const [name, limits, reason, input, respond] of cases) {
    t.test(`${name}: ${reason}`, async (t) => {
      const { host, connected } = await serve(t, respond, { limits })
      const start = performance.now()
      const one = await connected()
      one.socket.write(input)
      await until('the end', () => one.gone)
      t.strictSame(host.reasons, [reason])
      t.ok(performance.now() - start >= 50, 'not early')
    })
  }

  t.test('what comes while the loop is busy is read before it is called late', async (t) => {
    const { engine, host, connected } = await serve(t, same)
    const one = await connected()
    await until('accepted', () => engine.stats().active === 1)
    engine.setLimits({ ...OFF, firstByteTimeout: 100 })
    one.socket.write('in time\n')
    const end = performance.now() + 300
    while (performance.now() < end);
    await until('the echo', () => one.text === 'in time\n' || one.gone)
    t.strictSame(host.texts, ['in time\n'])
    t.strictSame(host.reasons, [])
  })

  t.test('frame_timeout is absolute: a byte now and then does not help', async (t) => {
    const { host, connected } = await serve(t, same, {
      limits: { frameTimeout: 100, idleTimeout: 5000 },
    })
    const one = await connected()
    const drip = setInterval(() => one.socket.write('x'), 10)
    await until('the end', () => host.reasons.length === 1)
    clearInterval(drip)
    t.strictSame(host.reasons, ['frame_timeout'])
  })

  t.test('idle_timeout does not run while a request is in flight', async (t) => {
    const respond: Respond = (record, on) =>
      (record.bytes.includes('idle') ? same : later)(record, on)
    const { engine, host, connected } = await serve(t, respond)
    const slow = await connected()
    slow.socket.write('0\n')
    await until('the request', () => host.seen.length === 1)
    engine.setLimits({ ...OFF, idleTimeout: 50 })
    const idle = await connected()
    idle.socket.write('idle\n')
    await until('the idle one', () => idle.ended)
    t.equal(slow.ended, false)
    engine.reply(0, host.seen[0]?.generation ?? -1, 0, Buffer.from('late'), 0)
    await until('the reply, then the end', () => slow.ended && slow.text === 'late')
    t.strictSame(host.reasons, ['idle_timeout', 'idle_timeout'])
  })

  t.test('handler_timeout counts from the arrival of the oldest request', async (t) => {
    const { engine, host, connected } = await serve(t, later, { limits: { handlerTimeout: 3000 } })
    const one = await connected()
    one.socket.write('0\n')
    await until('the first', () => host.seen.length === 1)
    const start = performance.now()
    one.socket.write('1\n')
    await until('the second', () => host.seen.length === 2)
    await until('half the time', () => performance.now() - start > 1500)
    engine.reply(0, host.seen[0]?.generation ?? -1, 0, Buffer.from('0'), 0)
    await until('the end', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['handler_timeout'])
    t.equal(one.text, '0')
  })

  t.test(
    'write_timeout: a peer that takes nothing is reset; one that takes little is not',
    async (t) => {
      const { engine, host, connected } = await serve(t, later, { limits: { writeTimeout: 2500 } })
      const [never, slowly] = [await connected(), await connected()]
      for (const { socket } of [never, slowly]) socket.write('go\n')
      await until('both requests', () => host.seen.length === 2)
      never.socket.pause()
      slowly.socket.pause()
      const size = 12 << 20
      for (const { slot, generation } of host.of(KIND.request)) {
        t.ok(
          engine.reply(slot, generation, 0, Buffer.alloc(size), 0) > 0,
          'more than the kernel takes',
        )
      }
      const sip = setInterval(() => slowly.socket.read(1 << 20), 20)
      slowly.socket.removeAllListeners('data')
      let got = 0
      const take = () => {
        for (let c = slowly.socket.read(); c !== null; c = slowly.socket.read()) got += c.length
      }
      await until('the reset', () => {
        take()
        return host.reasons.length === 1
      })
      clearInterval(sip)
      t.strictSame(host.reasons, ['write_timeout'])
      await until('the rest', () => {
        take()
        return engine.stats().bytes_out >= size && got > 0
      })
      never.socket.resume()
      await until('never', () => never.gone)
      t.ok(never.bytes.length < size, 'what was not sent is dropped')
      t.equal(slowly.closed, false)
    },
  )
})

t.test('limits on connections', async (t) => {
  for (const [limit, reason] of [
    ['maxConnections', 'max_connections'],
    ['maxConnectionsPerIp', 'max_connections_per_ip'],
  ] as const) {
    t.test(reason, async (t) => {
      const { engine, host, client, connected } = await serve(t, same, {
        wantOpened: true,
        limits: { [limit]: 2 },
      })
      const [one] = [await connected(), await connected()]
      await until('two', () => engine.stats().active === 2)
      const third = client()
      await until('closed at once', () => third.gone)
      await until('the record', () => host.reasons.length === 1)
      t.strictSame(host.reasons, [reason])
      t.equal(host.of(KIND.opened).length, 2)
      one.socket.end()
      await until('room', () => engine.stats().active === 1)
      const fourth = client()
      fourth.socket.write('in\n')
      await until('served', () => fourth.text === 'in\n')
      t.match(engine.stats(), { accepted: 4, active: 2, closed: { [reason]: 1 } })
    })
  }

  t.test('setLimits() holds for connections that are open', async (t) => {
    const { engine, host, connected } = await serve(t, same)
    const one = await connected()
    one.socket.write('a\n')
    await until('the echo', () => one.text === 'a\n')
    engine.setLimits({ ...OFF, idleTimeout: 50 })
    await until('the end', () => one.ended)
    t.strictSame(host.reasons, ['idle_timeout'])
  })
})

t.test('listening and closing', async (t) => {
  t.test('a port in use', async (t) => {
    const { port } = await serve(t, same)
    const other = createPortableEngine(makeOptions({}), new Host(same))
    await t.rejects(Promise.resolve(other.listen({ ...ANY, port })), {
      name: 'GaidarosError',
      code: 'ERR_GAIDAROS_LISTEN',
      errnoCode: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port,
    })
    await other.close(0)
  })

  t.test('stopListening(): open connections go on', async (t) => {
    const { engine, port, connected } = await serve(t, same)
    const one = await connected()
    await until('accepted', () => engine.stats().active === 1)
    engine.stopListening()
    const late = new Client(port)
    await until('refused', () => late.closed)
    t.equal(late.error?.code, 'ECONNREFUSED')
    one.socket.write('still\n')
    await until('the echo', () => one.text === 'still\n')
  })

  t.test('close(): idle connections go, what is in flight finishes', async (t) => {
    const { engine, host, connected } = await serve(t, later)
    const [idle, busy] = [await connected(), await connected()]
    busy.socket.write('0\n')
    await until('the request', () => host.seen.length === 1)
    await until('both', () => engine.stats().active === 2)
    const closed = engine.close(10_000)
    await until('the idle one', () => idle.ended)
    t.equal(busy.ended, false)
    const { slot, generation } = host.seen[0] as Seen
    engine.reply(slot, generation, 0, Buffer.from('last'), 0)
    await until('the busy one', () => busy.ended)
    busy.socket.end()
    await closed
    t.equal(busy.text, 'last')
    t.strictSame(host.reasons, ['shutdown', 'shutdown'])
    t.equal(engine.stats().active, 0)
  })

  t.test('close(): after the grace everything goes', async (t) => {
    const { engine, host, connected } = await serve(t, later)
    const one = await connected()
    one.socket.write('0\n')
    await until('the request', () => host.seen.length === 1)
    const start = performance.now()
    await engine.close(100)
    t.ok(performance.now() - start >= 95)
    t.strictSame(host.reasons, ['shutdown'])
    await until('the end', () => one.gone)
    await engine.close(100)
  })

  t.test('connections that wait for start() are closed, too', async () => {
    const engine = createPortableEngine(makeOptions({}), new Host(same))
    const { port } = await engine.listen(ANY)
    const one = new Client(port)
    await once(one.socket, 'connect')
    await engine.close(1000)
    await until('the end', () => one.gone)
    one.socket.destroy()
  })
})

t.test('warnings: one line of what node:net cannot do', async (t) => {
  const plain = portableWarnings(makeOptions({}))
  t.equal(plain.length, 1)
  t.match(plain[0], /polling_type.*send_batching.*recv_size/)
  t.notMatch(plain[0], /tcp_cork|busy_poll/)
  t.match(portableWarnings(makeOptions({ tcpCork: true, busyPoll: 50 }))[0], /tcp_cork.*busy_poll/)
})

t.test('http', async (t) => {
  const HTTP: Setting = { framer: { kind: 'http' } }
  const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
  const post = (fields: string) => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
  const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
  /** Answers a request with its target, those to /later not at all. */
  const target: Respond = ({ kind, bytes }) => {
    if ((kind & 0xff) !== KIND.request) return ANSWER.none
    const [, path = ''] = bytes.toString().split(' ')
    return path === '/later' ? ANSWER.later : `<${path}>`
  }
  const refused = (status: number) => new RegExp(`^HTTP/1\\.1 ${status} .*\\n${status} .*\\n$`, 's')

  t.test('what the framer says of a request stands beside its kind', async (t) => {
    const { host, client } = await serve(t, target, HTTP)
    const one = client()
    const old = 'HEAD /c HTTP/1.0\r\n\r\n'
    one.socket.write(`${get('/a')}\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n${old}never`)
    await until('the end', () => one.ended)
    t.equal(one.text, '</a></b></c>')
    const { last, head, old: isOld } = HTTP_FLAG
    t.strictSame(
      host.seen.slice(0, 3).map(({ kind, sequence }) => [kind, sequence]),
      [
        [KIND.request, 0],
        [KIND.request | head, 1],
        [KIND.request | last | head | isOld, 2],
      ],
    )
    t.equal(host.seen[2]?.bytes.toString(), old)
    one.socket.end()
    await until('the reason', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['done'])
  })

  t.test('requests that are echoed leave without the blank lines between them', async (t) => {
    const respond: Respond = ({ kind }) =>
      (kind & 0xff) === KIND.request ? ANSWER.same : ANSWER.none
    const { client } = await serve(t, respond, HTTP)
    const one = client()
    one.socket.write(`${get('/a')}\r\n${get('/b')}`)
    await until('both', () => one.text.length >= 2 * get('/a').length)
    t.equal(one.text, get('/a') + get('/b'))
  })

  t.test(
    'a refusal leaves behind the replies before it, counts as one, and ends all',
    async (t) => {
      const { engine, host, client } = await serve(t, target, HTTP)
      const one = client()
      one.socket.write(`${get('/later')}${get('/b')}GET / HTTP/1.1\r\n\r\n${get('/never')}`)
      await until('the requests', () => engine.stats().requests === 3)
      t.equal(one.text, '')
      t.match(engine.connections(1).list, [{ state: 'ending', in_flight: 3 }])
      const { slot, generation } = host.seen[0] as Seen
      engine.reply(slot, generation, 0, Buffer.from('<late>'), 0)
      await until('the end', () => one.ended)
      t.match(one.text.slice(0, 10), '<late></b>')
      t.match(one.text.slice(10), refused(400))
      t.match(engine.stats(), { requests: 3, replies: 3, active: 1 }, 'it lingers')
      one.socket.end()
      await until('the reason', () => host.reasons.length === 1)
      t.strictSame(host.reasons, ['frame_error'])
      t.equal(host.texts.length, 2)
    },
  )

  t.test('a limit is one of sizes, may change, and lingers for its own reason', async (t) => {
    const limits = { httpMaxBody: 4, lingerIdleTimeout: 60 }
    const { engine, host, client } = await serve(t, target, { ...HTTP, limits })
    const [one, two] = [client(), client()]
    one.socket.write(`${post('Content-Length: 4\r\n')}1234${post('Content-Length: 5\r\n')}12345`)
    await until('the end', () => one.ended)
    t.match(one.text.slice(3), refused(413))
    await until('the reason', () => host.reasons.length === 1)
    t.strictSame(host.reasons, ['frame_size'], 'the client has not left')
    engine.setLimits({ ...OFF, ...limits, httpMaxBody: 5 })
    two.socket.write(`${post('Content-Length: 5\r\n')}12345`)
    await until('the reply', () => two.text === '</>')
  })

  t.test('a connection that the handler ends has no refusal and no 100 Continue', async (t) => {
    const respond: Respond = ({ kind, slot, generation, bytes }, engine) => {
      if ((kind & 0xff) !== KIND.request) return ANSWER.none
      if (bytes.includes('/end')) engine.end(slot, generation)
      return ANSWER.later
    }
    const { engine, host, client } = await serve(t, respond, HTTP)
    const [one, two] = [client(), client()]
    one.socket.end(`${get('/end')}no request\r\n`)
    await until('the request', () => engine.stats().requests === 1)
    two.socket.write(get('/') + post('Expect: 100-continue\r\nContent-Length: 2\r\n'))
    await until('the request', () => engine.stats().requests === 2)
    const [first, second] = host.seen as [Seen, Seen]
    engine.end(second.slot, second.generation)
    for (const { slot, generation } of [first, second])
      engine.reply(slot, generation, 0, Buffer.from('reply'), 0)
    await until('the ends', () => one.ended && two.ended)
    two.socket.end()
    await until('the reasons', () => host.reasons.length === 2)
    t.strictSame([one.text, two.text], ['reply', 'reply'])
    t.strictSame(host.reasons, ['done', 'done'])
  })

  t.test(
    '100 Continue is written once, when all is answered and the body is awaited',
    async (t) => {
      const { engine, host, client } = await serve(t, target, HTTP)
      const one = client()
      const expecting = post('Expect: 100-continue\r\nContent-Length: 2\r\n')
      one.socket.write(expecting)
      await until('the word', () => one.text === CONTINUE)
      one.socket.write('a')
      await until('the byte', () => engine.stats().bytes_in === expecting.length + 1)
      one.socket.write('b')
      await until('the reply', () => one.text === `${CONTINUE}</>`)
      t.match(engine.stats(), { requests: 1, replies: 1 }, 'it is no reply')
      // Behind one that is not answered.
      one.socket.write(get('/later') + expecting)
      await until('the request', () => engine.stats().requests === 2)
      const { slot, generation } = host.seen[0] as Seen
      engine.reply(slot, generation, 1, Buffer.from('<late>'), 0)
      await until('the word', () => one.text.endsWith(`<late>${CONTINUE}`))
      one.socket.write(`ab${get('/later')}${expecting}`)
      await until('the request', () => engine.stats().requests === 4)
      // Now the body comes unasked.
      one.socket.write('ab')
      await until('the request', () => engine.stats().requests === 5)
      engine.reply(slot, generation, 3, Buffer.from('<late>'), 0)
      await until('the reply', () => one.text.endsWith('</><late></>'))
    },
  )

  t.test('who never finishes a request is told so', async (t) => {
    const { engine, host, client } = await serve(t, target, {
      ...HTTP,
      limits: { frameTimeout: 60 },
    })
    const [one, two, three] = [client(), client(), client()]
    one.socket.write(`${get('/a')}GET /`)
    await until('the end', () => one.ended)
    t.match(one.text.slice(4), refused(408))
    one.socket.end()
    await until('the reason', () => host.reasons.length === 1)
    t.match(engine.stats(), { requests: 2, replies: 2, closed: { frame_timeout: 1 } })
    // As long as another answer is to come, there is time.
    two.socket.write(`${get('/later')}GET /b`)
    await until('the request', () => engine.stats().requests === 3)
    three.socket.write('GET /')
    await until('the end of another', () => three.ended)
    t.match(three.text, refused(408))
    two.socket.write(' HTTP/1.1\r\nHost: a\r\n\r\nGET /')
    await until('the request', () => host.texts.includes(get('/b')))
    const { slot, generation } = host.of(KIND.request).at(-1) as Seen
    engine.reply(slot, generation, 0, Buffer.from('<late>'), 0)
    await until('the end', () => two.ended)
    t.equal(two.text.slice(0, 10), '<late></b>')
    t.match(two.text.slice(10), refused(408))
  })

  t.test('what half-close leaves unfinished is dropped', async (t) => {
    const { engine, client } = await serve(t, target, HTTP)
    const one = client()
    one.socket.end(`${get('/a')}GET / HTTP/1.1\r\nHost:`)
    await until('the end', () => one.ended)
    t.equal(one.text, '</a>')
    await until('the count', () => engine.stats().active === 0)
    t.match(engine.stats(), { dropped_frames: 1, requests: 1, closed: { end: 1 } })
  })
})
