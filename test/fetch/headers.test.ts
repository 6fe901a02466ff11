// Headers of ours beside Node's.

import { inspect } from 'node:util'
import t from 'tap'
import { type Classes, light, node, same, standard, VALUES } from './differential.js'

const show = (value: unknown): string => inspect(value, { breakLength: 999 })

function* generated(): Generator<[string, string]> {
  yield ['a', '1']
  yield ['b', '2']
}

const INITS: readonly unknown[] = [
  ...VALUES,
  {},
  { a: '1', b: 2, C: 'x' },
  { a: '1', A: '2' },
  { 'X-A': undefined, 'x-b': null },
  { a: ['1', '2'] },
  { 'a b': '1' },
  { '': '1' },
  { é: '1' },
  { a: '€' },
  { a: 'é' },
  { a: '1\r\nb: 2' },
  { a: ' \t1 2\r\n' },
  { a: ' ' },
  { a: '' },
  { [Symbol('x')]: '1' },
  { __proto__: { inherited: '1' }, own: '2' },
  Object.create({ inherited: '1' }),
  [],
  [['a', '1']],
  [
    ['a', '1'],
    ['A', '2'],
    ['b', '3'],
  ],
  [['a']],
  [['a', '1', '2']],
  [[]],
  ['ab'],
  [{ 0: 'a', 1: 'b', length: 2 }],
  [new Set(['a', 'b'])],
  [new Map([['a', 'b']])],
  [null],
  [1],
  new Map([['a', '1']]),
  new Set([['a', '1']]),
  new URLSearchParams('a=1&a=2&b=3'),
  [
    ['Set-Cookie', 'b=2'],
    ['z', '1'],
    ['set-cookie', 'a=1'],
    ['Cookie', 'x'],
    ['cookie', 'y'],
  ],
  { [Symbol.iterator]: generated },
  { [Symbol.iterator]: null, a: '1' },
  { [Symbol.iterator]: undefined, a: '1' },
  { [Symbol.iterator]: 1, a: '1' },
  'a: 1',
  new Proxy({ a: '1' }, {}),
]

const all = (headers: Headers): [string, string][] => [...headers]

/** Node takes members that are not enumerable, of objects that are no plain ones. */
const isRecord = (init: unknown): boolean => typeof init === 'function' || init instanceof RegExp

for (const init of INITS.filter((init) => !isRecord(init)))
  await same(`new Headers(${show(init)})`, ({ Headers }) => all(new Headers(init as never)))

await same('no init', ({ Headers }) => all(new Headers()))
await same('called without new', ({ Headers }) => (Headers as unknown as () => unknown)())

const filled = ({ Headers }: Classes): Headers =>
  new Headers([
    ['b', '1'],
    ['Set-Cookie', 'one'],
    ['A', '2'],
    ['a', '3'],
    ['set-cookie', 'two'],
    ['c-', '4'],
  ])

type Method = 'append' | 'delete' | 'get' | 'getSetCookie' | 'has' | 'set'
const call = (headers: Headers, method: Method, args: readonly unknown[]): unknown =>
  (headers[method] as (...args: readonly unknown[]) => unknown)(...args)

for (const method of ['append', 'delete', 'get', 'getSetCookie', 'has', 'set'] as const) {
  for (const args of [[], ['a'], ['A', 'x'], ['set-cookie', 'x'], ['none', 'x', 'y']])
    await same(`${method}(${show(args)})`, (classes) => {
      const headers = filled(classes)
      return [call(headers, method, args), all(headers)]
    })
  for (const value of VALUES) {
    await same(`${method}(${show(value)}, 'x')`, (classes) => {
      const headers = filled(classes)
      return [call(headers, method, [value, 'x']), all(headers)]
    })
    if (method === 'append' || method === 'set')
      await same(`${method}('a', ${show(value)})`, (classes) => {
        const headers = filled(classes)
        return [call(headers, method, ['a', value]), all(headers)]
      })
  }
  await same(`${method} of something else`, ({ Headers }) =>
    (Headers.prototype[method] as (...args: unknown[]) => unknown).call({}, 'a', 'b'),
  )
}

for (let code = 0; code < 0x180; code++) {
  const character = String.fromCharCode(code)
  await same(`a name with U+${code.toString(16)}`, ({ Headers }) =>
    all(new Headers([[`a${character}b`, '1']])),
  )
  await same(`a value with U+${code.toString(16)}`, ({ Headers }) =>
    all(
      new Headers([
        ['a', `x${character}y`],
        ['b', `${character}xy${character}`],
      ]),
    ),
  )
}

