// The classes as globals, and Node's fetch with them.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import {
  installGlobals,
  LightHeaders,
  LightRequest,
  LightResponse,
  requestOf,
} from '../../lib/fetch/index.js'
import { HttpRequest } from '../../lib/http/request.js'
import { node } from './differential.js'

installGlobals()

/** Says what it was asked. */
const server = createServer(async (request, response) => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const { method, url } = request
  response.setHeader('Set-Cookie', ['a=1', 'b=2'])
  response.end(
    JSON.stringify({
      method,
      url,
      x: request.headers['x-a'],
      type: request.headers['content-type'],
      body: Buffer.concat(pieces).toString(),
    }),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
t.teardown(() => server.close())
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

void t.test('they stand in the place of Node’s, as those did', async (t) => {
  t.equal(globalThis.Headers, LightHeaders as unknown)
  t.equal(globalThis.Request, LightRequest as unknown)
  t.equal(globalThis.Response, LightResponse as unknown)
  const before = Object.getOwnPropertyDescriptor(globalThis, 'fetch')
  installGlobals()
  t.same(Object.getOwnPropertyDescriptor(globalThis, 'fetch'), before)
  t.match(before, { enumerable: true, writable: true, configurable: true })
  t.match(Object.getOwnPropertyDescriptor(globalThis, 'Response'), {
    enumerable: false,
    writable: true,
    configurable: true,
  })
  t.equal(fetch.name, 'fetch')
  t.equal(fetch.length, 1)
  t.ok(new node.Response() instanceof Response)
  t.ok(new node.Request(origin) instanceof Request)
  t.ok(new node.Headers() instanceof Headers)
})

const asked = async (...args: Parameters<typeof fetch>): Promise<unknown> =>
  (await fetch(...args)).json()

void t.test('fetch takes our Request, whatever its body', async (t) => {
  t.match(await asked(new Request(`${origin}/a`)), { method: 'GET', url: '/a', body: '' })
  const init = { method: 'PUT', headers: { 'X-A': '1' } }
  const text = new Request(`${origin}/b`, { ...init, body: 'téxt' })
  t.match(await asked(text), {
    method: 'PUT',
    url: '/b',
    x: '1',
    type: 'text/plain;charset=UTF-8',
    body: 'téxt',
  })
  t.ok(text.bodyUsed)
  await t.rejects(asked(text), TypeError)
  t.match(await asked(new Request(origin, { ...init, body: Buffer.from('bytes') })), {
    body: 'bytes',
  })
  const body = new Blob(['a stream']).stream()
  const streamed = new Request(origin, { ...init, body, duplex: 'half' } as RequestInit)
  t.match(await asked(streamed), { body: 'a stream' })
  t.match(await asked(new Request(origin, { ...init, body: 'x' }), { body: 'other' }), {
    method: 'PUT',
    body: 'other',
  })
})

void t.test('fetch takes our Headers, a URL, and Node’s Request', async (t) => {
  const headers = new Headers({ 'X-A': '2' })
  t.match(await asked(`${origin}/c`, { headers }), { url: '/c', x: '2' })
  t.match(await asked(new URL(`${origin}/d`)), { url: '/d' })
  t.match(await asked(new node.Request(`${origin}/e`, { headers: { 'X-A': '3' } })), { x: '3' })
  await t.rejects(fetch('no url'), TypeError)
  await t.rejects((fetch as unknown as () => Promise<unknown>)(), TypeError)
})

void t.test('a request that came in is sent on', async (t) => {
  const bytes = Buffer.from('POST /on HTTP/1.1\r\nX-A: 4\r\nContent-Length: 2\r\n\r\nhi')
  const request = requestOf(new HttpRequest(bytes), origin, () => new AbortController().signal)
  t.match(await asked(request), { method: 'POST', url: '/on', x: '4', body: 'hi' })
})

void t.test('what fetch returns is an instance of ours, and can be made one', async (t) => {
  const theirs = await fetch(`${origin}/f`)
  t.ok(theirs instanceof Response)
  t.ok(theirs.headers instanceof Headers)
  const ours = new Response(theirs.body, theirs)
  t.same(ours.headers.getSetCookie(), ['a=1', 'b=2'])
  t.match(await ours.json(), { url: '/f' })
  t.ok(theirs.bodyUsed)
})

void t.test('the signal of our Request ends a fetch', async (t) => {
  const controller = new AbortController()
  const request = new Request(origin, { signal: controller.signal })
  controller.abort(new RangeError('mine'))
  await t.rejects(fetch(request), RangeError)
})
