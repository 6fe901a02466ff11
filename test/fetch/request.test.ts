// Request of ours beside Node's.

import { inspect } from 'node:util'
import t from 'tap'
import { light, node, same, standard, VALUES } from './differential.js'

const show = (value: unknown): string => inspect(value, { breakLength: 999 }).slice(0, 70)
const URL_ = 'http://example.com/path?query'

async function read(request: Request): Promise<unknown> {
  const { method, url, referrer, referrerPolicy, mode, credentials, cache, redirect } = request
  const { integrity, keepalive, bodyUsed, signal } = request
  const extra = request as unknown as Record<string, unknown>
  return {
    method,
    url,
    headers: [...request.headers],
    destination: extra['destination'],
    traits: [referrer, referrerPolicy, mode, credentials, cache, redirect, integrity, keepalive],
    more: [extra['duplex'], extra['isReloadNavigation'], extra['isHistoryNavigation']],
    aborted: [signal.aborted, signal.reason?.name],
    isNull: request.body === null,
    bodyUsed,
    text: await request.text(),
  }
}

const make = (input: unknown, init?: unknown) => (classes: { Request: typeof Request }) =>
  read(new classes.Request(input as string, init as never))

const URLS = [
  ...['http://a', 'HTTP://EXAMPLE.com:80/../a/./b?x y#f g', 'https://a:8443/ü', 'http://[::1]:8/'],
  ...['', '/', '//a', 'a', 'http://', 'http://a b/', 'http://u:p@a/', 'http://u@a/', 'about:blank'],
  ...[
    'data:,x',
    'blob:nodedata:1',
    'file:///etc/passwd',
    'mailto:a@b',
    ' http://a ',
    'http://a\n/b',
  ],
]
for (const url of URLS) await same(`new Request(${show(url)})`, make(url))
for (const url of URLS.slice(0, 4)) await same(`of URL ${url}`, make(new URL(url)))
for (const value of VALUES) {
  await same(`new Request(${show(value)})`, make(value))
  await same(`init ${show(value)}`, make(URL_, value))
}

const NAMES = [
  ...[
    'method',
    'headers',
    'body',
    'signal',
    'redirect',
    'mode',
    'credentials',
    'cache',
    'referrer',
  ],
  ...['referrerPolicy', 'integrity', 'keepalive', 'duplex', 'window', 'unknown'],
]
/** Node takes members that are not enumerable. */
const isRecord = (value: unknown): boolean => typeof value === 'function' || value instanceof RegExp
for (const name of NAMES)
  for (const value of VALUES.filter((value) => name !== 'headers' || !isRecord(value)))
    await same(`{ ${name}: ${show(value)} }`, make(URL_, { method: 'POST', [name]: value }))

const METHODS = [
  ...['get', 'GET', 'Get', 'head', 'post', 'Put', 'delete', 'options', 'PATCH', 'patch', 'QUERY'],
  ...[
    'M-SEARCH',
    'connect',
    'CONNECT',
    'Trace',
    'track',
    'a b',
    'a\n',
    '',
    'é',
    "!#$%&'*+-.^_`|~9",
  ],
]
for (const method of METHODS)
  for (const body of [undefined, null, '', 'text'])
    await same(`${show(method)} with ${show(body)}`, make(URL_, { method, body }))

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  redirect: ['follow', 'error', 'manual', 'Follow'],
  mode: ['same-origin', 'no-cors', 'cors', 'navigate', 'websocket', 'other'],
  credentials: ['omit', 'same-origin', 'include', ''],
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached', 'x'],
  referrerPolicy: [
    ...['', 'no-referrer', 'no-referrer-when-downgrade', 'same-origin', 'origin', 'strict-origin'],
    ...['origin-when-cross-origin', 'strict-origin-when-cross-origin', 'unsafe-url', 'never'],
  ],
  referrer: ['', 'about:client', 'about:blank', 'http://b/x?y#z', 'no url'],
  duplex: ['half', 'full'],
  priority: ['high', 'low', 'auto'],
  integrity: ['sha256-abc', ''],
}
for (const [name, values] of Object.entries(CHOICES))
  for (const value of values)
    for (const method of ['GET', 'POST', 'PUT'])
      await same(`${method} { ${name}: ${show(value)} }`, make(URL_, { [name]: value, method }))