for (const way of ['entries', 'keys', 'values'] as const) {
  await same(`${way}()`, (classes) => [...filled(classes)[way]()])
  await same(`${way}() while fields come and go`, (classes) => {
    const headers = filled(classes)
    const seen: unknown[] = []
    for (const each of headers[way]()) {
      seen.push(each)
      if (seen.length === 1) headers.append('aa', '9')
      if (seen.length === 3) headers.delete('set-cookie')
      if (seen.length > 9) break
    }
    return seen
  })
  await same(`the iterator of ${way}()`, (classes) => {
    const iterator = filled(classes)[way]()
    const prototype = Object.getPrototypeOf(iterator)
    return [
      Object.prototype.toString.call(iterator),
      iterator[Symbol.iterator]() === iterator,
      Object.keys(prototype),
      Object.getPrototypeOf(prototype) ===
        Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())),
    ]
  })
  await same(`${way}() of something else`, ({ Headers }) =>
    (Headers.prototype[way] as () => unknown).call({}),
  )
}

await same('forEach()', (classes) => {
  const headers = filled(classes)
  const seen: unknown[] = []
  const self = { self: true }
  const result = headers.forEach(function (this: unknown, value, name, of) {
    seen.push([value, name, of === headers, this === self])
    if (seen.length === 2) headers.append('zz', '1')
  }, self)
  return [result, seen]
})
for (const callback of [undefined, null, {}, 'x'])
  await same(`forEach(${show(callback)})`, (classes) => filled(classes).forEach(callback as never))
await same('forEach() without anything', ({ Headers }) =>
  (new Headers() as unknown as { forEach: () => void }).forEach(),
)
await same('what a callback throws', (classes) =>
  filled(classes).forEach(() => {
    throw new RangeError('mine')
  }),
)
await same('pairs are the caller’s own', (classes) => {
  const headers = filled(classes)
  for (const pair of headers) pair[1] = 'changed'
  return all(headers)
})
await same('headers of headers', (classes) => {
  const first = filled(classes)
  const second = new classes.Headers(first)
  first.append('a', 'later')
  return [all(second), second.getSetCookie()]
})
await same('set() where there are several', (classes) => {
  const headers = filled(classes)
  headers.set('A', 'x')
  headers.set('Set-Cookie', 'three')
  return [headers.get('a'), headers.getSetCookie(), all(headers)]
})
await same('empty values joined', ({ Headers }) => {
  const headers = new Headers()
  for (const value of ['', 'x', '']) headers.append('a', value)
  return headers.get('a')
})
await same('tags and names', ({ Headers }) => [
  Object.prototype.toString.call(new Headers()),
  Headers.name,
  Headers.length,
  Object.keys(new Headers()),
])
await same('members', ({ Headers }) =>
  Object.entries(Object.getOwnPropertyDescriptors(Headers.prototype))
    .map(([name, { enumerable, value }]) => `${name} ${enumerable} ${value?.length}`)
    .sort(),
)
await same('the iterator is entries()', ({ Headers }) =>
  Object.is(Headers.prototype[Symbol.iterator], Headers.prototype.entries as unknown),
)
await same('a class derived from it', ({ Headers }) => {
  class Mine extends Headers {
    more(): string {
      return `${this.get('a')}!`
    }
  }
  const mine = new Mine({ a: '1' })
  return [mine.more(), mine instanceof Mine, mine instanceof Headers, new Headers() instanceof Mine]
})
await same('immutable ones', ({ Response }) => {
  const { headers } = Response.redirect('http://example.com/', 302)
  const refused: string[] = []
  for (const change of [
    () => headers.set('a', '1'),
    () => headers.append('a', '1'),
    () => headers.delete('location'),
    () => headers.delete('none'),
  ])
    try {
      change()
    } catch (error) {
      refused.push((error as Error).name)
    }
  return [refused, all(headers)]
})

await standard(
  'Web IDL 3.2.28: members of a record are enumerable',
  ({ Headers }) =>
    all(new Headers(Object.defineProperty({ a: '1' }, 'hidden', { value: '2' }) as never)),
  [['a', '1']],
)
await standard(
  'Web IDL 3.2.28: a function is an object',
  ({ Headers }) => all(new Headers((() => 1) as never)),
  [],
)
await standard(
  'Fetch 2.2.2 header value: other controls are allowed',
  ({ Headers }) => new Headers({ a: '\x01\x7f' }).get('a'),
  '\x01\x7f',
)

void t.test('either kind is made of the other, and an instance of ours', async (t) => {
  const pairs: [string, string][] = [
    ['a', '1'],
    ['set-cookie', 'x'],
    ['set-cookie', 'y'],
  ]
  const ofNode = new light.Headers(new node.Headers(pairs))
  t.same([...ofNode], pairs)
  t.same([...new node.Headers(new light.Headers(pairs))], pairs)
  t.ok(new node.Headers() instanceof light.Headers)
  t.notOk({} instanceof light.Headers)
  t.notOk({ [Symbol.toStringTag]: 'Headers' } instanceof light.Headers)
})

void t.test('inspect shows the fields', async (t) => {
  t.equal(inspect(new light.Headers({ b: '1', A: '2' })), "Headers { a: '2', b: '1' }")
  t.same(structuredClone(new light.Headers({ a: '1' })), {})
})
