// Frontend fetch: what handlers of the Fetch standard are given and give back, and what clients get.

import type { Cases } from '../case.js'
import { fails, fetched, PLAIN, pathOf, serveFetch } from '../fetch.js'
import { askHttp, CLOSE, chunked, expectResponses, get, post } from '../http.js'

export const fetch: Cases = {
  hello: async (_t, ctx) => {
    const served = await serveFetch(ctx, () => new Response('Hello, World!'))
    const client = await served.connect()
    for (let i = 0; i < 3; i++) await askHttp(client, get('/'), fetched('Hello, World!'))
    await askHttp(client, get('/').repeat(64), ...Array(64).fill(fetched('Hello, World!')))
    await askHttp(client, get('/', CLOSE), fetched('Hello, World!', CLOSE))
    await client.expectEnd('fin')
  },

  'method, path and fields of a request': async (_t, ctx) => {
    const served = await serveFetch(ctx, (request) => {
      const { pathname, search } = new URL(request.url)
      const fields = [...request.headers].map(([name, value]) => `${name}=${value}`)
      return new Response(`${request.method} ${pathname} ${search} ${fields.join(' ')}`)
    })
    const client = await served.connect()
    const reply = fetched('DELETE /a%20b ?c=d accept=x, y host=x')
    await askHttp(
      client,
      'DELETE /a%20b?c=d HTTP/1.1\r\nHost: x\r\nAccept: x\r\nACCEPT: y\r\n\r\n',
      reply,
    )
  },

  'the URL of a request has the host that the client asked for': async (_t, ctx) => {
    const isSecure = ctx.variant.options['tlsCert'] !== undefined
    const scheme = isSecure ? 'https' : 'http'
    const served = await serveFetch(ctx, (request) => new Response(request.url))
    const client = await served.connect()
    const hosts = ['x', 'x:81', '[::1]:82', 'x']
    await askHttp(
      client,
      hosts.map((host) => `GET /a HTTP/1.1\r\nAccept: *\r\nhost: ${host}\r\n\r\n`).join(''),
      ...hosts.map((host) => fetched(`${scheme}://${host}/a`)),
    )
    await askHttp(
      client,
      'GET http://other/b HTTP/1.1\r\nHost: other\r\n\r\n',
      fetched('http://other/b'),
    )
    const { family, address, port } = served.addresses[0] ?? {}
    const local = family === 'unix' || family === 'vsock' ? 'localhost' : `${address}:${port}`
    if (ctx.variant.ahead !== undefined) return
    client.send('GET /old HTTP/1.0\r\n\r\n')
    await expectResponses(client, fetched(`${scheme}://${local}/old`, CLOSE))
  },

  'env has the connection and who has connected': async (_t, ctx) => {
    const served = await serveFetch(ctx, (_request, { connection, remote }) => {
      const isSame = connection.remote.port === remote.port
      return new Response(`${connection.protocol} ${remote.address} ${isSame}`)
    })
    const client = await served.connect()
    const [first] = served.addresses
    if (first?.family === 'unix' || first?.family === 'vsock') return
    await askHttp(client, get('/'), fetched(`TCP ${served.told} true`))
  },

  'JSON there and back': async (_t, ctx) => {
    const served = await serveFetch(ctx, async (request) =>
      Response.json({ got: await request.json() }, { status: 201 }),
    )
    const client = await served.connect()
    const reply = (json: string) =>
      `HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
    await askHttp(
      client,
      post('{"a":"é"}') + chunked('5\r\n[1,2,\r\n2\r\n3]\r\n0\r\n\r\n'),
      reply('{"got":{"a":"é"}}'),
      reply('{"got":[1,2,3]}'),
    )
  },

  'bytes there and back': async (_t, ctx) => {
    const served = await serveFetch(
      ctx,
      async (request) => new Response(await request.arrayBuffer()),
    )
    const client = await served.connect()
    const body = 'x'.repeat(100_000)
    client.send(post(body))
    const head = (await client.take(15)).toString()
    if (head !== 'HTTP/1.1 200 OK') throw new Error(`got ${head}`)
    client.send(get('/', CLOSE))
    const rest = (await client.rest()).toString()
    if (!rest.includes(body)) throw new Error('another body')
    if (rest.includes('octet-stream')) throw new Error('bytes have no type of their own')
  },

  'responses of all kinds': async (_t, ctx) => {
    const served = await serveFetch(ctx, (request) => {
      switch (pathOf(request)) {
        case '/none':
          return new Response(null, { status: 204 })
        case '/same':
          return new Response(null, { status: 304, headers: { ETag: '"a"' } })
        case '/cookies':
          return new Response('', {
            headers: [
              ['set-cookie', 'a=1; Path=/'],
              ['x-y', '1'],
              ['set-cookie', 'b=2'],
              ['x-y', '2'],
            ],
          })
        case '/teapot':
          return new Response('short', { status: 418, statusText: 'I am a teapot' })
        case '/moved':
          return Response.redirect('http://x/there', 301)
        case '/hops':
          return new Response('a', {
            headers: {
              'transfer-encoding': 'chunked',
              connection: 'keep-alive',
              'keep-alive': '5',
            },
          })
        default:
          return new Response(null)
      }
    })
    const client = await served.connect()
    await askHttp(
      client,
      ['none', 'same', 'cookies', 'teapot', 'moved', 'hops', 'empty']
        .map((p) => get(`/${p}`))
        .join(''),
      'HTTP/1.1 204 No Content\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\netag: "a"\r\n\r\n',
      `HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/\r\nx-y: 1\r\nset-cookie: b=2\r\nx-y: 2\r\n${PLAIN}Content-Length: 0\r\n\r\n`,
      fetched('short', '', '418 I am a teapot'),
      'HTTP/1.1 301 Moved Permanently\r\nlocation: http://x/there\r\nContent-Length: 0\r\n\r\n',
      fetched('a'),
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    )
  },

  'HEAD has the head of GET': async (_t, ctx) => {
    const served = await serveFetch(ctx, (request) =>
      pathOf(request) === '/stripped'
        ? new Response(null, { headers: { 'x-y': 'z' } })
        : new Response('hello'),
    )
    const client = await served.connect()
    const head = (path: string) => `HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
    await askHttp(
      client,
      head('/') + get('/') + head('/stripped'),
      fetched('hello').slice(0, -'hello'.length),
      fetched('hello'),
      'HTTP/1.1 200 OK\r\nx-y: z\r\n\r\n',
    )
  },

  'a handler that ends the connection says so': async (_t, ctx) => {
    const served = await serveFetch(
      ctx,
      () => new Response('bye', { headers: { Connection: 'close' } }),
    )
    const client = await served.connect()
    await askHttp(client, get('/') + get('/never'), fetched('bye', CLOSE))
    await client.expectEnd('fin')
  },

  'keepalive = no ends the connection': async (_t, ctx) => {
    const served = await serveFetch(ctx, () => new Response('bye'), { keepalive: false })
    const client = await served.connect()
    await askHttp(client, get('/') + get('/never'), fetched('bye', CLOSE))
    await client.expectEnd('fin')
  },

  'async replies leave in the order of requests': async (_t, ctx) => {
    const served = await serveFetch(ctx, async (request) => {
      const path = pathOf(request)
      if (path === '/0') await new Promise((resolve) => setTimeout(resolve, 20))
      return new Response(path)
    })
    const client = await served.connect()
    const paths = Array.from({ length: 16 }, (_, i) => `/${i}`)
    await askHttp(
      client,
      paths.map((path) => get(path)).join(''),
      ...paths.map((path) => fetched(path)),
    )
  },

  'a handler that throws': fails(() => {
    throw new Error('thrown on purpose')
  }, /handler_error.*thrown on purpose/),

  'a handler that rejects': fails(async () => {
    await undefined
    throw new Error('rejected on purpose')
  }, /handler_error.*rejected on purpose/),

  'a handler that returns no Response': fails(
    (() => 'text') as never,
    /fetch: returned a value of type string; wanted a Response/,
  ),

  'a handler that promises no Response': fails(
    (async () => undefined) as never,
    /fetch: returned a value of type undefined; wanted a Response/,
  ),

  'a response that is an error': fails(
    () => Response.error(),
    /fetch: returned Response.error\(\); wanted one with a status/,
  ),

  'a body that was used': fails(async () => {
    const response = new Response('once')
    await response.text()
    return response
  }, /handler_error.*TypeError/),
}
