// The PROXY protocol in front of a connection.

import type { Connection } from '../../../lib/handler/contract.js'
import type { Case, Cases, Context } from '../case.js'
import type { Client } from '../client.js'
import { brief, until } from '../deadline.js'

const LINE = 'PROXY TCP4 10.1.2.3 10.1.2.4 12345 443\r\n'

/** A header of version 2. */
function binary(command: number, family: number, rest: Uint8Array): Buffer {
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex')
  head[12] = 0x20 | command
  head[13] = family
  head.writeUInt16BE(rest.length, 14)
  return Buffer.concat([head, rest])
}

const IPV4 = Buffer.from('0a0102030a010204303901bb', 'hex')
const IPV6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('00000000000000000000000000000001', 'hex'),
  Buffer.from('303901bb', 'hex'),
])
const TLVS = Buffer.from('010002683205000361626304000178', 'hex')

/** The handler answers with what it is told of who is there. */
const WHO = {
  handleRequest: (_request: Buffer, { remote, local, proxy }: Connection) =>
    `${JSON.stringify({
      from: `${remote.address} ${remote.port}`,
      to: `${local.address} ${local.port}`,
      version: proxy?.version,
      proxy: proxy?.address.address,
      tlvs: proxy?.tlvs.map(({ type, value }) => `${type}=${value}`),
    })}\n`,
}

const serve = (ctx: Context, options: Record<string, unknown> = {}) =>
  ctx.serve({ ...WHO, proxyProtocol: 'auto', ...options })

/** What the server says to all of this, before it closes. */
async function asked(client: Client, ...sent: (Buffer | string)[]): Promise<string[]> {
  client.finish(Buffer.concat(sent.map((part) => Buffer.from(part))))
  return String(await client.rest())
    .trimEnd()
    .split('\n')
}

/** What the handler of a fresh connection says when its first bytes are these. */
function told(first: Buffer | string, wanted: Record<string, unknown>): Case {
  return async (t, ctx) => {
    const served = await serve(ctx)
    const [line = '', second] = await asked(await served.connect(), first, 'who\nagain\n')
    t.match(JSON.parse(line), wanted)
    t.equal(second, line)
  }
}

/** Such first bytes close the connection for this reason. */
const refused =
  (first: Buffer | string, options: Record<string, unknown> = {}): Case =>
  async (t, ctx) => {
    const served = await serve(ctx, options)
    const client = await served.connect()
    client.send(first)
    await client.expectEnd()
    await served.reachClosed('proxy_error')
    t.match(await served.logged(/proxy_error/), new RegExp(`127\\.0\\.0\\.1.*${client.localPort}`))
  }

