// Response of ours beside Node's: what it is made of, and what it says.

import { inspect } from 'node:util'
import t from 'tap'
import { type Classes, light, node, same, standard, VALUES } from './differential.js'

const show = (value: unknown): string => inspect(value, { breakLength: 999 })

const described = (response: Response): unknown => ({
  status: response.status,
  statusText: response.statusText,
  ok: response.ok,
  type: response.type,
  url: response.url,
  redirected: response.redirected,
  headers: [...response.headers],
  isNull: response.body === null,
  used: response.bodyUsed,
})

/** All of it; boundaries of forms are drawn by lot. */
async function read(response: Response): Promise<unknown> {
  const before = described(response)
  return JSON.parse(
    JSON.stringify([before, await response.text(), response.bodyUsed]).replace(
      /-+formdata-undici-\d+/g,
      'BOUNDARY',
    ),
  )
}

const form = new FormData()
form.append('a', '1')
form.append('file', new Blob(['content'], { type: 'text/x' }), 'name.txt')

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const shared = new Uint8Array(new SharedArrayBuffer(3))

const BODIES: readonly unknown[] = [
  ...VALUES,
  'Hello, World!',
  'with halves \ud800 and \udc00\ud800 of characters 😀',
  '\ufeffmark',
  'x'.repeat(100_000),
  '€'.repeat(50_000),
  bytes(),
  bytes(104, 105),
  bytes(0xef, 0xbb, 0xbf, 104, 105),
  bytes(0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, 104),
  bytes(0xff, 0xfe, 104, 0, 0x80, 0xe2, 0x82),
  bytes(104, 105).buffer,
  bytes(104, 105, 106).subarray(1, 2),
  new DataView(bytes(104, 105, 106).buffer, 1),
  new Uint16Array([0x6968]),
  new Float64Array(2),
  Buffer.from('buffer'),
  shared,
  new SharedArrayBuffer(2),
  new Blob(['blob']),
  new Blob(['blob'], { type: 'image/PNG' }),
  new Blob([]),
  form,
  new FormData(),
  new URLSearchParams('a=1&b=ü&c=%20+'),
  new URLSearchParams(),
]

for (const body of BODIES) {
  const title = show(body).slice(0, 60)
  await same(`new Response(${title})`, ({ Response }) => read(new Response(body as never)))
  await same(`new Response(${title}, type)`, ({ Response }) =>
    read(new Response(body as never, { headers: { 'Content-TYPE': 'x/y' }, status: 201 })),
  )
  await same(`new Response(${title}, fields)`, ({ Response }) =>
    read(new Response(body as never, { headers: { 'x-a': 'x/y' } })),
  )
  await same(`new Response(${title}).clone()`, async ({ Response }) => {
    const response = new Response(body as never, { headers: [['a', 'b']], status: 299 })
    const copy = response.clone()
    copy.headers.set('only', 'here')
    return [await read(copy), await read(response)]
  })
  await same(`a stream of ${title}`, async ({ Response }) => {
    const { body: stream } = new Response(body as never)
    return stream === null ? null : read(new Response(stream))
  })
  await same(`Response.json(${title})`, ({ Response }) => read(Response.json(body)))
  await same(`new Response('x', ${title})`, ({ Response }) =>
    read(new Response('x', body as never)),
  )
}
/** Node takes members that are not enumerable. */
const isRecord = (value: unknown): boolean => typeof value === 'function' || value instanceof RegExp

for (const value of VALUES.filter((value) => !isRecord(value))) {
  for (const member of ['status', 'statusText', 'headers'])
    await same(`{ ${member}: ${show(value)} }`, ({ Response }) =>
      read(new Response('x', { [member]: value })),
    )
  await same(`Response.redirect(${show(value)})`, ({ Response }) =>
    read(Response.redirect(value as string, 302)),
  )
  await same(`Response.redirect(url, ${show(value)})`, ({ Response }) =>
    read(Response.redirect('http://example.com/a b?ü#f', value as never)),
  )
  if (value !== null)
    await same(`Response.json(1, ${show(value)})`, ({ Response }) =>
      read(Response.json(1, value as never)),
    )
}

