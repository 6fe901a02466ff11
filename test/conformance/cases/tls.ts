// TLS: the handshake and what comes of it, records however they are cut, ends, and what goes wrong.

import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import type { Connection } from '../../../lib/handler/contract.js'
import { Gaidaros } from '../../../lib/server/gaidaros.js'
import type { Case, Cases, Context } from '../case.js'
import {
  authority,
  type Identity,
  makeIdentity,
  otherServer,
  place,
  server,
  serverTls,
  stranger,
  user,
} from '../certificates.js'
import { Client } from '../client.js'
import { brief, until, within } from '../deadline.js'
import type { Options, Served } from '../served.js'
import { Unfit } from '../unfit.js'

const serve = (ctx: Context, options: Options = {}): Promise<Served> =>
  ctx.serve({ ...serverTls(), ...options })

/** The handler answers with what it knows of its connection's TLS. */
const WHO = {
  handleRequest: (_request: Buffer, { tls }: Connection) =>
    `${JSON.stringify({ ...tls, peer: tls?.peer && { ...tls.peer, raw: undefined } })}\n`,
}

interface Told {
  protocol: string
  cipher: string
  resumed: boolean
  alpn?: string
  serverName?: string
  authorized: boolean
  refusal?: string
  peer?: Record<string, string>
}

/** What the handler is told of a client with these options. */
async function told(served: Served, tls: ConnectionOptions = {}): Promise<Told> {
  const client = await served.connect({ tls })
  client.finish('who\n')
  return JSON.parse(String(await client.rest())) as Told
}

/** Without a handshake that succeeds. */
async function refusedBy(t: Test, served: Served, tls: ConnectionOptions, log?: RegExp) {
  const before = await served.closed('tls_error')
  const client = await served.connect({ tls })
  // With TLS 1.3 the client is done before the server has looked at its certificate.
  client.send('line\n')
  await client.expectEnd()
  await served.reachClosed('tls_error', before + 1)
  t.match(await served.logged(/tls_error/), /127\.0\.0\.1/)
  if (log !== undefined) await served.logged(log)
  t.equal((await served.stats()).requests, 0)
}

const of = ({ cert, key }: Identity): ConnectionOptions => ({ cert, key })
const OLD = 'DEFAULT@SECLEVEL=0'
const VERSION_12 = { maxVersion: 'TLSv1.2' } as const

/** Such bytes in place of a handshake close the connection for this reason. */
const insteadOfHello =
  (bytes: string | Buffer, log: RegExp): Case =>
  async (_t, ctx) => {
    const served = await serve(ctx)
    const good = await served.connect()
    const client = await served.connect({ tls: undefined })
    client.send(bytes)
    // An alert may come first.
    await client.rest()
    await served.reachClosed('tls_error')
    const line = await served.logged(/tls_error/)
    if (ctx.variant.engine === 'native' && !log.test(line)) throw new Error(`no ${log} in ${line}`)
    await served.reach((s) => s.tls_failed === 1, 'a failed handshake')
    await good.ask('fine\n')
  }

/** A session that may be resumed, of a connection that has ended. */
async function sessionOf(served: Served, tls: ConnectionOptions = {}): Promise<Buffer | undefined> {
  const client = await served.connect({ tls })
  const socket = client.socket as TLSSocket
  let session = socket.getSession()
  socket.on('session', (next) => {
    session = next
  })
  // Tickets of TLS 1.3 come before the first reply.
  client.finish('who\n')
  await client.rest()
  return session
}

const resumes =
  (options: Options, tls: ConnectionOptions, wanted: boolean): Case =>
  async (t, ctx) => {
    const served = await serve(ctx, { ...WHO, ...options })
    const session = await sessionOf(served, tls)
    const again = await told(served, { ...tls, session })
    t.equal(again.resumed, wanted)
    t.equal((await served.stats()).tls_resumed, wanted ? 1 : 0)
    t.equal((await served.stats()).tls_handshakes, 2)
  }

/** Each write to the connection goes byte by byte. */
class Crumbs extends Duplex {
  private readonly raw: Client['raw']

