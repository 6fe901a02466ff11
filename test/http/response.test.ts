// Responses to the byte: what a handler returns and what leaves.

import { Readable } from 'node:stream'
import t from 'tap'
import { HTTP_FLAG } from '../../lib/engine/layout.js'
import { json } from '../../lib/http/json.js'
import { write, writeText } from '../../lib/http/response.js'
import { until } from '../conformance/deadline.js'

const DATE = /Date: ([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)\r\n/
const HEAD = HTTP_FLAG.head
const LAST = HTTP_FLAG.last
const OLD = HTTP_FLAG.old

const bytesOf = (data: string | Uint8Array): Buffer =>
  typeof data === 'string' ? Buffer.from(data) : Buffer.from(data)

/** The response as latin1, its Date taken out after a look at it. */
async function sent(value: unknown, flags = 0, keep = true): Promise<[text: string, end: boolean]> {
  const { data, end } = write(value, flags, keep)
  const pieces = typeof data === 'string' || data instanceof Uint8Array ? [data] : await list(data)
  const text = Buffer.concat(pieces.map(bytesOf)).toString('latin1')
  return [text.replace(DATE, ''), end]
}

async function list<T>(pieces: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const piece of pieces) all.push(piece)
  return all
}

async function* pieces(...all: unknown[]): AsyncGenerator<never> {
  for (const piece of all) yield piece as never
}

const TEXT = 'Content-Type: text/plain; charset=utf-8\r\n'
const HELLO = `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 5\r\n\r\nhello`
const OCTETS = 'Content-Type: application/octet-stream\r\n'

interface Row {
  title: string
  value: unknown
  flags?: number
  keep?: boolean
  text: string
  end?: boolean
}

