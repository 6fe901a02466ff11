import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type FrameState, type JsFramer, makeFramer } from '../../lib/frame/framer.js'
import { parseFramer } from '../../lib/frame/parse.js'
import { Feed, feed } from './feed.js'
import { type Golden, readCorpus } from './golden.js'

const PAIRS = 48
const EVERY_OFFSET = 300
const NEAR = 6

const corpus = readCorpus(join(import.meta.dirname, '../fixtures/frames'))

/** What is wrong with a run, or undefined; compared here so that a pass costs no assertion. */
function wrong(golden: Golden, framer: JsFramer, fed: Feed): object | undefined {
  const last = golden.end === 'more' ? framer.finish(fed.rest) : undefined
  const got = {
    frames: fed.frames,
    status: fed.status,
    refusal: fed.refusal,
    ...(golden.end === 'more' && {
      rest: fed.rest.toString('latin1'),
      wanted: fed.wanted,
      expects: fed.expects,
      last: last && fed.rest.toString('latin1', last.offset, last.offset + last.length),
    }),
  }
  const want = {
    frames: golden.frames,
    status: golden.end,
    refusal: golden.refusal,
    ...(golden.end === 'more' && {
      rest: golden.left,
      wanted: golden.wanted,
      expects: golden.expects,
      last: golden.last,
    }),
  }
  return JSON.stringify(got) === JSON.stringify(want) ? undefined : { got, want }
}

/** Offsets worth a cut: all, or in long inputs those near the ends of frames. */
function offsets(golden: Golden): number[] {
  const all = Array.from({ length: golden.input.length + 1 }, (_, i) => i)
  if (golden.input.length <= EVERY_OFFSET) return all
  const ends = [0, golden.input.length]
  let end = 0
  for (const { whole } of golden.frames) {
    end += whole.length
    ends.push(end)
  }
  return all.filter((i) => ends.some((e) => Math.abs(i - e) < NEAR))
}

function cutsOf(golden: Golden): number[][] {
  const single = offsets(golden)
  const cuts = [[], ...single.map((a) => [a])]
  if (golden.input.length > PAIRS) return cuts
  return [...cuts, ...single.flatMap((a) => single.slice(a).map((b) => [a, b]))]
}

function checkByteByByte(t: Test, golden: Golden, framer: JsFramer, room: number): void {
  const fed = new Feed(framer, golden.max, room)
  for (let i = 0; i < golden.input.length; i++) {
    if (!fed.push(golden.input.subarray(i, i + 1))) break
  }
  t.equal(wrong(golden, framer, fed), undefined, `byte by byte, room ${room}`)
  if (golden.at !== undefined) t.equal(fed.fed, golden.at, 'refused as soon as that is certain')
}

function checkReplies(t: Test, golden: Golden, framer: JsFramer): void {
  for (const { reply, wire } of golden.replies) {
    if (wire !== undefined) t.equal(framer.wrap(reply).toString('latin1'), wire, 'reply')
    else t.throws(() => framer.wrap(reply), { code: 'ERR_GAIDAROS_REPLY' })
  }
}

t.test('golden corpus', (t) => {
  t.ok(corpus.length > 200, 'the corpus was found')
  for (const golden of corpus) {
    t.test(golden.name, (t) => {
      const framer = makeFramer(parseFramer(golden.framer))
      framer.limit?.(golden.limits)
      t.equal(framer.strips, golden.framer.endsWith(',strip'))
      for (const room of [1, 2, 64]) {
        for (const ends of cutsOf(golden)) {
          const why = wrong(golden, framer, feed(framer, golden.max, room, golden.input, ends))
          if (why !== undefined) t.fail(`cut at ${ends}, room ${room}`, why)
        }
        if (golden.input.length <= EVERY_OFFSET) checkByteByByte(t, golden, framer, room)
      }
      checkReplies(t, golden, framer)
      t.end()
    })
  }
  t.end()
})

t.test('bytes that were searched in vain are not searched again', (t) => {
  for (const text of ['line', 'delimiter:ab']) {
    const framer = makeFramer(parseFramer(text))
    const data = Buffer.from('x'.repeat(100))
    const state = { scanned: 0 }
    framer.cut(data, 0, 8, state)
    // A framer that looked here again would now see delimiters.
    data.write(text === 'line' ? '\n'.repeat(50) : 'ab'.repeat(25))
    t.match(framer.cut(data, 0, 8, state), { frames: [], consumed: 0, status: 'more' }, text)
  }
  t.end()
})

t.test('http: a refusal is a response, and the connection ends behind it', (t) => {
  const phrases: Record<number, string> = {
    400: 'Bad Request',
    408: 'Request Timeout',
    413: 'Content Too Large',
    414: 'URI Too Long',
    417: 'Expectation Failed',
    431: 'Request Header Fields Too Large',
    501: 'Not Implemented',
    505: 'HTTP Version Not Supported',
  }
  const framer = makeFramer({ kind: 'http' })
  for (const [status, phrase] of Object.entries(phrases)) {
    const before = Math.floor(Date.now() / 1000) * 1000
    const text = framer.refusal?.(Number(status)).toString('latin1') ?? ''
    const [head = '', body = ''] = text.split('\r\n\r\n')
    const [first, date = '', ...fields] = head.split('\r\n')
    t.equal(first, `HTTP/1.1 ${status} ${phrase}`)
    t.match(date, /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
    const at = Date.parse(date.slice('Date: '.length))
    t.ok(at >= before && at <= Date.now(), 'now')
    t.equal(body, `${status} ${phrase}\n`)
    t.strictSame(fields, [
      'Connection: close',
      'Content-Type: text/plain',
      `Content-Length: ${body.length}`,
    ])
  }
  t.end()
})

t.test('http: limits may change within a request', (t) => {
  const framer = makeFramer({ kind: 'http' })
  const none = {
    httpMaxLine: 0,
    httpMaxHeaders: 0,
    httpMaxHeaderCount: 0,
    httpMaxBody: 0,
    httpMaxChunkExtension: 0,
  }
  const data = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n')
  const state: FrameState = { scanned: 0 }
  t.match(framer.cut(data.subarray(0, 30), 0, 8, state), { status: 'more' }, 'unlimited at first')
  framer.limit?.({ ...none, httpMaxBody: 8 })
  t.match(framer.cut(data, 0, 8, state), { status: 'too_long', refusal: 413 })
  t.end()
})

t.test('room for no frame cuts nothing and forgets nothing', (t) => {
  const framer = makeFramer(parseFramer('line'))
  const state = { scanned: 2 }
  t.same(framer.cut(Buffer.from('abc\n'), 0, 0, state), {
    frames: [],
    consumed: 0,
    status: 'room',
    wanted: 0,
  })
  t.equal(state.scanned, 2)
  t.end()
})

t.test('a delimiter is copied', (t) => {
  const delimiter = Buffer.from(';')
  const framer = makeFramer({ kind: 'delimiter', delimiter, strip: true })
  delimiter.fill(0)
  t.equal(framer.cut(Buffer.from('a;'), 0, 8, { scanned: 0 }).consumed, 2)
  t.equal(framer.wrap(Buffer.from('b')).toString(), 'b;')
  t.end()
})
