import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  lchownSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { MOST_BYTES } from '../../lib/log/buffer.js'
import { type LogOptions, openLogs } from '../../lib/log/logs.js'
import { resolve } from '../../lib/options/index.js'
import type { GaidarosOptions } from '../../lib/options/settings.js'
import { root, temporary } from '../cli/command.js'
import { until } from '../conformance/deadline.js'

const isRoot = process.geteuid?.() === 0

function open(t: Test, options: GaidarosOptions, more: LogOptions & { worker?: string } = {}) {
  const logs = openLogs(resolve({ options }).settings, more)
  t.teardown(() => logs.close())
  return logs
}

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)

function fifo(t: Test): string {
  const path = join(temporary(t), 'fifo')
  t.equal(spawnSync('mkfifo', [path]).status, 0)
  return path
}

const LINE = 'x'.repeat(200)

/** More than the buffer and a pipe hold. */
function flood(write: (nth: number) => void): number {
  const count = Math.ceil((3 * MOST_BYTES) / LINE.length)
  for (let nth = 0; nth < count; nth++) write(nth)
  return count
}

t.test('a file is made for its owner and group, appended to, and written to the end', async (t) => {
  const path = join(temporary(t), 'error.log')
  const umask = process.umask(0o022)
  const logs = open(t, { logFile: path })
  process.umask(umask)
  t.equal(statSync(path).mode & 0o777, 0o640)
  for (let nth = 0; nth < 1000; nth++) logs.log.at('info', `line ${nth}`)
  await logs.close()
  t.equal(linesOf(path).length, 1000)
  t.match(linesOf(path).at(-1), /info {2}line 999$/)
  logs.log.at('info', 'too late')
  const again = open(t, { logFile: path, logFormat: 'json' }, { worker: 'w2' })
  again.log.at('fatal', 'more')
  await again.close()
  t.match(JSON.parse(linesOf(path)[1000] ?? ''), { level: 'fatal', msg: 'more', worker: 'w2' })
})

t.test('two processes share a file by whole lines', async (t) => {
  const path = join(temporary(t), 'shared.log')
  const both = ['a', 'b'].map((worker) => open(t, { logFile: path }, { worker }))
  for (let nth = 0; nth < 500; nth++) for (const { log } of both) log.at('info', LINE)
  await Promise.all(both.map((logs) => logs.close()))
  t.equal(linesOf(path).length, 1000)
  for (const line of linesOf(path)) if (!/ x{200} worker=[ab]$/.test(line)) t.fail(line)
})

t.test(
  'reopen() goes on in a new file after a rename; nothing is lost or written twice',
  async (t) => {
    const folder = temporary(t)
    const path = join(folder, 'error.log')
    const logs = open(t, { logFile: path })
    for (let nth = 0; nth < 300; nth++) {
      logs.log.at('warn', `n=${nth}`)
      if (nth % 100 !== 50) continue
      renameSync(path, `${path}.${nth}`)
      t.strictSame(logs.reopen(), { reopened: [path], kept: [] })
      await new Promise(setImmediate)
    }
    await logs.close()
    const numbers = [50, 150, 250]
      .flatMap((nth) => linesOf(`${path}.${nth}`))
      .concat(linesOf(path))
      .flatMap((line) => /n=(\d+)$/.exec(line)?.[1] ?? [])
    t.strictSame(
      numbers,
      Array.from({ length: 300 }, (_, nth) => `${nth}`),
    )
    t.match(linesOf(path).join('\n'), `logs reopened files=${path}`)
  },
)

t.test('what cannot be reopened keeps its old file, and that is said once', async (t) => {
  const folder = join(temporary(t), 'logs')
  mkdirSync(folder)
  const path = join(folder, 'error.log')
  const logs = open(t, { logFile: path })
  renameSync(folder, `${folder}.old`)
  const first = logs.reopen()
  t.strictSame(first.reopened, [])
  t.match(first.kept, [{ path, reason: /no such directory \(ENOENT\)/ }])
  t.equal(logs.reopen().kept.length, 1)
  logs.log.at('info', 'still here')
  const oldPath = join(`${folder}.old`, 'error.log')
  await until(
    () => readFileSync(oldPath, 'utf8').endsWith('still here\n'),
    () => 'the line in the old file',
  )
  mkdirSync(folder)
  t.strictSame(logs.reopen().reopened, [path])
  await logs.close()
  const old = linesOf(oldPath)
  t.equal(old.filter((line) => line.includes('log not reopened')).length, 1)
  t.match(linesOf(path), [/logs reopened/])
})

