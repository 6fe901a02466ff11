import t from 'tap'
import { Log } from '../../lib/log/log.js'
import { lineLogger, logLine, safeText } from '../../lib/log/logger.js'

t.test('a line cannot be forged', (t) => {
  const evil = 'a\n2026 error b\r\u001b[2J\u202e\u0085'
  t.equal(safeText(evil), 'a\\n2026 error b\\r\\u001b[2J\\u202e\\u0085')
  t.ok(safeText('x'.repeat(10_000)).length < 2100)
  const line = logLine(new Date(0), 'warn', 'said', { a: 'x y="z"', b: 1, c: evil, d: '' })
  t.notMatch(line, /\n|\r/)
  t.match(line, '1970-01-01T00:00:00.000Z warn  said a="x y=\\"z\\"" b=1 c="a\\n2026')
  t.end()
})

t.test('levels', (t) => {
  const levels = (threshold: Parameters<typeof lineLogger>[0]) => {
    const lines: string[] = []
    const logger = lineLogger(threshold, (line) => lines.push(line))
    for (const level of ['error', 'warn', 'info', 'debug'] as const) logger[level]('m')
    return lines.length
  }
  const counts = (['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const).map(levels)
  t.strictSame(counts, [0, 1, 2, 3, 4, 4])
  t.end()
})

t.test('lines of one kind are limited, and what was left out is counted', (t) => {
  const lines: string[] = []
  let now = 0
  const log = new Log(
    lineLogger('info', (line) => lines.push(line)),
    () => now,
  )
  for (let i = 0; i < 25; i++) log.limited('bad', 'warn', 'bad peer', {})
  log.limited('other', 'warn', 'another', {})
  t.equal(lines.length, 11)
  now = 1000
  log.limited('bad', 'warn', 'bad peer', {})
  t.match(lines.at(-1), /bad peer withheld=15$/)
  log.limited('bad', 'warn', 'bad peer', {})
  t.notMatch(lines.at(-1), /withheld/)
  t.end()
})