const STATUSES: readonly unknown[] = [
  ...[-1, 0, 99, 100, 101, 103, 199, 200, 201, 204, 205, 299, 300, 301, 302, 303, 304, 305, 307],
  ...[308, 309, 404, 500, 599, 600, 999, 200.9, 599.9, 65736, 2 ** 32 + 200, '200', '2e2'],
  ...['abc', Number.POSITIVE_INFINITY, new Date(200), [204], true, 0x10000],
]
for (const status of STATUSES) {
  for (const body of [undefined, null, '', 'text'])
    await same(`status ${show(status)} with ${show(body)}`, ({ Response }) =>
      read(new Response(body as never, { status: status as number })),
    )
  await same(`redirect with ${show(status)}`, ({ Response }) =>
    read(Response.redirect('http://example.com', status as never)),
  )
  await same(`json with ${show(status)}`, ({ Response }) =>
    read(Response.json({ a: 1 }, { status: status as number })),
  )
}

for (const text of ['OK', 'Not Möglich', 'tab\t', 'line\n', '€', '\x7f', '\x01', ' ', ''])
  await same(`statusText ${show(text)}`, ({ Response }) =>
    read(new Response(null, { statusText: text })),
  )
for (const type of ['x/y', '', 'application/json', 'not a type'])
  await same(`Response.json() with type ${type}`, ({ Response }) =>
    read(Response.json([1], { headers: [['content-type', type]], statusText: 'Fine' })),
  )
await same('Response.json() of what refers to itself', ({ Response }) => {
  const self: unknown[] = []
  self.push(self)
  return Response.json(self)
})
await same('Response.error()', ({ Response }) => {
  const response = Response.error()
  return [described(response), described(response.clone())]
})
await same('fields of an error cannot be set', ({ Response }) =>
  Response.error().headers.set('a', 'b'),
)
await same('fields of a clone of it neither', ({ Response }) =>
  Response.redirect('http://a/', 301).clone().headers.set('a', 'b'),
)
for (const url of [
  '',
  '/relative',
  'http://',
  'mailto:x@y',
  'HTTP://EXAMPLE.com:80/%zz',
  'data:,x',
])
  await same(`Response.redirect(${url})`, ({ Response }) => read(Response.redirect(url, 307)))

await same('without arguments', ({ Response }) => read(new Response()))
await same('json without arguments', ({ Response }) =>
  (Response as unknown as { json: () => unknown }).json(),
)
await same('redirect without arguments', ({ Response }) =>
  (Response as unknown as { redirect: () => unknown }).redirect(),
)
await same('called without new', ({ Response }) => (Response as unknown as () => unknown)())
await same('a response as init', async ({ Response }) =>
  read(
    new Response('b', new Response('a', { status: 404, statusText: 'No', headers: { a: '1' } })),
  ),
)
await same('the body and init of another', async ({ Response }) => {
  const first = new Response('a', { status: 404, headers: { a: '1' } })
  return [await read(new Response(first.body, first)), first.bodyUsed]
})
for (const [what, body] of [
  ['a text', 'text'],
  ['bytes', bytes(104, 105)],
  ['a Blob', new Blob(['blob'])],
] as const) {
  await same(`two of one stream of ${what}`, async ({ Response }) => {
    const first = new Response(body as never)
    const second = new Response(first.body)
    const before = [first.bodyUsed, second.bodyUsed, first.body === second.body]
    const fields = [[...first.headers], [...second.headers]]
    const text = await second.text()
    return [before, fields, text, first.bodyUsed, second.bodyUsed]
  })
  await same(`the first of two of one stream of ${what}`, async ({ Response }) => {
    const first = new Response(body as never)
    const second = new Response(first.body)
    return [await first.text(), first.bodyUsed, second.bodyUsed, await second.text()]
  })
  await same(`a stream of ${what} that was teed`, ({ Response }) => {
    const first = new Response(body as never)
    const stream = first.body
    first.clone()
    return new Response(stream)
  })
  await same(`a stream of ${what} that was read`, async ({ Response }) => {
    const first = new Response(body as never)
    const stream = first.body
    await first.text()
    return new Response(stream)
  })
  await same(`a stream of ${what} in a request`, async ({ Request, Response }) => {
    const { body: stream } = new Response(body as never)
    const init = { method: 'PUT', body: stream, duplex: 'half' }
    const request = new Request('http://a/', init as never)
    return [[...request.headers], await request.text()]
  })
  await same(`a stream of ${what} in a request, without duplex`, ({ Request, Response }) => {
    const { body: stream } = new Response(body as never)
    return new Request('http://a/', { method: 'PUT', body: stream } as never)
  })
}
await same('bytes are copied', async ({ Response }) => {
  const source = bytes(104, 105)
  const response = new Response(source as never)
  source[0] = 0
  return response.text()
})
await same('bytes that are given are the caller’s own', async ({ Response }) => {
  const response = new Response(bytes(104, 105) as never)
  const copy = response.clone()
  new Uint8Array(await response.arrayBuffer()).fill(0)
  return copy.text()
})
await same('fields changed after the body was given', async ({ Response }) => {
  const response = new Response('x')
  response.headers.delete('content-type')
  return [[...response.headers], [...response.clone().headers]]
})