t.test('a log that cannot be opened is one clear error, and nothing stays open', (t) => {
  const folder = temporary(t)
  const fails = (options: GaidarosOptions, message: RegExp) =>
    t.throws(() => open(t, options), { code: 'ERR_GAIDAROS_LOG', message })
  fails(
    { logFile: join(folder, 'no', 'x.log') },
    /^log_file: .*x\.log cannot be opened: no such directory \(ENOENT\); wanted/,
  )
  fails({ accessLog: folder }, /^access_log: .* cannot be opened: it is a directory \(EISDIR\)/)
  const looping = join(folder, 'loop')
  symlinkSync(looping, looping)
  fails({ logFile: looping }, /too many links/)
  t.end()
})

t.test("as root no link of another user's is followed", { skip: !isRoot && 'needs root' }, (t) => {
  const folder = temporary(t)
  const secret = join(folder, 'secret')
  writeFileSync(secret, 'kept')
  const link = join(folder, 'error.log')
  symlinkSync(secret, link)
  lchownSync(link, 1000, 1000)
  t.throws(() => open(t, { logFile: link }), {
    code: 'ERR_GAIDAROS_LOG',
    message: /the link .*error\.log belongs to uid 1000, and root follows its own only/,
  })
  const inside = join(folder, 'inside')
  symlinkSync(folder, inside)
  lchownSync(inside, 1000, 1000)
  t.throws(() => open(t, { logFile: join(inside, 'x') }), { message: /inside belongs to uid 1000/ })
  t.equal(readFileSync(secret, 'utf8'), 'kept')
  lchownSync(link, 0, 0)
  t.strictSame(open(t, { logFile: link }).reopen().reopened, [link], "root's own is")
  t.end()
})

t.test('a FIFO that nobody reads costs no time; what is dropped is counted and said', async (t) => {
  const path = fifo(t)
  const logs = open(t, { accessLog: path, logFormat: 'json' }, { log: () => undefined })
  const { access } = logs
  if (access === undefined) throw new Error('no access log')
  const head = access.head({ id: '1.0', peer: LINE, local: '-' })
  const before = performance.now()
  const entry = { bytesIn: 1, bytesOut: 1, us: 1, status: 'ok' } as const
  const count = flood((request) => access.request(head, { ...entry, request }))
  access.flush()
  t.ok(performance.now() - before < 5000, 'the loop was not held up')
  const dropped = logs.dropped()
  t.ok(dropped > 0 && dropped < count, `${dropped} of ${count} lines dropped`)
  const got: string[] = []
  const child = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    got.push(...lines)
  })
  t.teardown(() => child.kill())
  await until(
    () => got.at(-1)?.includes('access log lines dropped') === true,
    () => `the line about it; got ${got.length} lines, the last is ${got.at(-1)}`,
  )
  t.match(JSON.parse(got.at(-1) ?? ''), { dropped, level: 'warn' })
  const requests = got.slice(0, -1).map((line) => JSON.parse(line).request)
  t.strictSame(
    requests,
    Array.from({ length: count - dropped }, (_, nth) => nth),
    'the first ones came, whole and in order',
  )
  access.request(head, { ...entry, request: -1 })
  await until(
    () => got.at(-1)?.includes('"request":-1') === true,
    () => 'further lines',
  )
})

t.test('a reader that leaves and another that comes', async (t) => {
  const path = fifo(t)
  const logs = open(t, { logFile: path })
  const first = spawn('head', ['-n', '1', path], { stdio: ['ignore', 'pipe', 'inherit'] })
  logs.log.at('info', 'one')
  const [text] = await once(first.stdout.setEncoding('utf8'), 'data')
  t.match(text, /one\n$/)
  await once(first, 'close')
  logs.log.at('info', 'two')
  logs.log.at('info', 'three')
  const second = spawnSync('head', ['-n', '2', path], { encoding: 'utf8', timeout: 60_000 })
  t.match(second.stdout, /two\n.*three\n$/)
})

t.test(
  'a full disk: lines are kept, then dropped, the error log says why, closing is bounded',
  async (t) => {
    const lines: string[] = []
    const logs = open(t, { accessLog: '/dev/full' }, { log: (line) => lines.push(line) })
    const { access } = logs
    if (access === undefined) throw new Error('no access log')
    const head = access.head({ id: '1.0', peer: LINE, local: '-' })
    flood((request) =>
      access.request(head, { request, bytesIn: 1, bytesOut: 1, us: 1, status: 'ok' }),
    )
    access.flush()
    t.ok(logs.dropped() > 0)
    t.match(lines, [/error the access log takes no lines file=\/dev\/full code=ENOSPC$/])
    const before = performance.now()
    await logs.close()
    t.ok(performance.now() - before < 5000)
  },
)

