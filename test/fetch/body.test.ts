// Bodies of ours beside Node's: each is used once, in whatever way.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type Classes, light, node, same } from './differential.js'

type Body = Response | Request
type Make = (classes: Classes, body: never) => Body

const AS: Readonly<Record<string, Make>> = {
  response: ({ Response }, body) => new Response(body),
  request: ({ Request }, body) =>
    new Request('http://example.com/', { method: 'POST', body, duplex: 'half' } as RequestInit),
}

/** Fresh for each: a stream can be had once. */
const BODIES: Readonly<Record<string, () => unknown>> = {
  nothing: () => null,
  empty: () => '',
  text: () => 'text',
  json: () => '\ufeff{"a":[1,"€"]}',
  bytes: () => Uint8Array.of(0x7b, 0x7d),
  'invalid UTF-8': () => Uint8Array.of(0xef, 0xbb, 0xbf, 0xe2, 0x82, 0x41, 0xff),
  blob: () => new Blob(['{"b"', ':1}'], { type: 'application/json' }),
  parameters: () => new URLSearchParams('a=1&a=2&b=%C3%BC'),
  form: () => {
    const form = new FormData()
    form.append('a', 'one\r\n"two"')
    form.append('a', '€')
    form.append('f', new File([Uint8Array.of(0, 255, 13, 10)], 'näme"x.bin', { type: 'x/y' }))
    return form
  },
  stream: () => new Blob(['from ', 'a ', 'stream']).stream(),
  'stream of texts': () =>
    new ReadableStream({
      start(controller) {
        controller.enqueue('text')
        controller.close()
      },
    }),
  'stream that fails': () =>
    new ReadableStream({
      pull(controller) {
        controller.error(new RangeError('mine'))
      },
    }),
  'locked stream': () => {
    const stream = new Blob(['x']).stream()
    stream.getReader()
    return stream
  },
  'stream that was read': async () => {
    const stream = new Blob(['x']).stream()
    await new Response(stream as never).text()
    return stream
  },
  generator: () =>
    (async function* () {
      yield Buffer.from('gen')
      yield Buffer.from('erated')
    })(),
  large: () => 'ä'.repeat(300_000),
}

/** Without what is drawn by lot. */
const plain = (text: string): string => text.replace(/formdata-undici-\d+/g, 'BOUNDARY')

const isLot = (text: string): boolean => text.length > 1000

async function shown(value: unknown): Promise<unknown> {
  if (typeof value === 'string') return isLot(value) ? value.length : plain(value)
  if (value instanceof Blob) return [plain(value.type), value.size, await shown(await value.text())]
  if (value instanceof ArrayBuffer)
    return ['bytes', await shown(Buffer.from(value).toString('latin1'))]
  if (value instanceof FormData)
    return Promise.all(
      [...value].map(async ([name, each]) => [
        plain(name),
        each instanceof File ? [each.name, each.type, await each.text()] : plain(String(each)),
      ]),
    )
  return value
}

type Way = 'text' | 'json' | 'arrayBuffer' | 'blob' | 'formData'
const WAYS: readonly Way[] = ['text', 'json', 'arrayBuffer', 'blob', 'formData']

const outcomeOf = async (read: () => unknown): Promise<unknown> => {
  try {
    return await shown(await read())
  } catch (error) {
    return `throws ${(error as Error).name}`
  }
}

async function streamed(stream: ReadableStream | null): Promise<unknown> {
  if (stream === null) return null
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces).toString()
}