  constructor(raw: Client['raw']) {
    super({ allowHalfOpen: true })
    this.raw = raw
    raw.on('data', (chunk: Buffer) => this.push(chunk))
    raw.on('end', () => this.push(null))
    raw.on('close', () => this.destroy())
    raw.resume()
  }
  override _read(): void {}
  override _write(chunk: Buffer, _: string, done: () => void): void {
    for (const byte of chunk) this.raw.write(Uint8Array.of(byte))
    setImmediate(done)
  }
  override _final(done: () => void): void {
    this.raw.end(done)
  }
}

const STARTS = {
  tlsMode: 'starttls',
  handleRequest: (request: Buffer, connection: Connection) => {
    if (String(request) !== 'STARTTLS\n') return `${connection.tls?.protocol ?? 'plain'}\n`
    connection.startTls()
    return 'go ahead\n'
  },
}

/** A server that does not come to serve, and why. */
async function mistake(t: Test, ctx: Context, options: Options, wanted: RegExp): Promise<void> {
  const served = ctx.make({ ...serverTls(), ...options })
  await t.rejects(served.listen(), { code: 'ERR_GAIDAROS_TLS', message: wanted })
}

/** A file of these bytes with this mode. */
function file(name: string, text: string, mode = 0o600): string {
  const path = join(place(), `${process.pid}-${name}`)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

const onlyNative = (ctx: Context, why: string): void => {
  if (ctx.variant.engine !== 'native') throw new Unfit(why)
}

export const tls: Cases = {
  'a line comes back over TLS 1.3': async (t, ctx) => {
    const served = await serve(ctx, WHO)
    t.match(await told(served), { protocol: 'TLSv1.3', cipher: /^TLS_/, resumed: false })
  },
  'a line comes back over TLS 1.2': async (t, ctx) => {
    const served = await serve(ctx, WHO)
    const facts = await told(served, VERSION_12)
    t.match(facts, { protocol: 'TLSv1.2', cipher: /^ECDHE-ECDSA-.*(GCM|POLY1305)/ })
  },
  'TLS 1.1 is refused': async (t, ctx) => {
    const served = await serve(ctx)
    const tls = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: OLD } as const
    await refusedBy(t, served, tls, /unsupported protocol/)
  },
  'tls_min_version 1.3 refuses TLS 1.2': async (t, ctx) => {
    const served = await serve(ctx, { tlsMinVersion: '1.3' })
    await refusedBy(t, served, VERSION_12, /unsupported protocol/)
    await (await served.connect()).ask('line\n')
  },
  'ciphers of CBC and static RSA are refused': async (t, ctx) => {
    const rsa = makeIdentity({ subject: '/CN=localhost', names: 'DNS:localhost', rsa: true })
    const served = await serve(ctx, { tlsCert: rsa.certFile, tlsKey: rsa.keyFile })
    for (const ciphers of ['ECDHE-RSA-AES128-SHA256', 'AES128-GCM-SHA256'])
      await refusedBy(t, served, { ...VERSION_12, ciphers }, /no shared cipher/)
    await (await served.connect({ tls: VERSION_12 })).ask('line\n')
  },
  'tls_ciphers says which': async (t, ctx) => {
    const ciphers = 'ECDHE-ECDSA-AES256-GCM-SHA384'
    const served = await serve(ctx, { ...WHO, tlsCiphers: ciphers })
    t.equal((await told(served, VERSION_12)).cipher, ciphers)
  },
  'the server name is the handler’s to know': async (t, ctx) => {
    const served = await serve(ctx, WHO)
    t.equal((await told(served, { servername: 'localhost' })).serverName, 'localhost')
    t.equal((await told(served, { servername: '' })).serverName, undefined)
  },
  'a certificate by server name, by wildcard, and the first where none fits': async (t, ctx) => {
    const served = await serve(ctx, {
      tlsCert: [server().certFile, otherServer().certFile],
      tlsKey: [server().keyFile, otherServer().keyFile],
    })
    const shown = async (servername: string, tls: ConnectionOptions = {}) => {
      const { socket } = await served.connect({ tls: { servername, ...tls } })
      return (socket as TLSSocket).getPeerCertificate().subject.CN
    }
    t.equal(await shown('localhost'), 'localhost')
    t.equal(await shown('other.test'), 'other.test')
    t.equal(await shown('a.wild.test', VERSION_12), 'other.test')
    t.equal(await shown('nobody.test'), 'localhost')
    t.equal(await shown(''), 'localhost')
  },
  'ALPN: the server’s preference among the client’s': async (t, ctx) => {
    const served = await serve(ctx, { ...WHO, tlsAlpn: 'two,one' })
    t.equal((await told(served, { ALPNProtocols: ['one', 'two', 'three'] })).alpn, 'two')
    t.equal((await told(served, { ALPNProtocols: ['one'] })).alpn, 'one')
    t.equal((await told(served)).alpn, undefined)
  },
  'ALPN: nothing in common': async (t, ctx) => {
    const served = await serve(ctx, { tlsAlpn: 'one' })
    await refusedBy(t, served, { ALPNProtocols: ['three'] })
  },
  'ALPN: not spoken': async (t, ctx) => {
    const served = await serve(ctx, WHO)
    t.equal((await told(served, { ALPNProtocols: ['one'] })).alpn, undefined)
  },
  'client certificates: none is asked for': async (t, ctx) => {
    const served = await serve(ctx, WHO)
    t.match(await told(served, of(user())), { authorized: false, peer: undefined })
  },
  'client certificates: optional': async (t, ctx) => {
    const served = await serve(ctx, {
      ...WHO,
      tlsVerify: 'optional',
      tlsCa: authority().certFile,
    })
    const none = await told(served)
    t.match(none, { authorized: false, peer: undefined, refusal: undefined })
    const good = await told(served, of(user()))
    t.match(good, {
      authorized: true,
      peer: { subject: /CN=Ann/, issuer: 'CN=Authority', fingerprint256: /^([0-9A-F]{2}:){31}/ },
    })
    t.ok(Date.parse(good.peer?.['validTo'] ?? '') > Date.now())
    const bad = await told(served, of(stranger()))
    t.match(bad, { authorized: false, refusal: /self.signed/, peer: { subject: 'CN=Stranger' } })
  },
  'client certificates: required': async (t, ctx) => {
    const served = await serve(ctx, { tlsVerify: 'required', tlsCa: authority().certFile })
    await refusedBy(t, served, {}, /peer did not return a certificate/)
    await refusedBy(t, served, of(stranger()), /self.signed/)
    const past = makeIdentity({ subject: '/CN=Past', issuer: authority(), end: 'past' })
    await refusedBy(t, served, of(past), /expired/)
    await (await served.connect({ tls: of(user()) })).ask('line\n')
  },
  'client certificates: who was one is so when the session is resumed': async (t, ctx) => {
    const served = await serve(ctx, {
      ...WHO,
      tlsVerify: 'required',
      tlsCa: authority().certFile,
    })
    const session = await sessionOf(served, of(user()))
    const again = await told(served, { ...of(user()), session })
    t.match(again, { resumed: true, authorized: true, peer: { subject: /CN=Ann/ } })
  },
  'a session is resumed, TLS 1.3': resumes({}, {}, true),
  'a session is resumed, TLS 1.2': resumes({}, VERSION_12, true),
  'tls_tickets 0: no session is resumed, TLS 1.3': resumes({ tlsTickets: 0 }, {}, false),
  'tls_tickets 0: no session is resumed, TLS 1.2': resumes({ tlsTickets: 0 }, VERSION_12, false),
  'a ticket of another server is no ticket': async (t, ctx) => {
    const session = await sessionOf(await serve(ctx, WHO))
    const served = await serve(ctx, WHO)
    t.equal((await told(served, { session })).resumed, false)
  },
  'renegotiation is refused': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect({ tls: VERSION_12 })
    await client.ask('before\n')
    const socket = client.socket as TLSSocket
    const outcome = new Promise<Error | null>((resolve) => {
      socket.renegotiate({}, resolve)
      socket.once('error', resolve)
      socket.once('close', () => resolve(new Error('closed')))
    })
    const error = await within(outcome, 'the outcome of a renegotiation')
    t.ok(error, 'it fails')
    t.equal((await served.stats()).tls_handshakes, 1)
  },
  'records that come byte by byte': async (_t, ctx) => {
    const served = await serve(ctx)
    const plain = await served.connect({ tls: undefined, reading: false })
    const client = await Client.secure(new Crumbs(plain.raw) as unknown as Client['raw'])
    await client.ask(`${'slow '.repeat(100)}\n`)
    await client.ask('again\n')
    client.destroy()
  },
  'long requests and replies': async (_t, ctx) => {
    const served = await serve(ctx, { maxFrameSize: '8m', outputLimit: '16m' })
    const client = await served.connect()
    await client.ask(Buffer.concat([Buffer.alloc(5_000_000, 'x'), Buffer.from('\n')]))
    await client.ask('short\n')
  },
  'many requests in few records': async (_t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    await client.ask(Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join(''))
  },
  'two hundred connections at once': async (t, ctx) => {
    const served = await serve(ctx)
    const clients = await served.connectMany(200)
    await Promise.all(clients.map((client, i) => client.ask(`client ${i}\n`)))
    t.equal((await served.stats()).tls_handshakes, 200)
  },
  'a storm of handshakes leaves time for who is there': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    let isOver = false
    const storm = served.connectMany(300).then(() => {
      isOver = true
    })
    let asked = 0
    while (!isOver) {
      await client.ask('meanwhile\n')
      asked++
    }
    await storm
    t.ok(asked > 2, `${asked} requests were answered meanwhile`)
  },
  'who asks and ends with the last of the handshake is answered in a storm, too': async (
    t,
    ctx,
  ) => {
    const served = await serve(ctx)
    const one = async (): Promise<string> => {
      const client = await served.connect()
      client.finish('a\n')
      return `${await client.rest()}`
    }
    const answers = await Promise.all(Array.from({ length: 120 }, one))
    t.equal(answers.filter((answer) => answer === 'a\n').length, 120)
    t.equal((await served.stats()).tls_failed, 0)
  },
  'a streamed reply': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: async function* () {
        for (let i = 0; i < 64; i++) yield Buffer.alloc(16_000, 'abcdefgh')
      },
    })
    const client = await served.connect()
    client.finish('go\n')
    t.ok((await client.rest()).equals(Buffer.alloc(64 * 16_000, 'abcdefgh')))
  },
  'who says nothing is closed by tls_handshake_timeout': async (t, ctx) => {
    const served = await serve(ctx, { tlsHandshakeTimeout: brief(200) })
    const client = await served.connect({ tls: undefined })
    await client.expectEnd()
    await served.reachClosed('tls_timeout')
    t.match(await served.logged(/tls_timeout/), /127\.0\.0\.1/)
    t.equal((await served.stats()).tls_failed, 1)
  },
  'half a handshake is closed by tls_handshake_timeout': async (_t, ctx) => {
    const served = await serve(ctx, { tlsHandshakeTimeout: brief(300) })
    const client = await served.connect({ tls: undefined })
    // A record of a ClientHello of 512 bytes, and the first of these.
    client.send(Buffer.from('1603010200010001fc0303', 'hex'))
    await client.expectEnd()
    await served.reachClosed('tls_timeout')
  },
  'after the handshake the first byte has its own time': async (_t, ctx) => {
    const served = await serve(ctx, {
      tlsHandshakeTimeout: '10m',
      firstByteTimeout: brief(200),
    })
    const client = await served.connect()
    await client.expectEnd()
    await served.reachClosed('first_byte_timeout')
  },
  'an idle connection is closed by idle_timeout': async (_t, ctx) => {
    const served = await serve(ctx, { idleTimeout: brief(200) })
    const client = await served.connect()
    await client.ask('line\n')
    await client.expectEnd()
    await served.reachClosed('idle_timeout')
  },
  'who does not read is closed by write_timeout': async (_t, ctx) => {
    const served = await serve(ctx, {
      writeTimeout: brief(300),
      handleRequest: () => Buffer.alloc(64_000_000),
    })
    const client = await served.connect({ reading: false })
    client.send('more than the kernel takes\n')
    await served.reachClosed('write_timeout')
  },
  'garbage in place of a handshake': insteadOfHello('garbage\n'.repeat(10), /fault/),
  'HTTP in place of a handshake': insteadOfHello('GET / HTTP/1.1\r\n\r\n', /http request/),
  'a line in place of a handshake': insteadOfHello('EHLO here\r\n', /wrong version number/),
  'who connects and leaves is nobody’s fault': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect({ tls: undefined })
    client.finish()
    await client.expectEnd()
    await served.reachClosed('end')
    t.notMatch(served.lines.join('\n'), /tls_/)
  },
  'who leaves during the handshake': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect({ tls: undefined })
    client.finish(Buffer.from('1603010200010001fc0303', 'hex'))
    await client.expectEnd()
    await served.reachClosed('tls_error')
    t.match(await served.logged(/tls_error/), /left during the handshake/)
  },
  'a record that was tampered with': async (_t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    await client.ask('line\n')
    client.raw.write(Buffer.concat([Buffer.from('1703030013', 'hex'), Buffer.alloc(19)]))
    await served.reachClosed('tls_error')
    await served.logged(/bad record mac|decryption failed/)
  },
  'half-close: what was asked is answered': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    client.finish('one\ntwo\n')
    t.equal(String(await client.rest()), 'one\ntwo\n')
    await served.reachClosed('end')
  },
  'a stream without an end is told from one with': async (t, ctx) => {
    onlyNative(ctx, 'node:tls does not tell whether there was a close_notify')
    const served = await serve(ctx)
    const client = await served.connect()
    await client.ask('whole\n')
    client.send('and half')
    await served.reach((s) => s.bytes_in >= 14, 'half a request')
    client.raw.end()
    await served.reachClosed('tls_truncated')
    t.match(await served.logged(/tls_truncated/), /127\.0\.0\.1/)
    t.equal((await served.stats()).requests, 1)
  },
  'a stream that was cut is no request of the framer eof': async (t, ctx) => {
    onlyNative(ctx, 'node:tls does not tell whether there was a close_notify')
    const served = await serve(ctx, { endRequest: 'eof' })
    const cut = await served.connect()
    cut.send('rm -rf /tmp/x')
    await served.reach((s) => s.bytes_in > 0, 'the first bytes')
    cut.raw.end()
    await served.reachClosed('tls_truncated')
    t.equal((await served.stats()).requests, 0)
    const whole = await served.connect()
    whole.finish('all of it')
    t.equal(String(await whole.rest()), 'all of it')
  },
  'a reset is a reset': async (_t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    await client.ask('line\n')
    client.reset()
    await served.reachClosed('reset')
  },
  'a long reply arrives whole although input was not read': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: () => [Buffer.alloc(4 * 1024 * 1024, 'reply'), false],
    })
    const client = await served.connect()
    client.send(`go\n${'x'.repeat(300_000)}`)
    const rest = await client.rest()
    t.ok(rest.equals(Buffer.alloc(4 * 1024 * 1024, 'reply')))
  },
  'the opened hook comes after the handshake, and not without one': async (t, ctx) => {
    const seen: string[] = []
    const served = await serve(ctx, {
      opened: ({ tls }: Connection) => void seen.push(`opened ${tls?.protocol}`),
      closed: (_: Connection, reason: string) => void seen.push(`closed ${reason}`),
    })
    const bad = await served.connect({ tls: undefined })
    bad.send('GET / HTTP/1.1\r\n\r\n')
    await served.reachClosed('tls_error')
    const client = await served.connect()
    await client.ask('line\n')
    client.finish()
    await client.expectEnd()
    await until(() => seen.includes('closed end'), 'the closed hook')
    t.same(
      seen.filter((each) => each !== 'closed tls_error'),
      ['opened TLSv1.3', 'closed end'],
    )
  },
  'a greeting from the opened hook': async (t, ctx) => {
    const served = await serve(ctx, {
      opened: (connection: Connection) => void connection.write('welcome\n'),
    })
    const client = await served.connect()
    await client.expect('welcome\n')
    await client.ask('line\n')
    t.equal((await served.stats()).tls_handshakes, 1)
  },
  'the server closes in the middle of a handshake': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect({ tls: undefined })
    client.send(Buffer.from('1603010200010001fc0303', 'hex'))
    await served.reachActive(1)
    await within(served.server.close(), 'closed server')
    t.equal((await served.stats()).active, 0)
  },
  'bytes are those of requests and replies': async (t, ctx) => {
    const served = await serve(ctx, {
      handleRequest: (_: Buffer, { bytesIn, bytesOut }: Connection) => `${bytesIn} ${bytesOut}\n`,
    })
    const client = await served.connect()
    await client.ask('12345\n', '6 0\n')
    await client.ask('1\n', '8 4\n')
    t.match(await served.stats(), { bytes_in: 8, bytes_out: 8 })
  },
  'over a unix socket': async (_t, ctx) => {
    const served = await serve(ctx, { protocol: 'unixsocket' })
    await (await served.connect()).ask('line\n')
  },
  'behind a PROXY header': async (t, ctx) => {
    const served = await serve(ctx, {
      proxyProtocol: 'auto',
      opened: ({ remote, tls }: Connection) => void seen.push(`${remote.address} ${tls?.protocol}`),
      handleRequest: (_: Buffer, { remote, tls }: Connection) =>
        `${remote.address} ${tls?.protocol}\n`,
    })
    const seen: string[] = []
    const { raw } = await served.connect({ tls: undefined, reading: false })
    raw.write('PROXY TCP4 10.1.2.3 10.1.2.4 12345 443\r\n')
    const client = await Client.secure(raw)
    await client.ask('who\n', '10.1.2.3 TLSv1.3\n')
    t.same(seen, ['10.1.2.3 TLSv1.3'])
    client.destroy()
  },
  'plain bytes behind a PROXY header are no handshake': async (t, ctx) => {
    const served = await serve(ctx, { proxyProtocol: 'auto' })
    const client = await served.connect({ tls: undefined })
    client.send('PROXY TCP4 10.1.2.3 10.1.2.4 12345 443\r\nline\n')
    await client.rest()
    await served.reachClosed('tls_error')
    t.match(await served.logged(/tls_error/), /10\.1\.2\.3/)
  },
  'startTls(): plain, the reply to it, then TLS': async (t, ctx) => {
    const served = await serve(ctx, STARTS)
    const plain = await served.connect()
    await plain.ask('hello\n', 'plain\n')
    await plain.ask('STARTTLS\n', 'go ahead\n')
    plain.stop()
    plain.socket.removeAllListeners('data')
    const client = await Client.secure(plain.raw)
    await client.ask('hello\n', 'TLSv1.3\n')
    client.finish('hello\n')
    t.equal(String(await client.rest()), 'TLSv1.3\n')
    await served.reachClosed('end')
    t.equal((await served.stats()).tls_handshakes, 1)
  },
  'startTls() of a handler that takes its time': async (_t, ctx) => {
    const served = await serve(ctx, {
      tlsMode: 'starttls',
      handleRequest: async (request: Buffer, connection: Connection) => {
        await new Promise(setImmediate)
        if (String(request) !== 'STARTTLS\n') return `${connection.tls?.protocol ?? 'plain'}\n`
        connection.startTls()
        await new Promise(setImmediate)
        return 'go ahead\n'
      },
    })
    const plain = await served.connect()
    await plain.ask('hello\nSTARTTLS\n', 'plain\ngo ahead\n')
    plain.stop()
    plain.socket.removeAllListeners('data')
    const client = await Client.secure(plain.raw)
    await client.ask('hello\n', 'TLSv1.3\n')
    client.destroy()
  },
  'startTls(): what was sent behind the request for it is not heard': async (t, ctx) => {
    const heard: string[] = []
    const served = await serve(ctx, {
      ...STARTS,
      handleRequest: (request: Buffer, connection: Connection) => {
        heard.push(String(request))
        return STARTS.handleRequest(request, connection)
      },
    })
    for (const behind of ['EVIL\n', 'EV']) {
      const client = await served.connect()
      await client.ask('hello\n', 'plain\n')
      client.send(`STARTTLS\n${behind}`)
      await client.rest()
    }
    await served.reachClosed('tls_error', 2)
    t.match(await served.logged(/tls_error/), /in plain behind the request/)
    t.same([...new Set(heard)], ['hello\n', 'STARTTLS\n'])
  },
  'startTls() of a handler that takes its time: nor is what was sent behind that': async (
    t,
    ctx,
  ) => {
    const heard: string[] = []
    const served = await serve(ctx, {
      ...STARTS,
      handleRequest: async (request: Buffer, connection: Connection) => {
        heard.push(`${connection.tls?.protocol ?? 'plain'} ${request}`)
        await new Promise((done) => setTimeout(done, 20))
        return STARTS.handleRequest(request, connection)
      },
    })
    const client = await served.connect()
    client.send('STARTTLS\nEVIL\n')
    await client.rest()
    await served.reachClosed('tls_error')
    t.notOk(heard.some((line) => line.startsWith('TLS')))
  },
  'startTls() where requests are framed by a function': async (t, ctx) => {
    const heard: string[] = []
    const served = await serve(ctx, {
      ...STARTS,
      endRequest: (bytes: Buffer) => bytes.includes(10),
      splitRequest: (bytes: Buffer): [Uint8Array, Uint8Array] => {
        const end = bytes.indexOf(10) + 1
        return [bytes.subarray(0, end), bytes.subarray(end)]
      },
      handleRequest: (request: Buffer, connection: Connection) => {
        heard.push(String(request))
        return STARTS.handleRequest(request, connection)
      },
    })
    const plain = await served.connect()
    await plain.ask('STARTTLS\n', 'go ahead\n')
    plain.stop()
    plain.socket.removeAllListeners('data')
    const client = await Client.secure(plain.raw)
    await client.ask('hello\n', 'TLSv1.3\n')
    client.destroy()
    const bad = await served.connect()
    bad.send('STARTTLS\nEVIL\n')
    await bad.rest()
    await served.reachClosed('tls_error')
    t.notOk(heard.includes('EVIL\n'))
  },
  'startTls(): an answer that is no handshake': async (_t, ctx) => {
    const served = await serve(ctx, STARTS)
    const client = await served.connect()
    await client.ask('STARTTLS\n', 'go ahead\n')
    client.send('hello\n')
    await client.rest()
    await served.reachClosed('tls_error')
  },
  'startTls() is refused where it cannot be': async (t, ctx) => {
    const errors: string[] = []
    const attempt = (connection: Connection) => {
      try {
        connection.startTls()
      } catch (error) {
        errors.push(`${(error as { code?: string }).code} ${(error as Error).message}`)
      }
      return 'done\n'
    }
    const handleRequest = (_: Buffer, connection: Connection) => attempt(connection)
    const implicit = await serve(ctx, { handleRequest })
    await (await implicit.connect()).ask('x\n', 'done\n')
    const without = await ctx.serve({ handleRequest })
    await (await without.connect({ tls: undefined })).ask('x\n', 'done\n')
    const batch = await serve(ctx, {
      handleBatch: (all: Iterable<{ connection: Connection; reply(text: string): void }>) => {
        for (const each of all) each.reply(attempt(each.connection))
      },
    })
    await (await batch.connect()).ask('x\n', 'done\n')
    t.equal(errors.length, 3)
    t.match(errors[0], /ERR_GAIDAROS_STATE .*tls_mode = starttls/)
    t.match(errors[1], /ERR_GAIDAROS_STATE .*tls_cert/)
    t.match(errors[2], /ERR_GAIDAROS_STATE .*handle_batch/)
  },
  'certificates are reloaded: new connections have the new one': async (t, ctx) => {
    const files = {
      tlsCert: join(place(), `${ctx.variant.name.replace(/\W/g, '')}-reload.pem`),
      tlsKey: join(place(), `${ctx.variant.name.replace(/\W/g, '')}-reload.key`),
    }
    const put = ({ certFile, keyFile }: Identity) => {
      copyFileSync(certFile, files.tlsCert)
      copyFileSync(keyFile, files.tlsKey)
    }
    put(server())
    const served = await serve(ctx, files)
    if (!(served.server instanceof Gaidaros)) throw new Unfit('it is another server')
    const { server: gaidaros } = served
    const shown = async () => {
      const { socket } = await served.connect()
      return (socket as TLSSocket).getPeerCertificate().subject.CN
    }
    const old = await served.connect()
    await old.ask('before\n')
    put(otherServer())
    t.same(await gaidaros.reloadCertificates(), [files.tlsCert])
    t.equal(await shown(), 'other.test')
    await old.ask('after\n')
    writeFileSync(files.tlsKey, server().key)
    await t.rejects(gaidaros.reloadCertificates(), {
      code: 'ERR_GAIDAROS_TLS',
      message: /is not the key/,
    })
    t.equal(await shown(), 'other.test')
    put(server())
    await gaidaros.reload()
    t.equal(await shown(), 'localhost')
    await old.ask('at last\n')
  },
  'files that cannot be used': async (t, ctx) => {
    const { cert, key, certFile } = server()
    await mistake(
      t,
      ctx,
      { tlsCert: '/nowhere/c.pem' },
      /^tls_cert: \/nowhere\/c.pem is not there$/,
    )
    await mistake(t, ctx, { tlsCert: file('c1', 'x') }, /tls_cert: .* no certificate in PEM/)
    const broken = file('c2', cert.replace(/[A-Za-z0-9]{20}/, '!'.repeat(20)))
    await mistake(t, ctx, { tlsCert: broken }, /tls_cert: .*certificate 1 in it cannot be read/)
    await mistake(t, ctx, { tlsKey: file('k1', 'x') }, /tls_key: .* no private key in PEM/)
    await mistake(t, ctx, { tlsKey: stranger().keyFile }, /is not the key of the first certificate/)
    await mistake(t, ctx, { tlsKey: file('k2', key, 0o644) }, /0644: others can read/)
    await mistake(t, ctx, { tlsKey: file('k3', key, 0o660) }, /0660: its group can change/)
    const sealed = key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')
    await mistake(t, ctx, { tlsKey: file('k4', sealed) }, /is encrypted; wanted/)
    await mistake(t, ctx, { tlsKey: place() }, /is no regular file/)
    await mistake(t, ctx, { tlsCiphers: 'NO-SUCH' }, /tls_ciphers: NO-SUCH is refused by OpenSSL/)
    const options = { tlsVerify: 'required', tlsCa: '/nowhere/ca.pem' }
    await mistake(t, ctx, options, /tls_ca: \/nowhere\/ca.pem is not there/)
    // All that is wrong is said at once.
    const both = { tlsCert: '/nowhere/c', tlsKey: '/nowhere/k' }
    await mistake(t, ctx, both, /tls_cert: .*\n.*tls_key: /)
    const served = await serve(ctx, { tlsCert: certFile, tlsKey: file('k5', key, 0o640) })
    await (await served.connect()).ask('line\n')
  },
  'a certificate that has expired is a warning': async (_t, ctx) => {
    const past = makeIdentity({ subject: '/CN=localhost', end: 'past' })
    const served = await serve(ctx, { tlsCert: past.certFile, tlsKey: past.keyFile })
    await served.logged(/warn.*has expired/)
    await (await served.connect()).ask('line\n')
  },
  'options that do not go together': async (t, ctx) => {
    const wrong = (options: Options, wanted: RegExp) =>
      t.throws(() => ctx.make(options), { code: 'ERR_GAIDAROS_OPTION', message: wanted })
    wrong({ tlsKey: 'k' }, /tls_key .*wanted a tls_cert/)
    wrong({ tlsCert: ['a', 'b'], tlsKey: 'k' }, /tls_key .*1 files for 2 of tls_cert/)
    wrong({ ...serverTls(), tlsVerify: 'required' }, /tls_verify .*wanted a tls_ca/)
    wrong({ ...serverTls(), tlsCa: 'x' }, /tls_ca .*wanted tls_verify/)
    wrong({ ...serverTls(), protocol: 'UDP' }, /tls_cert .*wanted a protocol of streams/)
    wrong({ ...serverTls(), tlsAlpn: 'a b' }, /tls_alpn .*wanted names/)
    wrong(
      { ...serverTls(), tlsMode: 'starttls', handlerType: 'threadpool' },
      /tls_mode .*starttls wanted handler_type/,
    )
  },
}