await same('only-if-cached', make(URL_, { cache: 'only-if-cached', mode: 'same-origin' }))
await same('without arguments', ({ Request }) => new (Request as unknown as new () => Request)())
await same('called without new', ({ Request }) => (Request as unknown as () => unknown)())

const stream = (): ReadableStream => new Blob(['from a stream']).stream() as ReadableStream
for (const init of [
  {},
  { duplex: 'half' },
  { duplex: 'half', keepalive: true },
  { duplex: 'half', mode: 'no-cors' },
  { duplex: 'half', mode: 'same-origin', headers: { 'content-type': 'x/y' } },
])
  await same(`a stream with ${show(init)}`, (classes) =>
    make(URL_, { method: 'POST', body: stream(), ...init })(classes),
  )
for (const body of [
  'text',
  Buffer.from('bytes'),
  new Blob(['blob'], { type: 'x/y' }),
  new Blob(['untyped']),
  new URLSearchParams('a=1'),
])
  for (const init of [{}, { headers: { 'Content-Type': 'a/b' } }, { keepalive: true }])
    await same(`${show(body)} with ${show(init)}`, make(URL_, { method: 'put', body, ...init }))

const INITS: readonly object[] = [
  { method: 'PUT' },
  { method: 'GET' },
  { body: 'other' },
  { body: null },
  { headers: { b: '2' } },
  { headers: [] },
  { signal: null },
  { signal: AbortSignal.abort(new RangeError('mine')) },
  { mode: 'same-origin' },
  { referrer: '' },
  { cache: 'no-store' },
]
for (const init of INITS)
  for (const body of [null, 'text', 'stream'])
    await same(`of one with body ${body} and ${show(init)}`, async ({ Request }) => {
      const first = new Request(URL_, {
        method: 'POST',
        headers: { a: '1' },
        body: body === 'stream' ? stream() : body,
        duplex: 'half',
        referrer: 'http://c/',
        referrerPolicy: 'origin',
        redirect: 'manual',
        credentials: 'omit',
        integrity: 'x',
      } as never)
      const second = new Request(first, init as never)
      const after = [first.bodyUsed, [...first.headers]]
      second.headers.set('only', 'here')
      return [await read(second), after, first.headers.has('only')]
    })
await same('of one that was read', async ({ Request }) => {
  const first = new Request(URL_, { method: 'POST', body: 'x' })
  await first.text()
  return new Request(first)
})
await same('of one that was read, with another body', async ({ Request }) => {
  const first = new Request(URL_, { method: 'POST', body: 'x' })
  await first.text()
  return read(new Request(first, { body: 'y' }))
})
await same('of one that is locked', ({ Request }) => {
  const first = new Request(URL_, { method: 'POST', body: 'x' })
  first.body?.getReader()
  return new Request(first)
})
await same('a request as init of another', async ({ Request }) => {
  const first = new Request(URL_, { method: 'PUT', body: 'x', headers: { a: '1' } })
  const second = new Request('http://other/', first)
  return [await read(second), first.bodyUsed, first.body?.locked]
})
await same('a request without body as init of another', async ({ Request }) =>
  read(
    new Request('http://other/', new Request(URL_, { headers: { a: '1' }, redirect: 'manual' })),
  ),
)
await same('clone()', async ({ Request }) => {
  const first = new Request(URL_, { method: 'POST', body: 'x', headers: { a: '1' } })
  const copy = first.clone()
  copy.headers.set('a', '2')
  return [await read(copy), await read(first)]
})
await same('fields', ({ Request }) => {
  const { headers } = new Request(URL_, { headers: { Host: 'h', Cookie: 'c', 'X-A': '1' } })
  headers.append('x-a', '2')
  headers.delete('host')
  return [...headers]
})
await same('no-cors: fields', ({ Request }) => [
  ...new Request(URL_, { mode: 'no-cors', headers: { 'x-a': '1', accept: 'x' } }).headers,
])

