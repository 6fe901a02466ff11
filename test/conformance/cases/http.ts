// Framer http: what handlers are given and give back, and what clients get.

import type { Batch } from '../../../lib/handler/contract.js'
import { json } from '../../../lib/http/json.js'
import type { HttpRequest } from '../../../lib/http/request.js'
import type { Cases } from '../case.js'
import {
  askHttp,
  CLOSE,
  chunked,
  expectResponses,
  get,
  large,
  ok,
  post,
  refused,
  serve,
} from '../http.js'

const HTTP = { endRequest: 'http' }
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Says what it was asked for. */
const told = (request: HttpRequest): string =>
  `${request.method} ${request.target} ${request.text()}`
const echo = (request: HttpRequest): string => request.text()

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
