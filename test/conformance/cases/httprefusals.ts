// Requests of HTTP that are none, or are too much: what their clients are told.

import type { HttpRequest } from '../../../lib/http/request.js'
import type { Cases } from '../case.js'
import { until } from '../deadline.js'
import {
  askHttp,
  chunked,
  expectResponses,
  gated,
  get,
  large,
  ok,
  post,
  refused,
  serve,
} from '../http.js'

const late = async (request: HttpRequest): Promise<string> => request.target

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

export const httprefusals: Cases = {
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
}
