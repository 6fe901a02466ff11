// The Request of a request that came in.

import t from 'tap'
import { LightHeaders, LightRequest, requestOf } from '../../lib/fetch/index.js'
import { HttpRequest } from '../../lib/http/request.js'

const ORIGIN = 'http://example.com:8080'
const never = (): AbortSignal => {
  throw new Error('nobody asked for the signal')
}

function incoming(text: string, origin = ORIGIN, signal = never): Request {
  // Among others, as it is in the buffer of a turn.
  const before = 'GET /before HTTP/1.1\r\n\r\n'
  const bytes = Buffer.from(`${before}${text}GET /behind HTTP/1.1\r\n\r\n`, 'latin1')
  const start = before.length
  return requestOf(new HttpRequest(bytes, start, start + text.length), origin, signal)
}
const get = (target: string, origin?: string): Request =>
  incoming(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`, origin)
const post = (body: string, fields = ''): Request =>
  incoming(`POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`)

const TARGETS = [
  ...['/', '/a/b?c=d&e', '/a?', '//host/path', '/a/../b', '/./a', '/a/%2e%2E/b', '/a/.b', '/%2f'],
  ...[
    '/a?/../b',
    "/a?'x'",
    "/it's",
    '/a^b',
    '/a|b',
    '/a\\b',
    '/"<>`{}',
    '/?"<>`{}^|',
    '/a#b',
    '/\xe9',
  ],
  ...[
    '/a;b=c',
    '/~user/@me:x!$&()*+,=',
    '/a%zz',
    '/?',
    '/??',
    '/a//..//b',
    '/...',
    '/a/..',
    '/a/.',
  ],
]
for (const target of TARGETS)
  t.equal(get(target).url, new URL(ORIGIN + target).href, `the URL of ${target}`)

const ORIGINS: readonly [origin: string, target: string, url: string][] = [
  ['http://EXAMPLE.com:80', '/A', 'http://example.com/A'],
  ['https://example.com:443', '/', 'https://example.com/'],
  ['http://[::1]:8080', '/a/../b', 'http://[::1]:8080/b'],
  ['http://127.1', '/', 'http://127.0.0.1/'],
  ['http://', '/a?b', 'http://invalid/a?b'],
  ['http://a b', '/a/../b', 'http://invalid/b'],
  ['http://1.2.3.999', '/', 'http://invalid/'],
  [ORIGIN, 'http://Other:80/x', 'http://other/x'],
  [ORIGIN, 'http://[/x', 'http://invalid/'],
  [ORIGIN, '*', `${ORIGIN}/*`],
]
for (const [origin, target, url] of ORIGINS)
  t.equal(get(target, origin).url, url, `the URL of ${target} at ${origin}`)

void t.test('it is a Request, and says what was sent', async (t) => {
  const request = incoming('PUT /a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n\r\n')
  t.ok(request instanceof LightRequest)
  t.equal(Object.prototype.toString.call(request), '[object Request]')
  t.match(request, { method: 'PUT', mode: 'cors', redirect: 'follow', bodyUsed: false })
  t.equal(request.headers, request.headers, 'and the same each time')
  t.equal(request.headers.get('X-A'), '1, 2')
  t.equal(incoming('purge /a HTTP/1.1\r\nHost: x\r\n\r\n').method, 'purge')
})

void t.test('fields are those that came, and cannot be changed', async (t) => {
  const { headers } = incoming(
    'GET / HTTP/1.1\r\nHost: x\r\nB: \xe9\r\nCookie: a=1\r\nA:\r\nCookie: b=2\r\nSet-Cookie: x\r\n\r\n',
  )
  t.ok(headers.has('HOST'))
  t.notOk(headers.has('none'))
  t.equal(headers.get('none'), null)
  t.equal(headers.get('cookie'), 'a=1; b=2')
  t.throws(() => headers.get('not a name'), TypeError)
  t.same(headers.getSetCookie(), ['x'])
  t.same(
    [...headers],
    [
      ['a', ''],
      ['b', '\xe9'],
      ['cookie', 'a=1; b=2'],
      ['host', 'x'],
      ['set-cookie', 'x'],
    ],
  )
  t.throws(() => headers.set('a', 'b'), TypeError)
  t.throws(() => headers.append('a', 'b'), TypeError)
  t.throws(() => headers.delete('a'), TypeError)
  const own = new LightHeaders(headers)
  own.set('b', 'changed')
  t.equal(own.get('b'), 'changed')
  t.equal(headers.get('b'), '\xe9')
})

