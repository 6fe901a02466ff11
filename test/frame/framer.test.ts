import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type JsFramer, makeFramer } from '../../lib/frame/framer.js'
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
    ...(golden.end === 'more' && {
      rest: fed.rest.toString('latin1'),
      wanted: fed.wanted,
      last: last && fed.rest.toString('latin1', last.offset, last.offset + last.length),
    }),
  }
  const want = {
    frames: golden.frames,
    status: golden.end,
    ...(golden.end === 'more' && { rest: golden.left, wanted: golden.wanted, last: golden.last }),
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
  t.ok(corpus.length > 80, 'the corpus was found')
  for (const golden of corpus) {
    t.test(golden.name, (t) => {
      const framer = makeFramer(parseFramer(golden.framer))
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