/** Members that Node has not in every version. */
const NEW = /^(bytes|textStream) /

interface Texts {
  textStream(): AsyncIterable<string>
}

const members = (target: object): string[] =>
  Object.entries(Object.getOwnPropertyDescriptors(target))
    .map(
      ([name, { enumerable, get, set, value }]) =>
        `${name} ${enumerable} ${typeof get} ${typeof set} ${value?.length}`,
    )
    .filter((line) => !NEW.test(line))
    .sort()
await same('members', ({ Response }) => members(Response.prototype))
await same('static members', ({ Response }) =>
  members(Response).filter((line) => !line.startsWith('prototype')),
)
await same('names', ({ Response }) => [
  Object.prototype.toString.call(new Response()),
  Response.name,
  Object.keys(new Response()),
  Object.getPrototypeOf(Response.prototype) === Object.prototype,
])
for (const name of Object.keys(node.Response.prototype))
  await same(`${name} of something else`, ({ Response }) => {
    const member: unknown = Reflect.get(Response.prototype, name, {})
    return (member as () => unknown).call({})
  })
await same('a class derived from it', async ({ Response }: Classes) => {
  class Mine extends Response {
    shout(): string {
      return `${this.status}!`
    }
  }
  const mine = new Mine('x', { status: 202 })
  return [mine.shout(), mine instanceof Response, new Response() instanceof Mine, await mine.text()]
})

await standard(
  'Web IDL 3.2.17: null is an empty init',
  ({ Response }) => Response.json(1, null as never).text(),
  '1',
)
await standard(
  'Web IDL 3.2.4.9: a negative status is one modulo 65536',
  ({ Response }) => new Response(null, { status: -65336 }).status,
  200,
)
await standard(
  'Web IDL 3.2.17: members of init in the order of their names',
  ({ Response }) => {
    const order: string[] = []
    const init = new Proxy({}, { get: (_, name) => void order.push(String(name)) })
    new Response('x', init)
    return order
  },
  ['headers', 'status', 'statusText'],
)
await standard(
  'Fetch 5.3: textStream()',
  async ({ Response }) => {
    const read = async (body: string | null): Promise<unknown> => {
      const response = new Response(body)
      const texts: string[] = []
      for await (const text of (response as unknown as Texts).textStream()) texts.push(text)
      return [texts.join('|'), response.bodyUsed]
    }
    return [await read('\ufeff€uro'), await read(null)]
  },
  [
    ['€uro', true],
    ['', false],
  ],
)
await standard(
  'Fetch 5.3: textStream() of what was read',
  async ({ Response }) => {
    const response = new Response('x')
    await response.text()
    return (response as unknown as Texts).textStream()
  },
  TypeError,
)
await standard(
  'Fetch 5.5 Response: bytes()',
  async ({ Response }) =>
    (new Response('hi') as unknown as { bytes(): Promise<Uint8Array> }).bytes(),
  bytes(104, 105),
)

void t.test('Node’s is an instance of ours, other things are none', async (t) => {
  t.ok(new node.Response() instanceof light.Response)
  for (const value of [null, undefined, 1, 'x', {}, { [Symbol.toStringTag]: 'Response' }])
    t.notOk(value instanceof (light.Response as never), show(value))
})

void t.test('inspect and structuredClone', async (t) => {
  const response = new light.Response('x', { status: 201, headers: { a: 'b' } })
  t.match(inspect(response), /^Response \{\s+status: 201,.*Headers \{.*bodyUsed: false/s)
  t.notOk(response.bodyUsed)
  t.same(structuredClone(response), {})
})
