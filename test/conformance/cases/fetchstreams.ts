// Frontend fetch: bodies in pieces, clients that leave, and what goes on behind a response.

import type { FetchHandler } from '../../../lib/frontend/exchange.js'
import type { Cases } from '../case.js'
import { until } from '../deadline.js'
import { bytesOf, fails, fetched, pathOf, serveFetch } from '../fetch.js'
import { askHttp, CLOSE, expectResponses, get, post } from '../http.js'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

export const fetchstreams: Cases = {
  'a body that is read as a stream': async (_t, ctx) => {
    const served = await serveFetch(ctx, async (request) => {
      let text = ''
      const decoder = new TextDecoder()
      for await (const piece of request.body ?? []) text += decoder.decode(piece)
      return new Response(`${text} ${request.bodyUsed}`)
    })
    const client = await served.connect()
    await askHttp(client, post('hello'), fetched('hello true'))
  },

  'a stream that pushes is sent in chunks': async (_t, ctx) => {
    const served = await serveFetch(
      ctx,
      () =>
        new Response(
          new ReadableStream({
            async start(controller) {
              controller.enqueue(bytesOf('one'))
              await undefined
              controller.enqueue(bytesOf('three'))
              controller.close()
            },
          }),
        ),
    )
    const client = await served.connect()
    const reply = `${CHUNKED}3\r\none\r\n5\r\nthree\r\n0\r\n\r\n`
    await askHttp(client, get('/1') + get('/2'), reply, reply)
    client.send(`GET /3 HTTP/1.0\r\n\r\n`)
    await expectResponses(client, `HTTP/1.1 200 OK\r\n${CLOSE}\r\nonethree`)
    await client.expectEnd('fin')
  },

  'a stream that is pulled goes at the client’s pace': async (_t, ctx) => {
    const served = await serveFetch(ctx, () => {
      let count = 0
      return new Response(
        new ReadableStream({
          pull(controller) {
            if (count === 64) controller.close()
            else controller.enqueue(new Uint8Array(65_536).fill(count++))
          },
        }),
        { headers: { 'content-length': String(64 * 65_536) } },
      )
    })
    const client = await served.connect({ reading: false })
    client.send(get('/', CLOSE))
    await served.reach((s) => s.bytes_out > 0, 'something sent')
    client.read()
    const all = await client.rest()
    const body = Buffer.concat(Array.from({ length: 64 }, (_, i) => Buffer.alloc(65_536, i)))
    if (!all.subarray(all.indexOf('\r\n\r\n') + 4).equals(body)) throw new Error('another body')
  },

  'events: the head does not wait for the first': async (_t, ctx) => {
    const served = await serveFetch(
      ctx,
      () =>
        new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } }),
    )
    const client = await served.connect()
    const head =
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
    await askHttp(client, get('/'), head)
  },

  'a stream that fails before its first piece': fails(
    () =>
      new Response(
        new ReadableStream({
          pull() {
            throw new Error('no first piece')
          },
        }),
      ),
    /handler_error.*no first piece/,
  ),

  'a stream that fails later resets the connection': async (_t, ctx) => {
    const served = await serveFetch(ctx, () => {
      let count = 0
      return new Response(
        new ReadableStream({
          pull(controller) {
            if (count++ === 0) controller.enqueue(bytesOf('first'))
            else throw new Error('no second piece')
          },
        }),
      )
    })
    const client = await served.connect()
    client.send(get('/'))
    await served.reachClosed('handler_error')
    await served.logged(/handler_error.*no second piece/)
    const got = (await client.rest().catch(() => Buffer.alloc(0))).toString()
    if (got.includes('\r\n0\r\n')) throw new Error('the body looks whole')
  },

  'a client that leaves cancels the stream and aborts the request': async (_t, ctx) => {
    const seen: string[] = []
    const served = await serveFetch(ctx, (request) => {
      request.signal.addEventListener('abort', () => seen.push('aborted'))
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(bytesOf('first')),
          cancel: () => void seen.push('cancelled'),
        }),
      )
    })
    const client = await served.connect()
    await askHttp(client, get('/'), `${CHUNKED}5\r\nfirst\r\n`)
    client.reset()
    await until(
      () => seen.length === 2,
      () => `abort and cancel; there is ${seen.join()}`,
    )
  },

  'a client that leaves before the response aborts the request': async (t, ctx) => {
    const seen: string[] = []
    const served = await serveFetch(ctx, (request) => {
      const path = pathOf(request)
      request.signal.addEventListener('abort', () => seen.push(path))
      if (path === '/done') return new Response('done')
      return new Promise<Response>(() => undefined)
    })
    const client = await served.connect()
    await askHttp(client, get('/done'), fetched('done'))
    client.send(get('/waiting'))
    await served.reach((s) => s.requests === 2, 'both requests')
    client.reset()
    await until(
      () => seen.length > 0,
      () => 'abort',
    )
    t.same(seen, ['/waiting'], 'the one that is through is not aborted')
  },

  'handler_timeout aborts the request': async (_t, ctx) => {
    const seen: string[] = []
    const handle: FetchHandler = (request) => {
      request.signal.addEventListener('abort', () => seen.push('aborted'))
      return new Promise<Response>(() => undefined)
    }
    const served = await serveFetch(ctx, handle, { handlerTimeout: '50ms' })
    const client = await served.connect()
    client.send(get('/'))
    await served.reachClosed('handler_timeout')
    await until(
      () => seen.length > 0,
      () => 'abort',
    )
  },

  'the server waits for what was given to waitUntil': async (t, ctx) => {
    const seen: string[] = []
    const handle: FetchHandler = (_request, _env, { waitUntil, passThroughOnException }) => {
      passThroughOnException()
      waitUntil(new Promise((resolve) => setTimeout(resolve, 50)).then(() => seen.push('done')))
      return new Response('soon')
    }
    const served = await serveFetch(ctx, handle, { shutdownGrace: '30s' })
    const client = await served.connect()
    await askHttp(client, get('/', CLOSE), fetched('soon', CLOSE))
    await client.expectEnd('fin')
    client.destroy()
    await served.server.close()
    t.same(seen, ['done'])
  },

  'what waitUntil was given and rejects is logged': async (_t, ctx) => {
    const served = await serveFetch(ctx, (_request, _env, context) => {
      context.waitUntil(Promise.reject(new Error('failed behind it')))
      return new Response('fine')
    })
    const client = await served.connect()
    await askHttp(client, get('/'), fetched('fine'))
    await served.logged(/handler_error.*waitUntil.*failed behind it/)
    await askHttp(client, get('/'), fetched('fine'))
  },
}
