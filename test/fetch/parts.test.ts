// What the server gets of a Response that it is to send.

import t from 'tap'
import { LightResponse, type Parts, partsOf } from '../../lib/fetch/index.js'
import { light, node } from './differential.js'

const NodeResponse = node.Response
const Light = light.Response

async function whole(response: unknown): Promise<unknown> {
  const parts = partsOf(response)
  if (parts === undefined) return undefined
  const { status, statusText, headers, body } = parts
  const fields = [...headers].map((pair) => [...pair])
  if (body === undefined || typeof body === 'string') return [status, statusText, fields, body]
  if (body instanceof Uint8Array) return [status, statusText, fields, Buffer.from(body)]
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return [status, statusText, fields, 'pieces', Buffer.concat(pieces).toString()]
}

const TEXT = ['content-type', 'text/plain;charset=UTF-8']

void t.test('of ours', async (t) => {
  const bytes = Uint8Array.of(104, 105)
  t.same(await whole(new Light('text')), [200, '', [TEXT], 'text'])
  t.same(await whole(new Light()), [200, '', [], undefined])
  t.same(await whole(new Light('')), [200, '', [TEXT], ''])
  t.same(await whole(new Light(bytes)), [200, '', [], Buffer.from('hi')])
  t.same(await whole(new Light(bytes.buffer)), [200, '', [], Buffer.from('hi')])
  t.same(await whole(Light.json({ a: 1 })), [
    200,
    '',
    [['content-type', 'application/json']],
    '{"a":1}',
  ])
  t.same(await whole(Light.json(1, { status: 201, headers: { 'Content-Type': 'x/y' } })), [
    201,
    '',
    [['content-type', 'x/y']],
    '1',
  ])
  t.same(await whole(new Light(null, { status: 204, statusText: 'Nothing' })), [
    204,
    'Nothing',
    [],
    undefined,
  ])
  t.same(await whole(Light.redirect('http://a/', 301)), [
    301,
    '',
    [['location', 'http://a/']],
    undefined,
  ])
  t.same(await whole(Light.error()), [0, '', [], undefined])
  t.same(await whole(new Light(new URLSearchParams('a=1'))), [
    200,
    '',
    [['content-type', 'application/x-www-form-urlencoded;charset=UTF-8']],
    'a=1',
  ])
})

void t.test('fields: those given, set-cookie apart, the type behind', async (t) => {
  const response = new Light('x', {
    headers: [
      ['X-A', '1'],
      ['Set-Cookie', 'a'],
    ],
  })
  response.headers.append('set-cookie', 'b')
  t.same((await whole(response)) as unknown, [
    200,
    '',
    [['x-a', '1'], ['set-cookie', 'a'], TEXT, ['set-cookie', 'b']],
    'x',
  ])
  const untyped = new Light('x')
  untyped.headers.delete('content-type')
  t.same(await whole(untyped), [200, '', [], 'x'])
  t.same(await whole(new Light('x').clone()), [200, '', [TEXT], 'x'])
})

void t.test('streams, blobs and forms come in pieces', async (t) => {
  t.same(await whole(new Light(new Blob(['bl', 'ob'], { type: 'a/b' }))), [
    200,
    '',
    [['content-type', 'a/b']],
    'pieces',
    'blob',
  ])
  t.same(await whole(new Light(new Blob(['stream']).stream())), [200, '', [], 'pieces', 'stream'])
  const form = new FormData()
  form.set('a', '1')
  const sent = (await whole(new Light(form))) as [
    unknown,
    unknown,
    [[string, string]],
    string,
    string,
  ]
  const back = new NodeResponse(sent[4], { headers: { 'content-type': sent[2][0][1] } })
  t.equal((await back.formData()).get('a'), '1')
})

void t.test('of Node’s', async (t) => {
  const headers = new node.Headers([
    ['set-cookie', 'a'],
    ['set-cookie', 'b'],
    ['x', '1'],
  ])
  t.same(await whole(new NodeResponse('text', { status: 201, statusText: 'Made', headers })), [
    201,
    'Made',
    [TEXT, ['set-cookie', 'a'], ['set-cookie', 'b'], ['x', '1']],
    'pieces',
    'text',
  ])
  t.same(await whole(new NodeResponse(null, { status: 304 })), [304, '', [], undefined])
})

void t.test('of what is none', async (t) => {
  for (const value of [
    undefined,
    null,
    'text',
    1,
    {},
    [],
    new Headers(),
    new node.Request('http://a'),
  ])
    t.equal(partsOf(value), undefined)
  t.equal(partsOf({ status: 200, [Symbol.toStringTag]: 'Response' }), undefined)
})

void t.test('a body goes out once', async (t) => {
  for (const Either of [Light, NodeResponse]) {
    const read = new Either('x')
    await read.text()
    t.throws(() => partsOf(read), TypeError)
    const locked = new Either('x')
    locked.body?.getReader()
    t.throws(() => partsOf(locked), TypeError)
    const sent = new Either('x')
    t.ok(partsOf(sent))
    t.throws(() => partsOf(sent), TypeError)
    await t.rejects(sent.text(), TypeError)
    t.throws(() => sent.clone(), TypeError)
  }
  const sent = new Light('x')
  partsOf(sent)
  t.ok(sent.bodyUsed)
  const empty = new Light()
  t.ok(partsOf(empty))
  t.ok(partsOf(empty), 'none is never used')
})

void t.test('a text whose stream was only looked at is a text', async (t) => {
  const response = new Light('x')
  t.ok(response.body)
  t.same(await whole(response), [200, '', [TEXT], 'x'])
})

void t.test('a text that one response has of another is a text', async (t) => {
  const first = new Light('x', { status: 201 })
  const second = new Light(first.body, first)
  t.same(await whole(second), [201, '', [TEXT], 'x'])
  t.ok(first.bodyUsed)
  t.throws(() => partsOf(first), TypeError)
  const half = new Light('x')
  const reader = half.body?.getReader()
  await reader?.read()
  reader?.releaseLock()
  t.throws(() => new Light(half.body), TypeError)
})

void t.test('a class that is derived from ours', async (t) => {
  class Mine extends LightResponse {}
  t.same(await whole(new Mine('x')), [200, '', [TEXT], 'x'])
})

function iterator(response: Response): AsyncIterator<Uint8Array> {
  const { body } = partsOf(response) as Parts
  return (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
}

void t.test('a stream is cancelled where nobody wants the rest', async (t) => {
  for (const count of [0, 1]) {
    let cancelled = false
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.from('x')),
      cancel: () => {
        cancelled = true
      },
    })
    const pieces = iterator(new Light(stream))
    for (let i = 0; i < count; i++) t.equal((await pieces.next()).done, false)
    await pieces.return?.()
    t.ok(cancelled, `after ${count} pieces`)
  }
})

void t.test('a stream that fails, and one of something else than bytes', async (t) => {
  const failing = iterator(
    new Light(
      new ReadableStream({
        start: (controller) => controller.enqueue(Buffer.from('x')),
        pull: (controller) => controller.error(new RangeError('mine')),
      }),
    ),
  )
  t.equal((await failing.next()).done, false)
  await t.rejects(failing.next(), RangeError)
  let reason: unknown
  const texts = new ReadableStream({
    start: (controller) => controller.enqueue('text'),
    cancel: (why) => {
      reason = why
    },
  })
  await t.rejects(iterator(new Light(texts)).next(), TypeError)
  t.ok(reason instanceof TypeError)
})