void t.test('the body, in every way', async (t) => {
  t.equal(await post('text').text(), 'text')
  t.same(await post('{"a":"\xc3\xa9"}').json(), { a: 'é' })
  await t.rejects(post('{').json(), SyntaxError)
  t.equal(Buffer.from(await post('bytes').arrayBuffer()).toString(), 'bytes')
  const blob = await post('blob', 'Content-Type: Text/X\r\n').blob()
  t.same([blob.type, blob.size], ['text/x', 4])
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n'
  t.same(
    [...(await post('a=1&b=%C3%A9', type).formData())],
    [
      ['a', '1'],
      ['b', 'é'],
    ],
  )
  // Node wants it as long as browsers make it.
  const boundary = `${'-'.repeat(20)}boundary`
  const multipart = [
    `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n`,
    `--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="x.bin"\r\n`,
    `Content-Type: x/y\r\n\r\n\r\n--\0-\xff\r\n--${boundary}--\r\n`,
  ].join('')
  const form = await post(
    multipart,
    `Content-Type: multipart/form-data; boundary=${boundary}\r\n`,
  ).formData()
  const file = form.get('f') as File
  t.same([form.get('a'), file.name, file.type, file.size], ['1', 'x.bin', 'x/y', 7])
})

void t.test('the body is used once, and its bytes are the handler’s own', async (t) => {
  const request = post('once')
  t.notOk(request.bodyUsed)
  const copy = request.clone()
  new Uint8Array(await request.arrayBuffer()).fill(0)
  t.ok(request.bodyUsed)
  await t.rejects(request.text(), TypeError)
  t.throws(() => request.clone(), TypeError)
  t.equal(await copy.text(), 'once')
  t.equal(copy.url, `${ORIGIN}/p`)
})

void t.test('the body as a stream', async (t) => {
  const request = post('a stream')
  const pieces: Uint8Array[] = []
  for await (const piece of request.body as ReadableStream<Uint8Array>) pieces.push(piece)
  t.equal(Buffer.concat(pieces).toString(), 'a stream')
  t.ok(request.bodyUsed)
  await t.rejects(request.text(), TypeError)
})

void t.test('a body in chunks', async (t) => {
  const request = incoming(
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4;x=y\r\n two\r\n0\r\n\r\n',
  )
  t.equal(await request.text(), 'one two')
})

void t.test('there is none where none can be, or none came', async (t) => {
  for (const request of [
    get('/'),
    incoming('HEAD / HTTP/1.1\r\nHost: x\r\n\r\n'),
    incoming('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx'),
    incoming('POST / HTTP/1.1\r\nHost: x\r\n\r\n'),
    post(''),
  ]) {
    t.equal(request.body, null)
    t.equal(await request.text(), '')
    t.equal(await request.text(), '')
    t.notOk(request.bodyUsed)
  }
})

void t.test('the signal is made when it is asked for, once, and followed', async (t) => {
  const controller = new AbortController()
  let asked = 0
  const request = incoming('PUT / HTTP/1.1\r\nHost: x\r\n\r\n', ORIGIN, () => {
    asked++
    return controller.signal
  })
  const copy = request.clone()
  const other = new LightRequest(request, { method: 'POST' })
  t.equal(asked, 0)
  t.equal(request.signal, controller.signal)
  t.equal(request.signal, controller.signal)
  t.equal(copy.signal, copy.signal)
  t.notOk(copy.signal.aborted)
  controller.abort()
  t.ok(copy.signal.aborted)
  t.ok(other.signal.aborted)
  t.equal(asked, 1)
})

void t.test('another request made of it', async (t) => {
  const request = post('body', 'X-A: 1\r\n')
  const other = new LightRequest(request, { headers: { 'x-b': '2' } })
  t.ok(request.bodyUsed)
  t.match(other, { method: 'POST', url: `${ORIGIN}/p` })
  t.same([...other.headers], [['x-b', '2']])
  t.equal(await other.text(), 'body')
  const same = new LightRequest(get('/a'))
  same.headers.set('host', 'y')
  t.equal(same.headers.get('host'), 'y')
})
