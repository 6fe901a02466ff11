import t from 'tap'
import { Log } from '../../lib/log/log.js'
import {
  type LogFormat,
  type Logger,
  type LogThreshold,
  lineLogger,
  logLine,
} from '../../lib/log/logger.js'
import { safeText } from '../../lib/log/text.js'
import { until } from '../conformance/deadline.js'

const EVIL = 'a\n2026 error b\r\u001b[2J\u202e\u0085'

function kept(format: LogFormat = 'text', level: LogThreshold = 'info', worker?: string) {
  const lines: string[] = []
  return { lines, logger: lineLogger({ level, format, worker }, (line) => lines.push(line)) }
}

t.test('a line of text cannot be forged', (t) => {
  t.equal(safeText(EVIL), 'a\\n2026 error b\\r\\u001b[2J\\u202e\\u0085')
  t.ok(safeText('x'.repeat(10_000)).length < 2100)
  const line = logLine(new Date(0), 'warn', 'said', { a: 'x y="z"', b: 1, c: EVIL, d: '' })
  t.notMatch(line, /\n|\r/)
  t.match(line, '1970-01-01T00:00:00.000Z warn  said a="x y=\\"z\\"" b=1 c="a\\n2026')
  const { lines, logger } = kept('text', 'info', 'w 1')
  logger.warn('said %s', { a: EVIL, n: 1, on: true, long: 'y'.repeat(9000), none: undefined })
  t.equal(lines.length, 1)
  t.match(
    lines[0],
    /^\S+Z warn {2}said %s a="a\\n2026 error b\\r\\u001b\[2J\\u202e\\u0085" n=1 on=true long="y/,
  )
  t.match(lines[0], /…\(9000 characters\)" none=undefined worker="w 1"$/)
  t.ok((lines[0]?.length ?? 0) < 2300)
  t.end()
})

t.test('nor one of JSON, and what was said can be read back', (t) => {
  const { lines, logger } = kept('json', 'info', 'w1')
  logger.error('bad %d\n', {
    text: EVIL,
    n: 1,
    long: 'y'.repeat(9000),
    big: 5n,
    o: { toString: () => 'own' },
  })
  t.equal(lines.length, 1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
  t.notMatch(lines[0], /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
  t.match(JSON.parse(lines[0] ?? ''), {
    level: 'error',
    msg: 'bad %d\n',
    text: EVIL,
    n: 1,
    long: /^y{1960}…\(9000 characters\)$/,
    big: '5',
    o: 'own',
    pid: process.pid,
    worker: 'w1',
    time: /^\d{4}-.*Z$/,
  })
  t.end()
})

t.test('levels', (t) => {
  const all = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
  const count = (threshold: LogThreshold): number => {
    const { lines, logger } = kept('text', threshold)
    for (const level of all) logger[level]('m')
    return lines.length
  }
  t.strictSame(
    (['silent', ...all] as const).map((each) => count(each)),
    [0, 1, 2, 3, 4, 5, 6],
  )
  t.end()
})

t.test("somebody's own logger needs neither fatal nor trace", (t) => {
  const calls: string[] = []
  const own: Logger = {
    error: (message) => calls.push(`error ${message}`),
    warn: (message) => calls.push(`warn ${message}`),
    info: (message) => calls.push(`info ${message}`),
    debug: (message) => calls.push(`debug ${message}`),
  }
  const log = new Log(own)
  for (const level of ['fatal', 'warn', 'trace'] as const) log.at(level, 'm')
  t.strictSame(calls, ['error m', 'warn m', 'debug m'])
  t.end()
})

t.test('lines of one kind are limited, and what was left out is said by the next', (t) => {
  const { lines, logger } = kept()
  let now = 0
  const log = new Log(logger, () => now)
  for (let i = 0; i < 25; i++) log.limited('bad', 'warn', 'bad peer', {})
  log.limited('other', 'warn', 'another', {})
  t.equal(lines.length, 11)
  now = 1000
  log.limited('bad', 'warn', 'bad peer', {})
  t.match(lines.at(-1), /bad peer withheld=15$/)
  log.limited('bad', 'warn', 'bad peer', {})
  t.notMatch(lines.at(-1), /withheld/)
  log.flush()
  t.equal(lines.length, 13, 'nothing is left to say')
  t.end()
})

t.test('or by a line of its own when no other comes', async (t) => {
  const { lines, logger } = kept()
  const log = new Log(logger)
  for (let i = 0; i < 13; i++) log.limited('bad', 'error', 'bad peer', { a: 1 })
  t.equal(lines.length, 10)
  await until(
    () => lines.length === 11,
    () => lines.join('\n'),
  )
  t.match(lines[10], /error bad peer kind=bad withheld=3$/)
  for (let i = 0; i < 30; i++) log.limited('more', 'error', 'more', {})
  log.flush()
  t.match(lines.at(-1), /kind=more withheld=20$/, 'and at the end')
})
