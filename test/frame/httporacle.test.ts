// Framer http against Node's own parser: what ours takes for a request is one for Node as well, with the same method,
// target and body, and it ends at the same byte. What ours refuses, Node may take.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { HTTP_FLAG } from '../../lib/engine/layout.js'
import { makeFramer } from '../../lib/frame/framer.js'
import { readCorpus } from './golden.js'
import { messages, mutated, randomOf } from './httpparts.js'
import { type Read, type Request, readByNode } from './oracle.js'

const MUTATIONS = 5000
const ROOM = 64
const SEED = 20261128

const golden = readCorpus(join(import.meta.dirname, '../fixtures/frames'))
  .filter(({ framer }) => framer === 'http')
  .map(({ input }) => input)
const corpus = [...messages(), ...golden]

const framer = makeFramer({ kind: 'http' })
framer.limit?.({
  httpMaxLine: 8192,
  httpMaxHeaders: 16_384,
  httpMaxHeaderCount: 100,
  httpMaxBody: 1 << 20,
  httpMaxChunkExtension: 256,
})

/** The data of chunks, put together; where they stand is known to be well-formed. */
function joined(chunks: string): string {
  let body = ''
  for (let at = 0; ; ) {
    const data = chunks.indexOf('\r\n', at) + 2
    const size = Number.parseInt(chunks.slice(at, data), 16)
    if (size === 0) return body
    body += chunks.slice(data, data + size)
    at = data + size + 2
  }
}

/** A request that was cut, read anew and simply. */
function requestOf(whole: string, end: number, flags: number): Request {
  const head = whole.slice(0, whole.indexOf('\r\n\r\n') + 2)
  const rest = whole.slice(head.length + 2)
  const [method = '', target = ''] = head.split(' ')
  const body = /^transfer-encoding:/im.test(head) ? joined(rest) : rest
  return { method, target, body, end, last: (flags & HTTP_FLAG.last) !== 0 }
}

function readByUs(input: Buffer): Read {
  const { frames, status } = framer.cut(input, 0, ROOM, { scanned: 0 })
  const requests = frames.map(({ offset, length, head, flags = 0 }) => {
    const whole = input.toString('latin1', offset + head, offset + length)
    return requestOf(whole, offset + length, flags)
  })
  return { requests, refused: status !== 'more' }
}

/** Where the two read an input differently, beyond what ours refuses. */
function difference(input: Buffer, ours: Read, node: Read): object | undefined {
  const last = ours.requests.at(-1)?.last === true
  const count = ours.requests.length
  const differs = ours.requests.some((request, i) => {
    const other = node.requests[i]
    if (other === undefined) return true
    // A connection may end earlier with ours.
    const ends = request.last || !other.last
    return JSON.stringify({ ...other, last: request.last }) !== JSON.stringify(request) || !ends
  })
  // To ours what is left is a beginning: to Node it must not be whole.
  const isLonger = !last && !ours.refused && node.requests.length > count
  return differs || isLonger ? { input: input.toString('latin1'), ours, node } : undefined
}

/**
 * Where ours is right and Node's reading is another one. Each is taken out of an input, without changing its length;
 * both must then read it alike.
 */
const RIGHT: { why: string; without: (text: string) => string }[] = [
  {
    why: 'Proxy-Connection is no field of HTTP, for Node it is Connection (RFC 9112, C.2.2)',
    without: (text) => text.replace(/^proxy-connection(?=:)/gim, 'proxy-cannection'),
  },
  {
    why: 'tabs may stand behind a Content-Length as spaces may (RFC 9110, 5.6.3); Node 20 takes none',
    without: (text) =>
      text.replace(/^content-length:[ \t]*\d+[ \t]*\r$/gim, (line) => line.replaceAll('\t', ' ')),
  },
  {
    why: 'Connection in trailers means nothing (RFC 9110, 6.5.1)',
    without: (text) => {
      const field = /(^0+(?:;.*)?\r\n(?:.+\r\n)*?)connection:/gim
      while (field.test(text)) text = text.replace(field, '$1cannection:')
      return text
    },
  },
]

/** Why an input is read differently, where ours is right. */
function reasonOf(input: Buffer): string | undefined {
  const text = input.toString('latin1')
  return RIGHT.find(({ without }) => {
    const other = Buffer.from(without(text), 'latin1')
    return (
      !other.equals(input) && difference(other, readByUs(other), readByNode(other)) === undefined
    )
  })?.why
}

function compare(t: Test, inputs: readonly Buffer[]): void {
  const differences: object[] = []
  const reasons = new Map<string, number>()
  const counts = { requests: 0, refused: 0, refusedByOursAlone: 0 }
  for (const input of inputs) {
    const [ours, node] = [readByUs(input), readByNode(input)]
    counts.requests += ours.requests.length
    if (ours.refused) counts.refused++
    if (ours.refused && node.requests.length > ours.requests.length) counts.refusedByOursAlone++
    const found = difference(input, ours, node)
    if (found === undefined) continue
    const why = reasonOf(input)
    if (why === undefined) differences.push(found)
    else reasons.set(why, (reasons.get(why) ?? 0) + 1)
  }
  t.comment(`${inputs.length} inputs`, counts)
  for (const [why, times] of reasons) t.comment(`${times} times: ${why}`)
  t.strictSame(differences.slice(0, 20), [], 'whatever ours takes, Node takes alike')
  t.ok(counts.requests > inputs.length / 4, 'ours takes some')
  t.ok(counts.refused > inputs.length / 4, 'ours refuses some')
}

t.test('the oracle reads requests', (t) => {
  const text =
    '\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n' +
    'PUT http://b/ HTTP/1.0\r\nContent-Length: 2\r\n\r\nde'
  const requests = [
    { method: 'POST', target: '/a', body: 'abc', end: 85, last: false },
    { method: 'PUT', target: 'http://b/', body: 'de', end: text.length, last: true },
  ]
  t.same(readByNode(Buffer.from(text)), { requests, refused: false })
  t.same(readByUs(Buffer.from(text)), { requests, refused: false })
  t.same(readByNode(Buffer.from('GET / HTTP/1.1\nHost: a\n\n')), { requests: [], refused: true })
  t.end()
})

t.test('a corpus', (t) => {
  t.ok(corpus.length > 500, `${corpus.length} inputs`)
  compare(t, corpus)
  t.end()
})

t.test('mutations of it', (t) => {
  const random = randomOf(SEED)
  // Those that ours takes are one change away from something new more often than the others.
  const good = corpus.filter((input) => !readByUs(input).refused)
  const inputs = Array.from({ length: MUTATIONS }, (_, i) => {
    const from = i % 4 === 0 ? corpus : good
    return mutated(from[Math.floor(random() * from.length)] as Buffer, random)
  })
  compare(t, inputs)
  t.end()
})
