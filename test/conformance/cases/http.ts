// Framer http: what handlers are given and give back, and what clients get.

import type { Batch } from '../../../lib/handler/contract.js'
import { json } from '../../../lib/http/json.js'
import type { HttpRequest } from '../../../lib/http/request.js'
import type { Cases, Context } from '../case.js'
import { until } from '../deadline.js'
import { askHttp, CLOSE, CONTINUE, expectResponses, failed, ok, refused } from '../responses.js'

const HTTP = { endRequest: 'http' }
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

const get = (target: string, fields = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`
const post = (body: string, fields = ''): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`
const chunked = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`

/** Says what it was asked for. */
const told = (request: HttpRequest): string =>
  `${request.method} ${request.target} ${request.text()}`
const echo = (request: HttpRequest): string => request.text()
const late = async (request: HttpRequest): Promise<string> => request.target

const serve = (
  ctx: Context,
  handleRequest: (request: HttpRequest, c: never) => unknown,
  more = {},
) => ctx.serve({ ...HTTP, handleRequest, ...more })

/** Requests to /slow are answered when release() is called, others with their body. */
function gated() {
  const waiting: (() => void)[] = []
  return {
    handle: (request: HttpRequest): unknown =>
      request.path === '/slow'
        ? new Promise((resolve) => waiting.push(() => resolve('slow')))
        : request.text(),
    waiting: () => waiting.length,
    release: () => {
      for (const go of waiting.splice(0)) go()
    },
  }
}

/** What a request is refused with behind two that are answered, and the reason that its connection ends for. */
function refusal(
  status: string,
  request: string,
  reason: 'frame_error' | 'frame_size' = 'frame_error',
): Cases[string] {
  return async (t, ctx) => {
    const served = await serve(ctx, late)
    const client = await served.connect()
    client.send(get('/1') + get('/2') + request + get('/never'))
    await expectResponses(client, ok('/1'), ok('/2'), refused(status))
    await client.expectEnd('fin')
    client.destroy()
    await served.reachClosed(reason)
    t.equal((await served.stats()).active, 0)
  }
}

const large = (bytes: number): string => 'x'.repeat(bytes)

export const http: Cases = {
  hello: async (_t, ctx) => {
    const served = await serve(ctx, () => 'Hello, World!')
    const client = await served.connect()
    for (let i = 0; i < 3; i++) await askHttp(client, get('/'), ok('Hello, World!'))
  },

  'sixty-four requests in one write': async (_t, ctx) => {
    const served = await serve(ctx, (request) => request.target)
    const client = await served.connect()
    const targets = Array.from({ length: 64 }, (_, i) => `/${i}`)
    for (let round = 0; round < 3; round++)
      await askHttp(
        client,
        targets.map((target) => get(target)).join(''),
        ...targets.map((target) => ok(target)),
      )
  },

  'async replies leave in the order of requests': async (_t, ctx) => {
    const served = await serve(ctx, async ({ target }) => {
      if (target === '/0') await new Promise((resolve) => setTimeout(resolve, 20))
      return target
    })
    const client = await served.connect()
    await askHttp(client, get('/0') + get('/1') + get('/2'), ok('/0'), ok('/1'), ok('/2'))
  },

  'HEAD has the head of GET': async (_t, ctx) => {
    const served = await serve(ctx, () => 'hello')
    const client = await served.connect()
    const head = ok('hello').slice(0, -'hello'.length)
    const request = 'HEAD / HTTP/1.1\r\nHost: x\r\n\r\n'
    await askHttp(client, request + get('/') + request, head, ok('hello'), head)
  },

  'a body by its length, byte by byte': async (_t, ctx) => {
    const served = await serve(ctx, told)
    const client = await served.connect()
    const received = async () => (await served.stats()).bytes_in
    await client.trickle(post('a\r\n\r\nb', 'X: y\r\n'), received)
    await expectResponses(client, ok('POST / a\r\n\r\nb'))
    await askHttp(client, get('/next'), ok('GET /next '))
  },

  'a body in chunks, byte by byte': async (_t, ctx) => {
    const served = await serve(ctx, (request) => `${request.text()} ${request.trailers.get('sum')}`)
    const client = await served.connect()
    const received = async () => (await served.stats()).bytes_in
    await client.trickle(chunked('3;x="y;z"\r\nabc\r\n01\r\nd\r\n0\r\nSum: 4\r\n\r\n'), received)
    await expectResponses(client, ok('abcd 4'))
  },

  'bodies cut by a small receive size': async (_t, ctx) => {
    const served = await serve(ctx, echo, { recvSize: 512 })
    const client = await served.connect()
    const bodies = Array.from({ length: 40 }, (_, i) => `${i}${'.'.repeat(i * 37)}`)
    const requests = bodies.map((body, i) =>
      i % 2 === 0 ? post(body) : chunked(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    )
    await askHttp(client, requests.join(''), ...bodies.map((body) => ok(body)))
  },

  'a body of 1 MiB, and none of one more': async (_t, ctx) => {
    const served = await serve(ctx, ({ body }) => `${body.length} ${body.at(-1)}`)
    const client = await served.connect()
    const body = large(1024 * 1024)
    await askHttp(client, post(body) + post('y'), ok('1048576 120'), ok('1 121'))
    await askHttp(client, post(`${body}x`), refused('413 Content Too Large'))
  },

  'a body of 1 MiB in chunks, sent back': async (_t, ctx) => {
    const served = await serve(ctx, ({ body }) => body, { outputLimit: 0 })
    const client = await served.connect()
    const piece = large(16 * 1024)
    await client.write(chunked(`${`4000\r\n${piece}\r\n`.repeat(64)}0\r\n\r\n`))
    const head =
      'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1048576\r\n\r\n'
    await expectResponses(client, head + piece.repeat(64))
  },

  'responses of all kinds': async (_t, ctx) => {
    const served = await serve(ctx, ({ path }) => {
      switch (path) {
        case '/none':
          return undefined
        case '/json':
          return json({ a: 'é' }, { status: 201 })
        case '/latin1':
          return { status: 404, headers: { 'X-L': '\xe9' }, body: 'é' }
        case '/bytes':
          return Buffer.from('bytes')
        default:
          return Promise.resolve({ body: path })
      }
    })
    const client = await served.connect()
    await askHttp(
      client,
      get('/none') + get('/json') + get('/bytes') + get('/late'),
      'HTTP/1.1 204 No Content\r\n\r\n',
      'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a":"é"}',
      'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\nbytes',
      ok('/late'),
    )
    client.send(get('/latin1', CLOSE))
    const rest = (await client.rest()).toString('latin1')
    if (!rest.includes('\r\nX-L: \xe9\r\n') || !rest.endsWith('\r\n\r\n\xc3\xa9'))
      throw new Error(`got ${JSON.stringify(rest)}`)
  },

  'HTTP/1.1 keeps the connection, Connection: close does not': async (_t, ctx) => {
    const served = await serve(ctx, late)
    const client = await served.connect()
    await askHttp(client, get('/1'), ok('/1'))
    client.send(get('/2') + get('/3', CLOSE) + get('/never'))
    await expectResponses(client, ok('/2'), ok('/3', CLOSE))
    await client.expectEnd('fin')
    client.destroy()
    await served.reachClosed('done')
  },

  'HTTP/1.0 does not keep the connection, Connection: keep-alive does': async (_t, ctx) => {
    const served = await serve(ctx, ({ target }) => target)
    const client = await served.connect()
    const kept = 'Connection: keep-alive\r\n'
    const old = (target: string, fields = '') => `GET ${target} HTTP/1.0\r\n${fields}\r\n`
    await askHttp(client, old('/1', kept) + old('/2', kept), ok('/1', kept), ok('/2', kept))
    client.send(old('/3') + get('/never'))
    await expectResponses(client, ok('/3', CLOSE))
    await client.expectEnd('fin')
    client.destroy()
    await served.reachClosed('done')
  },

  'a handler that ends the connection says so': async (_t, ctx) => {
    const served = await serve(ctx, async ({ target }) => {
      if (target === '/pair') return [target, false]
      return { headers: { Connection: 'close' }, body: target }
    })
    for (const target of ['/pair', '/field']) {
      const client = await served.connect()
      await askHttp(client, get(target) + get('/never'), ok(target, CLOSE))
      await client.expectEnd('fin')
    }
  },

  'keepalive = no: responses say so, unless the handler keeps it': async (_t, ctx) => {
    const served = await serve(ctx, ({ target }) => (target === '/1' ? [target, true] : target), {
      keepalive: false,
    })
    const client = await served.connect()
    await askHttp(client, get('/1') + get('/2') + get('/never'), ok('/1'), ok('/2', CLOSE))
    await client.expectEnd('fin')
  },

  '100-continue is said once, and not to whom sends on': async (_t, ctx) => {
    const served = await serve(ctx, echo)
    const client = await served.connect()
    const [head = '', body = ''] = post('hello', 'Expect: 100-continue\r\n').split(/(?<=\r\n\r\n)/)
    await askHttp(client, head, CONTINUE)
    await askHttp(client, body, ok('hello'))
    await askHttp(client, head + body, ok('hello'))
    const chunks = chunked('').replace('\r\n\r\n', '\r\nExpect: 100-Continue\r\n\r\n')
    await askHttp(client, chunks, CONTINUE)
    await askHttp(client, '2\r\nab\r\n', '')
    await askHttp(client, '0\r\n\r\n', ok('ab'))
  },

  '100-continue waits for the replies before it': async (t, ctx) => {
    const gate = gated()
    const served = await serve(ctx, gate.handle)
    const [client, other] = await served.connectMany(2)
    const [head = '', body = ''] = post('hello', 'Expect: 100-continue\r\n').split(/(?<=\r\n\r\n)/)
    client?.send(get('/slow') + head)
    await until(() => gate.waiting() === 1, 'the slow request')
    // What would have been said at once is there before another connection has its reply.
    if (other) await askHttp(other, get('/'), ok(''))
    t.equal(client?.pending, 0)
    gate.release()
    if (client) await expectResponses(client, ok('slow'), CONTINUE)
    if (client) await askHttp(client, body, ok('hello'))
  },

  '100-continue is not said where the body comes before the replies': async (_t, ctx) => {
    const gate = gated()
    const served = await serve(ctx, gate.handle)
    const client = await served.connect()
    client.send(get('/slow') + post('hello', 'Expect: 100-continue\r\n'))
    await until(() => gate.waiting() === 1, 'the slow request')
    gate.release()
    await expectResponses(client, ok('slow'), ok('hello'))
  },

  '400: no request line': refusal('400 Bad Request', 'hello\r\n\r\n'),
  '400: a bare LF': refusal('400 Bad Request', 'GET / HTTP/1.1\nHost: x\n\n'),
  '400: no host': refusal('400 Bad Request', 'GET / HTTP/1.1\r\n\r\n'),
  '400: two lengths': refusal('400 Bad Request', post('a', 'Content-Length: 1\r\n')),
  '400: a length and chunks': refusal(
    '400 Bad Request',
    post('0\r\n\r\n', 'Transfer-Encoding: chunked\r\n'),
  ),
  '400: a chunk without a size': refusal('400 Bad Request', chunked('x\r\n')),
  '413: by its length': refusal(
    '413 Content Too Large',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n',
    'frame_size',
  ),
  '413: by its chunks': refusal('413 Content Too Large', chunked('100001\r\n'), 'frame_size'),
  '414: a long request line': refusal('414 URI Too Long', get(`/${large(8192)}`), 'frame_size'),
  '417: an expectation that is none': refusal(
    '417 Expectation Failed',
    get('/', 'Expect: wonders\r\n'),
  ),
  '431: long fields': refusal(
    '431 Request Header Fields Too Large',
    get('/', `X: ${large(16_384)}\r\n`),
    'frame_size',
  ),
  '431: many fields': refusal(
    '431 Request Header Fields Too Large',
    get('/', 'X: y\r\n'.repeat(100)),
    'frame_size',
  ),
  '501: a method that nobody knows': refusal(
    '501 Not Implemented',
    'DANCE / HTTP/1.1\r\nHost: x\r\n\r\n',
  ),
  '501: a coding that nobody undoes': refusal(
    '501 Not Implemented',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  ),
  '505: a version to come': refusal(
    '505 HTTP Version Not Supported',
    'GET / HTTP/2.0\r\nHost: x\r\n\r\n',
  ),

  '408: a request that is never finished': async (_t, ctx) => {
    const served = await serve(ctx, late, { frameTimeout: '300ms' })
    const client = await served.connect()
    client.send(`${get('/1')}GET /2 HTTP/1.1\r\nHo`)
    await expectResponses(client, ok('/1'), refused('408 Request Timeout'))
    await client.expectEnd('fin')
    client.destroy()
    await served.reachClosed('frame_timeout')
  },

  'limits are the options’': async (_t, ctx) => {
    const served = await serve(ctx, ({ target }) => target, {
      httpMaxLine: 20,
      httpMaxHeaders: 37,
      httpMaxHeaderCount: 2,
      httpMaxBody: 4,
      httpMaxChunkExtension: 3,
    })
    const refuses = async (request: string, status: string) => {
      const client = await served.connect()
      await askHttp(client, get('/') + request, ok('/'), refused(status))
      await client.expectEnd('fin')
    }
    await refuses(get('/1234567'), '414 URI Too Long')
    await refuses(get('/', `X: ${large(24)}\r\n`), '431 Request Header Fields Too Large')
    await refuses(get('/', 'X: y\r\nY: z\r\n'), '431 Request Header Fields Too Large')
    await refuses(chunked('0\r\nX: y\r\n\r\n'), '431 Request Header Fields Too Large')
    await refuses(post('12345'), '413 Content Too Large')
    await refuses(chunked('3\r\nabc\r\n2\r\n'), '413 Content Too Large')
    await refuses(chunked('1;ab=\r\n'), '400 Bad Request')
    const client = await served.connect()
    const most = [get('/123456'), get('/', `X: ${large(23)}\r\n`), post('1234')]
    await askHttp(client, most.join(''), ok('/123456'), ok('/'), ok('/'))
    await askHttp(client, chunked('3;a\r\nabc\r\n1;bc\r\nd\r\n0\r\n\r\n'), ok('/'))
  },

  'a refused request counts as one, and as a reply': async (t, ctx) => {
    const served = await serve(ctx, late)
    const client = await served.connect()
    await askHttp(client, `${get('/')}bad one\r\n`, ok('/'), refused('400 Bad Request'))
    await client.expectEnd('fin')
    t.match(await served.stats(), { requests: 2, replies: 2 })
  },

  'a refusal waits for slow replies': async (t, ctx) => {
    const gate = gated()
    const served = await serve(ctx, gate.handle)
    const [client, other] = await served.connectMany(2)
    client?.send(`${get('/slow')}bad one\r\n`)
    await until(() => gate.waiting() === 1, 'the slow request')
    if (other) await askHttp(other, get('/'), ok(''))
    t.equal(client?.pending, 0)
    gate.release()
    if (client) await expectResponses(client, ok('slow'), refused('400 Bad Request'))
    await client?.expectEnd('fin')
  },

  'a handler that throws: 500 behind the replies before it, and nothing after it': async (
    t,
    ctx,
  ) => {
    const served = await serve(ctx, ({ target }) => {
      if (target === '/bad') throw new Error('wanted nothing of the kind')
      return target === '/late' ? Promise.resolve(target) : target
    })
    const client = await served.connect()
    await askHttp(
      client,
      get('/late') + get('/1') + get('/bad') + get('/never'),
      ok('/late'),
      ok('/1'),
      failed(),
    )
    await client.expectEnd('fin')
    await served.logged(/wanted nothing of the kind/)
    client.destroy()
    await served.reachClosed('done')
    t.equal((await served.stats()).closed.handler_error, 0)
    t.equal(served.lines.filter((line) => line.includes('handler error')).length, 1)
  },

  'a handler that rejects: 500': async (_t, ctx) => {
    const served = await serve(ctx, async ({ target }) => {
      if (target === '/bad') throw new Error('no such thing')
      return target
    })
    const client = await served.connect()
    await askHttp(client, get('/1') + get('/bad') + get('/never'), ok('/1'), failed())
    await client.expectEnd('fin')
    await served.logged(/no such thing/)
    client.destroy()
    await served.reachClosed('done')
  },

  '500 for HEAD has no body': async (_t, ctx) => {
    const served = await serve(ctx, ({ path }) => {
      if (path === '/late') return Promise.reject(new Error('later'))
      throw new Error('at once')
    })
    for (const path of ['/late', '/now']) {
      const client = await served.connect()
      await askHttp(client, `HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, failed(''))
      await client.expectEnd('fin')
    }
  },

  'a response that cannot be: 500': async (_t, ctx) => {
    const served = await serve(ctx, ({ path }) => {
      if (path === '/injection') return { headers: { 'X-Name': 'a\r\nX-Evil: b' } }
      return path === '/late' ? Promise.resolve(5) : { status: 99 }
    })
    for (const path of ['/injection', '/late', '/status']) {
      const client = await served.connect()
      await askHttp(client, get(path), failed())
      await client.expectEnd('fin')
    }
    await served.logged(/X-Name/)
    await served.logged(/replied with a value of type number/)
    await served.logged(/status: 99/)
  },

  'a reply in pieces is sent in chunks': async (_t, ctx) => {
    const served = await serve(ctx, async function* ({ target }) {
      yield `for ${target}`
      yield ''
      await undefined
      yield Buffer.from('bytes')
    })
    const client = await served.connect()
    const reply = (target: string) => `${CHUNKED}6\r\nfor ${target}\r\n5\r\nbytes\r\n0\r\n\r\n`
    await askHttp(client, get('/1') + get('/2'), reply('/1'), reply('/2'))
    client.send(`GET /3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${get('/never')}`)
    await expectResponses(client, `HTTP/1.1 200 OK\r\n${CLOSE}\r\nfor /3bytes`)
    await client.expectEnd('fin')
  },

  'pieces that fail: 500 before the first, a cut connection behind it': async (_t, ctx) => {
    const served = await serve(ctx, async function* ({ target }) {
      if (target === '/first') throw new Error('before the first')
      yield 'one'
      throw new Error('behind it')
    })
    const early = await served.connect()
    await askHttp(early, get('/first'), failed())
    await early.expectEnd('fin')
    const client = await served.connect()
    client.send(get('/second'))
    const rest = String(await client.rest())
    // What was not sent by then is dropped.
    if (rest.includes('0\r\n\r\n')) throw new Error(`got ${JSON.stringify(rest)}`)
    await served.reachClosed('handler_error')
    await served.logged(/behind it/)
  },

  'a long reply in pieces goes at the client’s pace': async (_t, ctx) => {
    const served = await serve(ctx, async function* () {
      for (let i = 0; i < 64; i++) yield Buffer.alloc(65_536, i)
    })
    const client = await served.connect({ reading: false })
    client.send(get('/', CLOSE))
    await served.reach((s) => s.bytes_out > 0, 'something sent')
    client.read()
    const all = await client.rest()
    const pieces = Array.from({ length: 64 }, (_, i) =>
      Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, i), Buffer.from('\r\n')]),
    )
    const body = Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')])
    if (!all.subarray(all.indexOf('\r\n\r\n') + 4).equals(body)) throw new Error('another body')
  },

  'half-close: what came is answered': async (_t, ctx) => {
    const served = await serve(ctx, late)
    const client = await served.connect()
    client.finish(get('/1') + get('/2'))
    await expectResponses(client, ok('/1'), ok('/2'))
    await client.expectEnd('fin')
    await served.reachClosed('end')
  },

  'half-close: half a request is dropped and counted': async (t, ctx) => {
    const served = await serve(ctx, late)
    const client = await served.connect()
    client.finish(get('/1') + post('whole').slice(0, -1))
    await expectResponses(client, ok('/1'))
    await client.expectEnd('fin')
    await served.reachClosed('end')
    t.equal((await served.stats()).dropped_frames, 1)
  },

  'line ends between requests are passed over': async (_t, ctx) => {
    const served = await serve(ctx, ({ bytes }) => `${bytes.length} ${bytes.subarray(0, 3)}`)
    const client = await served.connect()
    const request = get('/')
    const reply = ok(`${request.length} GET`)
    await askHttp(client, `\r\n\r\n${request}\r\n${request}`, reply, reply)
  },

  'decode_request is given the whole request': async (_t, ctx) => {
    const served = await serve(ctx, ((text: string) => `${text.split('\r\n')[0]} é`) as never, {
      decodeRequest: 'latin1',
    })
    const client = await served.connect()
    await askHttp(client, get('/1', CLOSE), ok('GET /1 HTTP/1.1 é', CLOSE))
    await client.expectEnd('fin')
  },

  'encode_response makes whole responses': async (_t, ctx) => {
    const served = await serve(ctx, ({ path }) => path, {
      encodeResponse: (path: string) =>
        `HTTP/1.1 200 Fine\r\nContent-Length: ${path.length}\r\n\r\n${path}`,
    })
    const client = await served.connect()
    await client.ask(get('/own'), 'HTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\n/own')
  },

  'handle_batch is given bytes and gives them': async (_t, ctx) => {
    const served = await ctx.serve({
      ...HTTP,
      handleBatch: (batch: Batch) => {
        for (const request of batch)
          request.reply(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${request.text().slice(0, 3)}`)
      },
    })
    const client = await served.connect()
    const reply = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nGET'
    await client.ask(get('/1') + get('/2'), reply + reply)
    client.send(get('/3', CLOSE))
    await client.expect(reply)
    await client.expectEnd('fin')
  },

  'without a handler the client is shown what came': async (_t, ctx) => {
    const served = await ctx.serve(HTTP)
    const client = await served.connect()
    const request = post('hello\r\n')
    await askHttp(
      client,
      request,
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${request.length}\r\n\r\n${request}`,
    )
  },

  'the connection is at hand, and what it writes goes as it is': async (_t, ctx) => {
    const served = await serve(ctx, ((
      _: HttpRequest,
      connection: { write(d: string): boolean },
    ) => {
      connection.write('HTTP/1.1 103 Early Hints\r\n\r\n')
      return 'hints'
    }) as never)
    const client = await served.connect()
    await askHttp(client, get('/'), 'HTTP/1.1 103 Early Hints\r\n\r\n', ok('hints'))
  },
}
