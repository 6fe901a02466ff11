// Connections of HTTP: how long they are kept, what goes on between requests, and handlers that fail.

import type { HttpRequest } from '../../../lib/http/request.js'
import type { Cases } from '../case.js'
import { until } from '../deadline.js'
import {
  askHttp,
  CLOSE,
  CONTINUE,
  chunked,
  expectResponses,
  failed,
  gated,
  get,
  ok,
  post,
  serve,
} from '../http.js'

const echo = (request: HttpRequest): string => request.text()
const late = async (request: HttpRequest): Promise<string> => request.target

export const httpconnections: Cases = {
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
}