await same('signals', ({ Request }) => {
  const controller = new AbortController()
  const first = new Request(URL_, { signal: controller.signal })
  const second = new Request(first)
  const third = second.clone()
  const [one, two, three] = [first.signal, second.signal, third.signal]
  const heard: string[] = []
  three.addEventListener('abort', () => heard.push('three'))
  const before = [one.aborted, two.aborted, three.aborted]
  controller.abort(new RangeError('mine'))
  return [
    one === controller.signal,
    one === first.signal,
    before,
    [one.aborted, two.aborted, three.aborted, first.clone().signal.aborted],
    three.reason.message,
    heard,
  ]
})
await same('a signal that nobody gave', ({ Request }) => {
  const { signal } = new Request(URL_)
  return [signal instanceof AbortSignal, signal.aborted]
})
await same('a signal that is cut off', ({ Request }) => {
  const first = new Request(URL_, { signal: AbortSignal.abort() })
  return [first.signal.aborted, new Request(first, { signal: null }).signal.aborted]
})

/** Members that Node has not in every version; `attribute` is a slip of its. */
const NEW = /^(bytes|textStream|attribute) /
await same('members', ({ Request }) =>
  Object.entries(Object.getOwnPropertyDescriptors(Request.prototype))
    .map(
      ([name, { enumerable, get, set, value }]) =>
        `${name} ${enumerable} ${typeof get} ${typeof set} ${value?.length}`,
    )
    .filter((line) => !NEW.test(line))
    .sort(),
)
await same('names', ({ Request }) => [
  Object.prototype.toString.call(new Request(URL_)),
  Request.name,
  Request.length,
  Object.keys(new Request(URL_)),
  Object.getPrototypeOf(Request.prototype) === Object.prototype,
])
for (const name of Object.keys(node.Request.prototype).filter((name) => name !== 'attribute'))
  await same(`${name} of something else`, ({ Request }) => {
    const member: unknown = Reflect.get(Request.prototype, name, {})
    return (member as () => unknown).call({})
  })
await same('a class derived from it', ({ Request }) => {
  class Mine extends Request {
    shout(): string {
      return `${this.method}!`
    }
  }
  const mine = new Mine(URL_, { method: 'put' })
  return [mine.shout(), mine instanceof Request, new Request(URL_) instanceof Mine]
})

await standard(
  'Fetch 2.2.1: QUERY is not among the methods that are normalised',
  ({ Request }) => new Request(URL_, { method: 'query' }).method,
  'query',
)
for (const init of [{}, { method: undefined }, { unknown: 1 }])
  await standard(
    `Fetch 5.4: ${show(init)} is empty and changes nothing`,
    ({ Request }) => {
      const first = new Request(URL_, { referrer: 'http://c/', referrerPolicy: 'origin' })
      const { referrer, referrerPolicy } = new Request(first, init as never)
      return [referrer, referrerPolicy]
    },
    ['http://c/', 'origin'],
  )
await standard(
  'Web IDL 3.2.18: a priority is one of three',
  ({ Request }) => new Request(URL_, { priority: 'none' } as never),
  TypeError,
)
await standard(
  'Fetch 5.4: about://client is another URL than about:client',
  ({ Request }) => new Request(URL_, { referrer: 'about://client' }).referrer,
  'about://client',
)
await standard(
  'Fetch 5.4: bytes()',
  ({ Request }) =>
    (
      new Request(URL_, { method: 'PUT', body: 'hi' }) as unknown as {
        bytes(): Promise<Uint8Array>
      }
    ).bytes(),
  Uint8Array.of(104, 105),
)

void t.test('of one of Node’s', async (t) => {
  const controller = new AbortController()
  const init = { method: 'PUT', headers: { a: '1' }, body: 'text', signal: controller.signal }
  const theirs = new node.Request(URL_, { ...init, redirect: 'error', cache: 'reload' } as never)
  t.ok(theirs instanceof light.Request)
  t.notOk({} instanceof light.Request)
  const ours = new light.Request(theirs, { headers: { b: '2' } })
  t.match(ours, { method: 'PUT', url: URL_, redirect: 'error', cache: 'reload' })
  t.same([...ours.headers], [['b', '2']])
  t.ok(theirs.bodyUsed || theirs.body?.locked)
  controller.abort()
  t.ok(ours.signal.aborted)
  t.equal(await ours.text(), 'text')
  t.throws(() => new light.Request(theirs), TypeError)
})

void t.test('inspect and structuredClone', async (t) => {
  const request = new light.Request(URL_, { method: 'PUT', body: 'x' })
  t.match(inspect(request), /^Request \{\s+method: 'PUT',\s+url: 'http:.*bodyUsed: false/s)
  t.same(structuredClone(request), {})
})
