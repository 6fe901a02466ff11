// The whole matrix of server types, handler types and polling types, over loopback. First order and byte-exactness
// under pipelining with random delays, all combinations at once; then the conformance cases over each of them.
//
//   node scripts/matrix.mjs [-S TYPE] [-X TYPE] [edge] [level] [completion] [portable] [--pairs] [--logs DIRECTORY]
//   node scripts/matrix.mjs --streams [edge] [level] [completion] [portable] [--pairs] [--logs DIRECTORY]
//
// --streams      over all that streams go through instead: transport, PROXY, TLS, compression, polling type
// -S, -X, edge … only the combinations with these; without them all
// --pairs        few combinations that have each value of one axis with each of every other
// --logs         where the output of each run goes; a new directory below the temporary one by default
//
// What fails is asked once more by itself, and counted as such where it passes then: a machine that is busy with other
// things is late. One line for each run, and at last one for all. Exit status 1 when something failed, 0 when all passed. What is
// skipped is skipped by the rules in test/matrix/rules.ts, or because this machine lacks an engine.

import { execFileSync, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** What tap runs a test with; its own start and its worker processes are not needed here. */
process.env.TS_NODE_TRANSPILE_ONLY = '1'
const TYPESCRIPT = [
  '--import=@tapjs/typescript/import',
  '--import=./test/plain-children.mjs',
  '--enable-source-maps',
]
/** Where more cases than this fail, it is not for want of time. */
const MOST_AGAIN = 20
/** No run takes longer, seconds. */
const LIMIT_S = 2400

const { values, positionals } = parseArgs({
  options: {
    server: { type: 'string', short: 'S' },
    handler: { type: 'string', short: 'X' },
    streams: { type: 'boolean', default: false },
    pairs: { type: 'boolean', default: false },
    logs: { type: 'string' },
  },
  allowPositionals: true,
})
const logs = values.logs ?? mkdtempSync(join(tmpdir(), 'gaidaros-matrix-'))
mkdirSync(logs, { recursive: true })

const seconds = (since) => Math.round((performance.now() - since) / 1000)
const duration = (s) => (s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`)

/**
 * Runs one file of tests. Its subtests are cases: each is passed, failed or skipped, and a case that only finds out
 * while it runs that it has nothing to say is skipped as well.
 */
async function run(file, env, name) {
  const began = performance.now()
  const child = spawn(process.execPath, [...TYPESCRIPT, `test/matrix/${file}`], {
    cwd: ROOT,
    env: { ...process.env, TAP_TIMEOUT: `${LIMIT_S}`, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const log = createWriteStream(join(logs, `${name}.log`))
  const ended = new Promise((resolve) => child.on('close', resolve))
  const count = { passed: 0, failed: 0, skipped: 0, late: 0, titles: [] }
  let skipping = false
  for await (const line of createInterface({ input: child.stdout })) {
    log.write(`${line}\n`)
    const [, indent, not, title, skip] = /^( *)(not )?ok \d+ - (.*?)( # SKIP.*)?$/.exec(line) ?? []
    if (indent === undefined) continue
    if (indent.length > 0) skipping ||= skip !== undefined
    else {
      count[not ? 'failed' : skip || skipping ? 'skipped' : 'passed']++
      if (not) count.titles.push(title.replace(/ # time=.*/, ''))
      skipping = false
    }
  }
  const status = await ended
  log.end()
  // A run that was cut off has failed, whatever its cases said until then.
  if (status !== 0 && count.failed === 0) {
    count.failed++
    count.titles.push(`it ended with status ${status}`)
  }
  return { ...count, seconds: seconds(began) }
}

/** The same, and what failed once more by itself, one case at a time: a busy machine is late. */
async function runPatiently(file, env, name) {
  const first = await run(file, env, name)
  if (first.failed === 0 || first.failed > MOST_AGAIN || first.failed !== first.titles.length)
    return first
  const alone = { GAIDAROS_TEST_ONLY: first.titles.join('|'), GAIDAROS_TEST_JOBS: '1' }
  const second = await run(file, { ...env, ...alone }, `${name}-again`)
  const titles = first.titles.filter(
    (title) => second.titles.includes(title) || second.passed === 0,
  )
  const late = first.failed - titles.length
  return {
    ...first,
    passed: first.passed + late,
    failed: titles.length,
    late,
    titles,
    seconds: first.seconds + second.seconds,
  }
}

function report(title, { passed, failed, skipped, late, titles, seconds }) {
  const again = late > 0 ? ` (${late} at the second try)` : ''
  const counts = `${passed} passed${again}, ${failed} failed, ${skipped} skipped`
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'}  ${title}: ${counts}, ${duration(seconds)}`)
  for (const each of titles) console.log(`        ${each}`)
}

/** The titles of all combinations, or of those that --pairs chooses. */
function combinations() {
  const args = [...TYPESCRIPT, 'test/matrix/list.ts']
  if (values.pairs) args.push('--pairs')
  if (values.streams) args.push('--streams')
  return execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }).trim().split('\n')
}

const began = performance.now()
const all = combinations()
const isWanted = (title) =>
  (values.server === undefined || title.includes(`-S "${values.server}"`)) &&
  (values.handler === undefined || title.includes(`-X "${values.handler}"`)) &&
  (positionals.length === 0 || positionals.some((backend) => title.endsWith(` on ${backend}`)))
const wanted = all.filter(isWanted)
if (wanted.length === 0) {
  console.error(`matrix: no such combination; there are:\n${all.join('\n')}`)
  process.exit(2)
}
console.log(`logs: ${logs}`)
const order = values.streams
  ? undefined
  : await run('order.matrix.ts', { GAIDAROS_MATRIX: wanted.join('|') }, 'order')
if (order !== undefined) report('order', order)
const results = []
for (const [i, title] of wanted.entries()) {
  const name = title
    .replaceAll('""', 'inloop')
    .replaceAll(/[^\w-]+/g, '')
    .replace(/^-S|-X/g, '-')
  const result = await runPatiently('conformance.matrix.ts', { GAIDAROS_MATRIX: title }, name)
  report(`${String(i + 1).padStart(2)}/${wanted.length} ${title}`, result)
  results.push(result)
}

const sum = (key) => results.reduce((total, each) => total + each[key], 0)
const good = results.filter(({ failed }) => failed === 0).length
const failed = sum('failed') + (order?.failed ?? 0)
console.log(
  `${failed === 0 ? 'ok' : 'FAIL'}: ` +
    (order === undefined ? '' : `order in ${order.passed} of ${wanted.length} combinations; `) +
    `conformance in ${good} of ${wanted.length}: ${sum('passed')} cases passed (${sum('late')} at the second try), ${sum('failed')} failed, ${sum('skipped')} skipped; ` +
    duration(seconds(began)),
)
process.exit(failed === 0 ? 0 : 1)