const ROWS: readonly Row[] = [
  { title: 'a text', value: 'hello', text: HELLO },
  {
    title: 'a text of many-byte characters',
    value: 'é€🐴',
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 9\r\n\r\n${Buffer.from('é€🐴').toString('latin1')}`,
  },
  {
    title: 'an empty text',
    value: '',
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 0\r\n\r\n`,
  },
  {
    title: 'bytes',
    value: Uint8Array.of(0xe9, 0, 0xff),
    text: `HTTP/1.1 200 OK\r\n${OCTETS}Content-Length: 3\r\n\r\n\xe9\0\xff`,
  },
  {
    title: 'an ArrayBuffer',
    value: Uint8Array.of(65).buffer,
    text: `HTTP/1.1 200 OK\r\n${OCTETS}Content-Length: 1\r\n\r\nA`,
  },
  { title: 'nothing', value: undefined, text: 'HTTP/1.1 204 No Content\r\n\r\n' },
  {
    title: 'a status',
    value: { status: 404 },
    text: 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  },
  {
    title: 'a status without a name',
    value: { status: 299 },
    text: 'HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n',
  },
  {
    title: 'fields of all kinds, as they are written',
    value: { headers: { 'X-One': 'a  b', 'x-two': 2, 'Set-Cookie': ['a=1', 'b=2'], 'X-None': [] } },
    text: 'HTTP/1.1 200 OK\r\nX-One: a  b\r\nx-two: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n',
  },
  {
    title: 'fields as pairs',
    value: {
      headers: [
        ['a', '1'],
        ['a', 2],
      ],
      body: '',
    },
    text: `HTTP/1.1 200 OK\r\na: 1\r\na: 2\r\n${TEXT}Content-Length: 0\r\n\r\n`,
  },
  {
    title: 'fields as a Map',
    value: { headers: new Map([['a', '1']]) },
    text: 'HTTP/1.1 200 OK\r\na: 1\r\nContent-Length: 0\r\n\r\n',
  },
  {
    title: 'a value of latin1, and a body of UTF-8',
    value: { headers: { 'X-L': '\xe9' }, body: 'é' },
    text: `HTTP/1.1 200 OK\r\nX-L: \xe9\r\n${TEXT}Content-Length: 2\r\n\r\n\xc3\xa9`,
  },
  {
    title: 'a value of latin1 without a body',
    value: { headers: { 'X-L': '\xe9' } },
    text: 'HTTP/1.1 200 OK\r\nX-L: \xe9\r\nContent-Length: 0\r\n\r\n',
  },
  {
    title: 'a type of the handler’s own',
    value: { headers: { 'content-type': 'text/html' }, body: '<p>' },
    text: 'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nContent-Length: 3\r\n\r\n<p>',
  },
  {
    title: 'a length of the handler’s own, which is right',
    value: { headers: { 'content-length': '03' }, body: '<p>' },
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 3\r\n\r\n<p>`,
  },
  {
    title: 'Connection: close',
    value: { headers: { connection: 'Close' }, body: 'x' },
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 1\r\nConnection: close\r\n\r\nx`,
    end: true,
  },
  {
    title: 'a connection that the handler ends',
    value: 'x',
    keep: false,
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 1\r\nConnection: close\r\n\r\nx`,
    end: true,
  },
  {
    title: 'the last request',
    value: 'x',
    flags: LAST,
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 1\r\nConnection: close\r\n\r\nx`,
  },
  {
    title: 'HTTP/1.0 that is kept',
    value: 'x',
    flags: OLD,
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 1\r\nConnection: keep-alive\r\n\r\nx`,
  },
  {
    title: 'HTTP/1.0 that is not kept',
    value: 'x',
    flags: OLD | LAST,
    text: `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: 1\r\nConnection: close\r\n\r\nx`,
  },
  { title: 'HEAD', value: 'hello', flags: HEAD, text: HELLO.replace('hello', '') },
  {
    title: 'HEAD with bytes',
    value: Buffer.from('abc'),
    flags: HEAD,
    text: `HTTP/1.1 200 OK\r\n${OCTETS}Content-Length: 3\r\n\r\n`,
  },
  {
    title: 'HEAD with a length and no body',
    value: { headers: { 'content-length': 1234 } },
    flags: HEAD,
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n',
  },
  {
    title: 'HEAD with pieces',
    value: pieces('never'),
    flags: HEAD,
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  },
  {
    title: '204 has no body',
    value: { status: 204, body: 'x' },
    text: `HTTP/1.1 204 No Content\r\n${TEXT}\r\n`,
  },
  {
    title: '304 has no body and may say how long it would be',
    value: { status: 304, headers: { 'Content-Length': 9, ETag: '"x"' } },
    text: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n',
  },
  {
    title: '304 with pieces',
    value: { status: 304, body: pieces('x') },
    text: 'HTTP/1.1 304 Not Modified\r\n\r\n',
  },
  {
    title: 'pieces: each is a chunk, empty ones are none',
    value: pieces(
      'ab',
      '',
      undefined,
      'é',
      Buffer.alloc(0),
      Buffer.alloc(16, 'x'),
      Uint8Array.of(255).buffer,
    ),
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\n\xc3\xa9\r\n10\r\nxxxxxxxxxxxxxxxx\r\n1\r\n\xff\r\n0\r\n\r\n',
  },
  {
    title: 'no pieces at all',
    value: pieces(),
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  },
  {
    title: 'pieces for HTTP/1.0 end with the connection',
    value: pieces('ab', Buffer.from('c')),
    flags: OLD,
    text: 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc',
    end: true,
  },
  {
    title: 'pieces whose length is known',
    value: {
      headers: { 'content-length': 3, 'x-l': '\xe9' },
      body: pieces('ab', Buffer.from('c')),
    },
    flags: OLD,
    text: 'HTTP/1.1 200 OK\r\nx-l: \xe9\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc',
  },
  {
    title: 'JSON',
    value: json({ a: 'é' }),
    text: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a":"\xc3\xa9"}',
  },
  {
    title: 'JSON with fields and a status',
    value: json([], { status: 201, headers: { Location: '/1' } }),
    text: 'HTTP/1.1 201 Created\r\nLocation: /1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]',
  },
  {
    title: 'JSON with a type',
    value: json(null, { headers: [['content-type', 'application/problem+json']] }),
    text: 'HTTP/1.1 200 OK\r\ncontent-type: application/problem+json\r\nContent-Length: 4\r\n\r\nnull',
  },
]

for (const { title, value, flags, keep, text, end = false } of ROWS)
  void t.test(title, async (t) => t.same(await sent(value, flags, keep), [text, end]))

const REFUSED: readonly [value: unknown, message: RegExp][] = [
  [5, /value of type number; wanted a string, bytes, \{ status/],
  [null, /type null/],
  [true, /type boolean/],
  [['a', 'b'], /type Array/],
  [{}, /type Object/],
  [{ status: 200, header: {} }, /has "header"/],
  [{ name: 'Gaidaros' }, /has "name"/],
  [{ status: 100 }, /status: 100; wanted a whole number from 200 to 599/],
  [{ status: 200.5 }, /status/],
  [{ status: '200' }, /status/],
  [{ status: 600 }, /status/],
  [{ body: 5 }, /body: is of type number/],
  [{ body: {} }, /body: is of type Object/],
  [{ headers: 'a: b' }, /headers: are of type string/],
  [{ headers: ['ab'] }, /hold a value of type string; wanted \[name, value\]/],
  [{ headers: { 'a b': '1' } }, /"a b" is no name of a field/],
  [{ headers: { '': '1' } }, /is no name/],
  [{ headers: { 'a:b': '1' } }, /is no name/],
  [{ headers: { 'a\r\nb': '1' } }, /is no name/],
  [{ headers: { a: '1\r\nb: 2' } }, /headers: a: "1\\r\\nb: 2"; wanted/],
  [{ headers: { a: '1\n' } }, /headers: a:/],
  [{ headers: { a: '1\r' } }, /headers: a:/],
  [{ headers: { a: '1\0' } }, /headers: a:/],
  [{ headers: { a: 'Ā' } }, /headers: a:/],
  [{ headers: { a: undefined } }, /headers: a: is of type undefined/],
  [{ headers: { a: ['1', 2n] } }, /headers: a: is of type bigint/],
  [{ headers: { 'Transfer-Encoding': 'chunked' } }, /transfer-encoding; wanted none/],
  [{ headers: { Connection: 'keep-alive' } }, /connection: "keep-alive"; wanted close/],
  [{ headers: { 'Content-Length': 4 }, body: 'abc' }, /content-length: 4; wanted none, or 3/],
  [{ headers: { 'Content-Length': 1 } }, /content-length: 1; wanted none, or 0/],
  [{ headers: { 'Content-Length': '3, 3' }, body: 'abc' }, /content-length: "3, 3"/],
  [{ headers: { 'Content-Length': ['3', '4'] }, body: 'abc' }, /content-length/],
  [{ headers: { 'Content-Length': -1 } }, /content-length/],
  [{ status: 204, headers: { 'Content-Length': 0 } }, /none with status 204/],
]

for (const [value, message] of REFUSED)
  t.throws(
    () => write(value, 0, true),
    { name: 'TypeError', code: 'ERR_GAIDAROS_REPLY', message },
    `refused: ${message.source}`,
  )

void t.test('a HEAD response is checked as that of GET', async (t) => {
  const wrong = { headers: { 'content-length': 4 }, body: 'abc' }
  t.throws(() => write(wrong, HEAD, true), { code: 'ERR_GAIDAROS_REPLY' })
})

void t.test('pieces that are not as they were said to be', async (t) => {
  const failing = (body: unknown, length: number) =>
    list(
      write({ headers: { 'content-length': length }, body }, 0, true).data as AsyncIterable<never>,
    )
  await t.rejects(failing(pieces('abc'), 4), /body: has 3 bytes; wanted 4/)
  await t.rejects(failing(pieces('ab', 'cd'), 3), /body: has more bytes; wanted 3/)
  await t.rejects(
    list(write(pieces(5), 0, true).data as AsyncIterable<never>),
    /piece of type number/,
  )
})

void t.test('the head of pieces goes with the first of them, even an empty one', async (t) => {
  const iterator = (write(pieces('', 'a'), 0, true).data as AsyncIterable<Uint8Array>)[
    Symbol.asyncIterator
  ]()
  const first = await iterator.next()
  t.match(String(first.value), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/)
  t.equal((await iterator.next()).value, '1\r\na\r\n')
})

void t.test('pieces are given back when nobody wants them', async (t) => {
  let returned = 0
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 'x' }),
      return: async () => {
        returned++
        return { done: true, value: undefined }
      },
    }),
  }
  write(body, HEAD, true)
  t.equal(returned, 1)
  const stream = new Readable({ read: () => undefined })
  write({ status: 304, body: stream }, 0, true)
  t.equal(stream.destroyed, true)
  const { data } = write(body, 0, true)
  await (data as AsyncIterable<unknown>)[Symbol.asyncIterator]().return?.()
  t.equal(returned, 2)
})

void t.test('the quick way writes what the other does', async (t) => {
  for (const text of ['', 'hello', 'é€🐴', 'x'.repeat(5000), 'hello']) {
    const quick = Buffer.from(writeText(text)).toString('latin1').replace(DATE, '')
    t.equal(quick, (await sent(text))[0])
  }
})

void t.test('the Date is that of the second, also in the next one', async (t) => {
  const dateOf = (text: string): number => Date.parse(DATE.exec(text)?.[1] ?? '')
  const first = dateOf(writeText('x'))
  await until(() => dateOf(writeText('x')) > first, 'another Date')
  // A timer of a second before may be late by as long as the machine keeps it waiting.
  const latest = Date.now()
  for (const text of [writeText('x'), String(write('x', OLD, true).data)])
    t.ok(latest - dateOf(text) < 10_000 && dateOf(text) <= Date.now(), text)
})

void t.test('a Date of the handler’s own', async (t) => {
  const own = 'Sun, 06 Nov 1994 08:49:37 GMT'
  const { data } = write({ headers: { date: own } }, 0, true)
  t.equal(data, `HTTP/1.1 200 OK\r\ndate: ${own}\r\nContent-Length: 0\r\n\r\n`)
})

t.throws(() => json(undefined), { code: 'ERR_GAIDAROS_REPLY' })