/** A program that writes to its error log and ends, with a standard error that is `stderr`. */
async function program(t: Test, stderr: number, code: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', stderr],
  }) as ChildProcessByStdio<null, Readable, null>
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  const [status] = await once(child, 'close', { signal: AbortSignal.timeout(60_000) })
  return { status, stdout }
}

const OPEN = `
  import { openLogs } from './dist/log/logs.js'
  import { resolve } from './dist/options/index.js'
  const logs = openLogs(resolve({ options: {} }).settings)`

t.test('standard error that nobody reads holds up neither the process nor its end', async (t) => {
  const path = fifo(t)
  const fd = openSync(path, constants.O_RDWR)
  t.teardown(() => closeSync(fd))
  const { status, stdout } = await program(
    t,
    fd,
    `${OPEN}
    for (let n = 0; n < 20_000; n++) logs.log.at('error', '${LINE}')
    console.log(logs.dropped() > 0)
    process.exit(3)`,
  )
  t.equal(status, 3)
  t.equal(stdout, 'true\n')
})

t.test('the last lines before process.exit() and after an exception are written', async (t) => {
  for (const [end, code] of [
    ['process.exit(4)', 4],
    ["throw new Error('x')", 1],
  ] as const) {
    const path = join(temporary(t), 'stderr')
    const fd = openSync(path, 'a')
    const { status } = await program(
      t,
      fd,
      `${OPEN}\nfor (let n = 0; n < 500; n++) logs.log.at('error', 'n=' + n)\n${end}`,
    )
    closeSync(fd)
    t.equal(status, code)
    const numbers = linesOf(path).flatMap((line) => / n=(\d+)$/.exec(line)?.[1] ?? [])
    t.strictSame([...new Set(numbers)].length, 500, end)
    t.equal(numbers.length, 500, 'and none twice')
  }
})

t.test('so are lines of the access log that were gathered, and what was withheld', async (t) => {
  const folder = temporary(t)
  const options = `{ logFile: '${folder}/error.log', accessLog: '${folder}/access.log' }`
  const { status } = await program(
    t,
    2,
    `${OPEN.replace('options: {}', `options: ${options}`)}
    const head = logs.access.head({ id: '1.0', peer: 'p', local: 'l' })
    const entry = { bytesIn: 1, bytesOut: 1, us: 1, status: 'ok' }
    for (let request = 0; request < 12; request++) logs.access.request(head, { ...entry, request })
    // So many that some are withheld in the last second, whenever that began.
    for (let event = 0; event < 5000; event++) logs.log.limited('kind', 'error', 'an event', {})
    process.exit(5)`,
  )
  t.equal(status, 5)
  t.match(linesOf(join(folder, 'access.log')).at(-1), / request=11 /)
  t.equal(linesOf(join(folder, 'access.log')).length, 12)
  t.match(linesOf(join(folder, 'error.log')).at(-1), /an event kind=kind withheld=[1-9]\d*$/)
})

t.test('the level may change while it is open', (t) => {
  const lines: string[] = []
  const logs = open(t, { logLevel: 'error' }, { log: (line) => lines.push(line) })
  logs.log.at('info', 'one')
  logs.setLevel({ logLevel: 'info', verbose: false })
  logs.log.at('info', 'two')
  logs.setLevel({ logLevel: 'silent', verbose: true })
  logs.log.at('debug', 'three')
  t.match(lines, [/two$/, /three$/])
  t.equal(lines.length, 2)
  t.end()
})

t.test('/dev/stderr and links to it mean the descriptor', async (t) => {
  const folder = temporary(t)
  const link = join(folder, 'error.log')
  symlinkSync('/dev/stderr', link)
  const path = join(folder, 'stderr')
  const fd = openSync(path, 'w')
  await program(
    t,
    fd,
    `${OPEN.replace('options: {}', `options: { logFile: '${link}' }`)}
    process.stderr.write('before\\n')
    logs.log.at('error', 'logged')
    await logs.close()
    process.stderr.write('after\\n')`,
  )
  closeSync(fd)
  t.match(linesOf(path), ['before', /error logged$/, 'after'], 'one offset for all')
  rmSync(link)
})

t.test("a user's own logger wins over log_file", async (t) => {
  const path = join(temporary(t), 'never.log')
  const lines: string[] = []
  const logs = open(t, { logFile: path }, { log: (line) => lines.push(line) })
  logs.log.at('warn', 'mine')
  t.match(lines, [/warn {2}mine$/])
  t.notOk(existsSync(path))
})
