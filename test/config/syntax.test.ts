// The dialect of configuration files: a corpus of valid files (expected values as Python's configparser gives
// them), a corpus of invalid ones, references, and input that nobody meant as configuration.

import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { readContent } from '../../lib/config/content.js'
import { Interpolation, MAX_LENGTH } from '../../lib/config/interpolation.js'
import { parseConf } from '../../lib/config/syntax.js'
import { problemText } from '../../lib/options/index.js'

const corpus = new URL('./corpus/', import.meta.url)
const text = (path: string) => readFileSync(new URL(path, corpus), 'utf8')
const confs = (kind: string) =>
  readdirSync(new URL(kind, corpus)).filter((name) => name.endsWith('.conf'))

/** Section → key → expanded value, as the corpus has it. */
function values(conf: string): Record<string, Record<string, unknown>> {
  const { entries } = parseConf(conf)
  const interpolation = new Interpolation(entries)
  const result: Record<string, Record<string, unknown>> = {}
  for (const entry of entries) {
    const expanded = interpolation.expand(entry)
    result[entry.section] ??= {}
    Object.assign(result[entry.section] as object, {
      [entry.key]: 'text' in expanded ? expanded.text : expanded,
    })
  }
  return result
}

/** What the whole file says, through the option table. */
const content = (conf: string, path = 'x.conf') =>
  readContent(
    { path, realPath: path, text: conf, id: '', rootOwned: true, isPrivate: false },
    'system',
    { uid: 0, euid: 0, home: '/root', sudo: false },
  )
const problems = (conf: string, path?: string) => content(conf, path).problems.map(problemText)

t.test('valid corpus', async (t) => {
  t.ok(confs('valid/').length >= 25)
  for (const name of confs('valid/')) {
    const conf = text(`valid/${name}`)
    const expected = JSON.parse(text(`valid/${name.replace('.conf', '.json')}`))
    t.strictSame(values(conf), expected, name)
    t.strictSame(parseConf(conf).problems, [], name)
    const crlf = conf.replace(/\r?\n/g, '\r\n')
    t.strictSame(values(crlf), expected, `${name} with CRLF`)
  }
})

t.test('invalid corpus: every problem with its line', async (t) => {
  t.ok(confs('invalid/').length >= 31)
  for (const name of confs('invalid/')) {
    const expected = text(`invalid/${name.replace('.conf', '.txt')}`)
    t.not(expected.trim(), '', `${name} has problems`)
    t.equal(`${problems(text(`invalid/${name}`), name).join('\n')}\n`, expected, name)
  }
})

t.test('lines are counted through comments, continuations and line ends', async (t) => {
  const { entries } = parseConf('# c\r\n[global]\r\nhost = a\n b\n\n; c\nport = 1\rverbose = no')
  t.strictSame(
    entries.map(({ key, line }) => [key, line]),
    [
      ['host', 3],
      ['port', 7],
      ['verbose', 8],
    ],
  )
})

t.test('references', async (t) => {
  const chain = (length: number) =>
    `[global]\nv0 = x\n${Array.from({ length }, (_, i) => `v${i + 1} = %(v${i})s`).join('\n')}\n`
  const last = (conf: string, key: string) => values(conf)['global']?.[key]
  t.equal(last(chain(10), 'v10'), 'x', 'ten deep')
  const deep = { problem: 'references are deeper than 10' }
  t.strictSame(last(chain(11), 'v11'), deep, 'eleven deep')
  // Known values do not make a chain look shorter, whichever end is expanded first.
  const backwards = chain(11).split('\n').slice(1).reverse().join('\n')
  t.strictSame(last(`[global]${backwards}`, 'v11'), deep, 'eleven deep, last first')

  const long = 'x'.repeat(1024)
  const conf = (count: number) => `[global]\na = ${long}\nb = ${'%(a)s'.repeat(count)}\n`
  t.equal(String(last(conf(64), 'b')).length, MAX_LENGTH, 'up to 64 KiB')
  t.match(last(conf(65), 'b'), { problem: /longer than 65536/ })
  t.match(last(`[global]\na = ${'x'.repeat(MAX_LENGTH + 1)}`, 'a'), { problem: /longer/ })
  t.equal(last('[global]\na = %%(b)s %%%%', 'a'), '%(b)s %%')
})

t.test('a bomb of references ends at once, empty leaves or not', async (t) => {
  for (const leaf of ['', 'x']) {
    const level = (i: number) => `v${i} = ${`%(v${i - 1})s`.repeat(2500)}`
    const conf = `[global]\nv0 = ${leaf}\n${Array.from({ length: 9 }, (_, i) => level(i + 1)).join('\n')}`
    const start = process.hrtime.bigint()
    values(conf)
    t.ok(process.hrtime.bigint() - start < 5_000_000_000n, `leaf "${leaf}"`)
  }
})

t.test('a file that is no configuration is not repeated in the messages', async (t) => {
  const lines = problems('root:$6$salt$hash:19000:0\ndaemon:*:19000\n', '/etc/shadow')
  t.equal(lines.length, 2)
  t.notMatch(lines.join('\n'), /hash|19000/)
})

t.test('values of a secret stay out of messages', async (t) => {
  t.notMatch(problems('[cluster]\nsecrets = hunter2\n').join('\n'), /hunter2/)
})

t.test('escape sequences in names and values do not reach the terminal', async (t) => {
  const lines = problems('[gl\u202eobal]\nx = 1\n[global]\nport = \u009b31m\n').join('\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
  t.notMatch(lines, /[\u0000-\u0009\u007f-\u009f\u202e]/)
})

t.test('random text never throws, and every line number lies in the file', async (t) => {
  const parts = ['[global]\n', '[x]', 'port', '=', ':', '\n', ' ', '\t', '#', '%(', ')s', '%', '\0']
  parts.push('__proto__', '\r', '\u2028', '[', ']', 'é', '1', '\ufeff', ',')
  let seed = 12345
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return seed % below
  }
  for (let round = 0; round < 3000; round++) {
    const conf = Array.from({ length: random(40) }, () => parts[random(parts.length)]).join('')
    const count = conf.split(/\r\n|\n|\r/).length
    const { entries, problems: found } = parseConf(conf)
    content(conf)
    for (const { line } of [...entries, ...found])
      if (line < 1 || line > count) t.fail(`line ${line} of ${JSON.stringify(conf)}`)
  }
  t.equal(Object.getPrototypeOf({}), Object.prototype)
  t.notOk('x' in {}, 'prototypes are untouched')
})