export const proxy: Cases = {
  'version 1: the handler sees the peer and where it went': told(LINE, {
    from: '10.1.2.3 12345',
    to: '10.1.2.4 443',
    version: 1,
    proxy: '127.0.0.1',
    tlvs: [],
  }),
  'version 1 over IPv6': told('PROXY TCP6 2001:db8::1 ::1 1 2\r\n', {
    from: '2001:db8::1 1',
    to: '::1 2',
  }),
  'version 2, with TLVs': told(binary(1, 0x11, Buffer.concat([IPV4, TLVS])), {
    from: '10.1.2.3 12345',
    to: '10.1.2.4 443',
    version: 2,
    proxy: '127.0.0.1',
    tlvs: ['1=h2', '5=abc'],
  }),
  'version 2 over IPv6': told(binary(1, 0x21, IPV6), {
    from: '2001:db8::1 12345',
    to: '::1 443',
  }),
  'LOCAL and UNKNOWN: the proxy speaks for itself': async (t, ctx) => {
    const served = await serve(ctx)
    for (const first of [binary(0, 0, Buffer.alloc(0)), 'PROXY UNKNOWN\r\n']) {
      const client = await served.connect()
      const from = `127.0.0.1 ${client.localPort}`
      const [line = ''] = await asked(client, first, 'who\n')
      t.match(JSON.parse(line), { from })
    }
  },
  'a header that comes byte by byte': async (t, ctx) => {
    const served = await serve(ctx)
    for (const first of [Buffer.from(LINE), binary(1, 0x11, Buffer.concat([IPV4, TLVS]))]) {
      const client = await served.connect()
      for (const byte of first) await client.write(Buffer.from([byte]))
      const [line = ''] = await asked(client, 'who\n')
      t.match(JSON.parse(line), { from: '10.1.2.3 12345' })
    }
  },
  'no header': refused('GET / HTTP/1.1\r\n'),
  'a header of the other version': refused(LINE, { proxyProtocol: 'v2' }),
  'a header that is none': refused('PROXY TCP4 10.1.2.3 10.1.2.4 12345 66000\r\n'),
  'TLVs that end elsewhere': refused(
    binary(1, 0x11, Buffer.concat([IPV4, Buffer.from([1, 0, 9])])),
  ),
  'a half-close within the header': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    client.send('PROXY TCP4')
    client.finish()
    await client.expectEnd()
    await served.reachClosed('proxy_error')
    t.equal((await served.stats()).closed.proxy_error, 1)
  },
  'who says nothing and leaves is nobody’s fault': async (t, ctx) => {
    const served = await serve(ctx)
    const client = await served.connect()
    client.finish()
    await client.expectEnd()
    await served.reachClosed('end')
    t.notMatch(served.lines.join('\n'), /proxy_/)
  },
  'who says nothing and stays is closed by proxy_timeout': async (t, ctx) => {
    const served = await serve(ctx, { proxyTimeout: brief(200) })
    const client = await served.connect()
    client.send('PROXY TCP4 ')
    await client.expectEnd()
    await served.reachClosed('proxy_timeout')
    t.match(await served.logged(/proxy_timeout/), /127\.0\.0\.1/)
  },
  'a proxy that is not allowed is closed at once': async (t, ctx) => {
    const served = await serve(ctx, { proxyAllowFrom: ['10.0.0.0/8', '127.0.0.2'] })
    const client = await served.connect()
    await client.expectEnd()
    await served.reachClosed('proxy_denied')
    const allowed = await served.connect({ localAddress: '127.0.0.2' })
    const [line = ''] = await asked(allowed, LINE, 'who\n')
    t.match(JSON.parse(line), { from: '10.1.2.3 12345', proxy: '127.0.0.2' })
  },
  'max_connections_per_ip counts the peers, not the proxy': async (t, ctx) => {
    const served = await ctx.serve({ proxyProtocol: 'auto', maxConnectionsPerIp: 1 })
    const first = await served.connect()
    await first.ask(`${LINE}one\n`, 'one\n')
    const other = await served.connect()
    await other.ask('PROXY TCP4 10.9.9.9 10.1.2.4 1 2\r\ntwo\n', 'two\n')
    const second = await served.connect()
    second.send(`${LINE}three\n`)
    await second.expectEnd()
    await served.reachClosed('max_connections_per_ip')
    first.finish()
    await first.expectEnd()
    await served.reachClosed('end')
    const third = await served.connect()
    await third.ask(`${LINE}four\n`, 'four\n')
    t.equal((await served.stats()).closed.max_connections_per_ip, 1)
  },
  'the opened hook hears of the peer, before its first request': async (t, ctx) => {
    const seen: string[] = []
    const served = await serve(ctx, {
      opened: ({ remote }: Connection) => void seen.push(`opened ${remote.address}`),
      handleRequest: (request: Buffer) => {
        seen.push(`request ${String(request).trim()}`)
        return request
      },
    })
    const client = await served.connect()
    client.send('PROXY TCP4')
    const other = await served.connect()
    other.send(`${LINE}one\n`)
    await other.take(4)
    t.same(seen, ['opened 10.1.2.3', 'request one'])
    client.send(' 10.5.5.5 10.1.2.4 1 2\r\n')
    await until(() => seen.length === 3, 'the other’s opened hook')
    t.equal(seen[2], 'opened 10.5.5.5')
  },
}