const CASES: Readonly<Record<string, (body: Body) => unknown>> = {
  ...Object.fromEntries(WAYS.map((way) => [`${way}()`, (body: Body) => body[way]()])),
  'text() twice': async (body) => [
    await outcomeOf(() => body.text()),
    await outcomeOf(() => body.text()),
  ],
  'json() and text() at once': async (body) =>
    Promise.all([outcomeOf(() => body.json()), outcomeOf(() => body.text())]),
  'text() behind body': async (body) => [
    Object.is(body.body, body.body),
    body.bodyUsed,
    await outcomeOf(() => body.text()),
    body.bodyUsed,
  ],
  'body behind text()': async (body) => {
    await outcomeOf(() => body.text())
    const stream = body.body
    return [body.bodyUsed, stream?.locked, await outcomeOf(() => stream?.getReader().read())]
  },
  'the stream': (body) => streamed(body.body),
  'a piece of the stream': async (body) => {
    const reader = body.body?.getReader()
    const locked = [body.bodyUsed, body.body?.locked, await outcomeOf(() => body.text())]
    const before = await outcomeOf(async () => (await reader?.read())?.done)
    reader?.releaseLock()
    return [locked, before, body.bodyUsed, await outcomeOf(() => body.text())]
  },
  'a reader that read nothing': async (body) => {
    body.body?.getReader().releaseLock()
    return [body.bodyUsed, await outcomeOf(() => body.text())]
  },
  cancelled: async (body) => {
    await outcomeOf(() => body.body?.cancel())
    return [body.bodyUsed, await outcomeOf(() => body.text())]
  },
  'clone()': async (body) => {
    const copy = body.clone()
    const both = await Promise.all([outcomeOf(() => copy.text()), outcomeOf(() => body.blob())])
    return [both, body.bodyUsed, copy.bodyUsed]
  },
  'clone() of a clone, behind body': async (body) => {
    const first = body.body
    const copy = body.clone().clone()
    return [
      first === body.body,
      await outcomeOf(() => copy.text()),
      body.bodyUsed,
      await outcomeOf(() => body.text()),
    ]
  },
  'clone() of what was read': async (body) => {
    await outcomeOf(() => body.text())
    return typeof body.clone()
  },
  'clone() while it is locked': (body) => {
    body.body?.getReader()
    return typeof body.clone()
  },
  'formData() of another type': async (body) => {
    body.headers.set('Content-Type', 'application/x-www-form-urlencoded')
    return body.formData()
  },
  'blob() of another type': (body) => {
    body.headers.set('Content-Type', 'Text/X ; a=B')
    return body.blob()
  },
  'read at last': async (body) => [body.bodyUsed, await outcomeOf(() => body.arrayBuffer())],
}

/** Node 24 goes on to fill the stream of a form that was cancelled, and dies of it. */
const isFatal = (what: string, how: string): boolean => what === 'form' && how === 'cancelled'

for (const [as, make] of Object.entries(AS))
  for (const [what, body] of Object.entries(BODIES))
    for (const [how, run] of Object.entries(CASES)) {
      if (isFatal(what, how)) continue
      await same(`${as} of ${what}: ${how}`, async (classes) =>
        shown(await run(make(classes, (await body()) as never))),
      )
    }

void t.test('any bytes are the text that a decoder makes of them', async (t) => {
  const decoder = new TextDecoder()
  for (let i = 0; i < 2000; i++) {
    const bytes = randomBytes(1 + (i % 40))
    // Most are ASCII with something amiss in it.
    for (let at = 0; at < bytes.length; at++) if (at % 5 !== i % 5) bytes[at] = 0x41 + (i % 3)
    const text = await new light.Response(bytes).text()
    if (text !== decoder.decode(bytes)) t.equal(text, decoder.decode(bytes), bytes.toString('hex'))
  }
  t.equal(await new light.Response(Uint8Array.of(0xf0, 0x9f, 0x98)).text(), '\ufffd')
})

void t.test('a form comes back as it was, of either kind', async (t) => {
  for (const [from, to] of [
    [light, light],
    [light, node],
    [node, light],
  ] as const) {
    const sent = new from.Response(BODIES['form']?.() as FormData)
    const type = sent.headers.get('content-type') as string
    const received = new to.Response(sent.body, { headers: { 'content-type': type } })
    t.same(await shown(await received.formData()), await shown(BODIES['form']?.()))
  }
})

void t.test('a clone has the pieces of a stream, however far the other is', async (t) => {
  let made = 0
  const stream = new ReadableStream({
    pull(controller) {
      if (made === 50) controller.close()
      else controller.enqueue(Buffer.alloc(1000, 0x61 + (made++ % 26)))
    },
  })
  const first = new light.Response(stream)
  const second = first.clone()
  const text = await first.text()
  t.equal(text.length, 50_000)
  t.equal(await second.text(), text)
})

void t.test('bytes that are read are the reader’s own', async (t) => {
  const response = new light.Response(Buffer.from('shared'))
  const copy = response.clone() as unknown as { bytes(): Promise<Uint8Array> }
  const bytes = await (response as unknown as { bytes(): Promise<Uint8Array> }).bytes()
  t.equal(bytes.buffer.byteLength, 6, 'and not a part of a pool')
  bytes.fill(0)
  t.equal(Buffer.from(await copy.bytes()).toString(), 'shared')
})

void t.test('a stream of bytes is one for readers with a buffer of their own', async (t) => {
  const reader = new light.Response('bring').body?.getReader({
    mode: 'byob',
  } as never) as unknown as {
    read(view: Uint8Array): Promise<{ value: Uint8Array }>
  }
  t.equal(Buffer.from((await reader.read(new Uint8Array(9))).value).toString(), 'bring')
})
