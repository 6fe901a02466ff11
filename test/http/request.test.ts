// What a request says of itself, whole or as a part of a larger buffer.

import t from 'tap'
import { slabUse } from '../../lib/dispatch/view.js'
import { HTTP_FLAG } from '../../lib/engine/layout.js'
import { HttpHeaders } from '../../lib/http/headers.js'
import { HttpRequest, readHttp } from '../../lib/http/request.js'

const requestOf = (text: string, flags?: number): HttpRequest => {
  const around = Buffer.from(
    `\n\r\n\r\nPOST / HTTP/1.0\r\n\r\n${text}GET /behind HTTP/1.1\r\n\r\n`,
    'latin1',
  )
  const start = around.indexOf(text, 0, 'latin1')
  return new HttpRequest(around, start, start + text.length, flags)
}
const get = (target: string, fields = 'Host: x\r\n', version = '1.1'): HttpRequest =>
  requestOf(`GET ${target} HTTP/${version}\r\n${fields}\r\n`)

const TARGETS: readonly [target: string, path: string, query: string][] = [
  ['/', '/', ''],
  ['/a/b?c=d&e', '/a/b', 'c=d&e'],
  ['/a?', '/a', ''],
  ['/a?b?c', '/a', 'b?c'],
  ['/%2e%2e/%3f', '/%2e%2e/%3f', ''],
  ['//host/path', '//host/path', ''],
  ['/http://other/x', '/http://other/x', ''],
  ['http://example.com', '/', ''],
  ['http://example.com/', '/', ''],
  ['HTTPS://example.com:8443/a/b?c', '/a/b', 'c'],
  ['http://example.com?q=/x', '/', 'q=/x'],
  ['http://[::1]:80/a?b', '/a', 'b'],
]

for (const [target, path, query] of TARGETS)
  t.match(get(target), { method: 'GET', target, path, query }, `target ${target}`)

void t.test('the asterisk has no path but itself', async (t) => {
  const request = requestOf('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(request, { method: 'OPTIONS', target: '*', path: '*', query: '' })
})

void t.test(
  'fields: whatever their case, in their order, values without the space around them',
  async (t) => {
    const { headers } = get(
      '/',
      'Host: x\r\nX-A:1\r\nx-a: \t two words\t \r\nX-E:\r\nX-L: \xe9:\xa0\r\n',
    )
    t.equal(headers.size, 5)
    t.equal(headers.get('x-A'), '1, two words')
    t.same(headers.getAll('X-a'), ['1', 'two words'])
    t.equal(headers.get('x-e'), '')
    t.equal(headers.get('x-l'), '\xe9:\xa0', 'latin1, and only space and tab are white')
    t.ok(headers.has('HOST'))
    t.notOk(headers.has('hos'))
    t.equal(headers.get('none'), undefined)
    t.same(headers.getAll('none'), [])
    t.same(
      [...headers],
      [
        ['host', 'x'],
        ['x-a', '1'],
        ['x-a', 'two words'],
        ['x-e', ''],
        ['x-l', '\xe9:\xa0'],
      ],
    )
  },
)

void t.test('a head without fields', async (t) => {
  const request = requestOf('GET / HTTP/1.0\r\n\r\n')
  t.equal(request.headers.size, 0)
  t.equal(request.body.length, 0)
  t.equal(new HttpHeaders('').get('x'), undefined)
})

void t.test('a body by its length', async (t) => {
  const request = requestOf(
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n\r\n\r\n\xc3\xa9!',
  )
  t.equal(request.body.toString('latin1'), '\r\n\r\n\xc3\xa9!')
  t.equal(request.text(), '\r\n\r\né!')
  t.equal(request.body, request.body, 'made once')
  t.equal(request.trailers.size, 0)
})

void t.test('a body in chunks, with extensions and trailers', async (t) => {
  const body =
    '3;a="\\";q";b\r\nabc\r\n0A\r\n0123456789\r\n000;last\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n'
  const request = requestOf(
    `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n${body}`,
  )
  t.equal(request.trailers.get('x-sum'), '1, 2')
  t.equal(request.text(), 'abc0123456789')
  t.equal(request.headers.has('x-sum'), false)
})

void t.test('a body of one chunk, of none, of line ends', async (t) => {
  const chunked = (body: string): string =>
    requestOf(`POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${body}`).text()
  t.equal(chunked('5\r\nhello\r\n0\r\n\r\n'), 'hello')
  t.equal(chunked('0\r\n\r\n'), '')
  t.equal(chunked('4\r\n\r\n\r\n\r\n2\r\n0\r\r\n0\r\n\r\n'), '\r\n\r\n0\r')
})

void t.test('JSON, and what is none', async (t) => {
  const json = (body: string): unknown =>
    requestOf(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`).json()
  t.same(json('{"a":[1]}'), { a: [1] })
  t.throws(() => json('{"a"'), { name: 'TypeError', message: /^request body: wanted JSON: / })
  t.throws(() => json(''), TypeError)
})

void t.test('the bytes are all of it and nothing else', async (t) => {
  const text = 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab'
  t.equal(String(requestOf(text).bytes), text)
  t.equal(new HttpRequest(Uint8Array.from(Buffer.from(text))).text(), 'ab')
})

const KEPT: readonly [version: string, connection: string, keepAlive: boolean][] = [
  ['1.1', '', true],
  ['1.1', 'Connection: close\r\n', false],
  ['1.1', 'Connection: x, CLOSE\r\n', false],
  ['1.1', 'Connection: x\r\nConnection: close\r\n', false],
  ['1.1', 'Connection: closed\r\n', true],
  ['1.0', '', false],
  ['1.0', 'Connection: Keep-Alive\r\n', true],
  ['1.0', 'Connection: keep-alive, close\r\n', false],
]

for (const [version, connection, keepAlive] of KEPT)
  t.match(
    get('/', connection, version),
    { version, keepAlive, isHead: false },
    `${version} ${connection.trim()}: ${keepAlive ? 'kept' : 'the last'}`,
  )

void t.test('HEAD', async (t) => {
  t.match(requestOf('HEAD / HTTP/1.1\r\nHost: x\r\n\r\n'), { isHead: true, method: 'HEAD' })
})

void t.test('flags that are given are believed', async (t) => {
  const request = requestOf('GET / HTTP/1.1\r\nHost: x\r\n\r\n', HTTP_FLAG.head | HTTP_FLAG.last)
  t.match(request, { isHead: true, keepAlive: false })
})

void t.test('a request on the slab keeps it', async (t) => {
  slabUse.kept = false
  const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  t.equal(readHttp(bytes as never, 0, bytes.length, 0).method, 'GET')
  t.equal(slabUse.kept, true)
})

void t.test('host: the field, whatever stands beside it', async (t) => {
  const hostOf = (fields: string) => requestOf(`GET / HTTP/1.1\r\n${fields}\r\n`).host
  t.equal(hostOf('Host: x:80\r\n'), 'x:80')
  t.equal(hostOf('X-Host: no\r\nAccept: host: no\r\nHOST:\t y \r\nA: b\r\n'), 'y')
  t.equal(hostOf('Host:\r\nA: b\r\n'), '')
  t.equal(hostOf('X-Host: no\r\n'), undefined)
})
