// gaidaros top: its pictures from snapshots, and the command on a terminal and on none.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { columns, pairs } from '../../lib/cli/columns.js'
import { percent, time } from '../../lib/cli/numbers.js'
import { picture } from '../../lib/cli/top/picture.js'
import { ratesOf } from '../../lib/cli/top/rates.js'
import { bar, COLOURS, clip, PLAIN, sparkline } from '../../lib/cli/top/style.js'
import type { Snapshot } from '../../lib/control/snapshot.js'
import { snapshotOf } from '../../lib/control/snapshot.js'
import {
  between,
  Durations,
  noDurations,
  percentile,
  together,
} from '../../lib/engine/distribution.js'
import { noStats } from '../../lib/server/stats.js'
import { Client, Command, plainEnv, root, run, temporary } from '../cli/command.js'
import { until } from '../conformance/deadline.js'

t.setTimeout(120_000)

t.test('distributions: every duration lies in its bucket, and percentiles are near', async (t) => {
  const all = new Durations()
  const wrong: string[] = []
  const values = Array.from({ length: 2000 }, (_, i) => 0.0001 * 1.01 ** i)
  for (const ms of values) {
    const one = new Durations()
    one.add(ms)
    const [bound] = Object.keys(one.distribution.buckets).map(Number)
    const us = ms * 1000
    if (!(us < (bound ?? 0) && us >= (bound ?? 0) * 0.88 - 0.126)) wrong.push(`${us} < ${bound}`)
    all.add(ms)
  }
  t.same(wrong, [])
  const { count, buckets } = all.distribution
  t.equal(count, values.length)
  t.equal(
    Object.values(buckets).reduce((a, b) => a + b, 0),
    count,
  )
  const exact = (values[1000] ?? 0) * 1000
  const p50 = percentile(all.distribution, 0.5)
  t.ok(p50 > exact * 0.87 && p50 < exact * 1.14, `${p50} of ${exact}`)
  t.equal(percentile(noDurations(), 0.5), 0)
})

t.test(
  'distributions add up, and what came between two readings is their difference',
  async (t) => {
    const one = new Durations()
    one.add(1, 3)
    const then = one.distribution
    one.add(10)
    one.add(0.01, 2)
    const since = between(then, one.distribution)
    t.equal(since.count, 3)
    t.equal(percentile(since, 1), since.max_us)
    t.equal(since.max_us, 10_000, 'the longest is of this time, and known')
    one.add(2)
    const later = between(one.distribution, one.distribution)
    t.same(later, { count: 0, sum_us: 0, max_us: 0, buckets: {} })
    const both = together([then, since])
    t.equal(both.count, 6)
    t.same(between(one.distribution, then), then, 'a server that began anew')
  },
)

const server = {
  pid: 1,
  version: '0.1.0',
  state: 'serving',
  engine: 'native, x',
  started: 1e9,
} as const
const process0 = { slot: 0, pid: 2, generation: 1, state: 'ready', busy: 0.5, restarts: 0 } as const

function at(seconds: number, requests: number): Snapshot {
  const latency = new Durations()
  latency.add(0.5, requests)
  const stats = {
    ...noStats(),
    requests,
    records: requests,
    batches: requests / 4,
    syscalls: { recv: requests / 2 },
    latency: latency.distribution,
    closed: { ...noStats().closed, reset: requests / 10 },
  }
  const levels = { connections: 3, in_flight: 1, queued_bytes: 2048, paused: 0 }
  const busy_seconds = seconds / 4
  const insight = { stats, levels, waiting: 0, uptime: seconds, rss_bytes: 2 ** 26 }
  const answer = { ...insight, handlers: [], busy_seconds }
  const identity = { ...server, uptime: seconds, server_type: 'procpool', addresses: ['[::1]:1'] }
  const inspection = { processes: [{ ...process0, answer }], departed: noStats() }
  return { ...snapshotOf(identity, inspection, 0), time: 1e9 + seconds }
}

t.test('rates are those between two snapshots', async (t) => {
  const rates = ratesOf(at(10, 1000), at(12, 3000))
  t.match(rates, { requests: 1000, batch: 4, syscalls: 0.5, closed: [['reset', 100]] })
  t.equal(rates.latency.count, 2000)
  t.ok(Number.isNaN(ratesOf(at(10, 100), at(11, 100)).batch))
})

t.test('a picture shows them, fits its terminal, and says when nobody answers', async (t) => {
  const view = { before: at(10, 1000), now: at(12, 3000), history: [1, 500, 1000] }
  const size = { columns: 100, rows: 50 }
  const lines = picture({ ...view, ...size, style: PLAIN })
  const text = lines.join('\n')
  t.match(text, /requests\/s {6,}1 000 .*connections/)
  t.match(text, /batch +4 /)
  t.match(text, /p99 +500 µs/)
  t.match(text, /closed\/s +100 reset/)
  t.match(text, /0 {4}2 {2}ready +1 000 {2}█{20} {2}25 %/)
  const small = picture({ ...view, columns: 30, rows: 8, style: PLAIN, trouble: 'no answer' })
  t.equal(small.length, 8)
  t.ok(small.every((line) => [...line].length <= 30))
  t.ok(small.includes('no answer'))
  const coloured = picture({ ...view, ...size, style: COLOURS })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  t.equal(coloured.join('\n').replaceAll(/\u001b\[\d+m/g, ''), text, 'colours change no text')
})

t.test('its parts', async (t) => {
  t.equal(bar(0.5, 4), '██  ')
  t.equal(bar(2, 3), '███')
  t.equal(bar(-1, 3), '   ')
  t.equal(sparkline([0, 1, 4, 8]), ' ▁▄█')
  t.equal(clip('\u001b[1mabc\u001b[0mdef', 2), '\u001b[1mab\u001b[0m')
  t.equal(clip('\u001b[1mabc\u001b[0mdef', 5), '\u001b[1mabc\u001b[0mde')
  t.same([0, 0.5, 12.34, 1234, 2e6].map(time), ['0', '0.5 µs', '12.3 µs', '1.23 ms', '2 s'])
  t.equal(percent(0.123), '12 %')
  const right = 'right' as const
  t.same(columns([{ title: 'a' }, { title: 'n', align: right }], [['µµ', '10']]), [
    'a    n',
    'µµ  10',
  ])
  t.same(
    pairs([
      ['a', '1'],
      ['bcd', ''],
    ]),
    ['a    1', 'bcd'],
  )
})

const LOCAL = ['-h', '127.0.0.1', '-p', '0', '--allow-root']

t.test('without a terminal it prints one picture; without a server a line', async (t) => {
  const path = join(temporary(t), 'control')
  const command = new Command([...LOCAL, '--control-socket', path])
  t.teardown(() => command.stop())
  const client = await Client.connect(await command.port())
  const args = ['top', '--control-socket', path, '--interval', '100ms']
  client.socket.write('a\n')
  await client.lines(1)
  const { code, stdout, stderr } = await run(args)
  t.equal(code, 0, stderr)
  t.match(stdout, /^Gaidaros .*one process.*\npid \d+, up .* at 127\.0\.0\.1:/)
  t.match(stdout, /connections +1 /)
  t.notMatch(stdout, '\u001b')
  client.socket.destroy()
  command.child.kill('SIGTERM')
  await command.ended
  t.match(await run(args), { code: 1, stderr: /^gaidaros: no server: .*\n$/ })
  t.match(await run(['top', 'now']), { code: 2, stderr: /"now"/ })
  t.equal((await run(['top'])).code, 6)
})

const hasScript = spawnSync('script', ['--version']).status === 0
const ENTER = '\u001b[?1049h'
const LEAVE = '\u001b[?1049l'

for (const end of ['q', 'SIGTERM', 'SIGINT'] as const)
  t.test(`on a terminal the screen is given back: ${end}`, { skip: !hasScript }, async (t) => {
    const path = join(temporary(t), 'control')
    const args = [...LOCAL, '--control-socket', path]
    let command = new Command(args)
    t.teardown(() => command.stop())
    await command.until(/try it/)
    const line = `'${process.execPath}' '${join(root, 'bin/gaidaros.js')}' top --control-socket '${path}' --interval 100ms`
    const terminal = spawn('script', ['-qec', `echo PID $$; exec ${line}`, '/dev/null'], {
      env: { ...plainEnv(), TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => terminal.kill('SIGKILL'))
    let seen = ''
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen += text
    })
    await until(() => seen.includes(ENTER) && seen.includes('requests/s'), 'a picture')
    if (end === 'q') {
      command.child.kill('SIGKILL')
      await until(
        () => seen.includes('no answer, trying'),
        () => `that: ${seen.slice(-500)}`,
      )
      await command.ended
      command = new Command(args)
      await command.until(/try it/)
      const from = seen.length
      await until(() => seen.slice(from).includes(`${command.child.pid}`), 'the next server')
      terminal.stdin.write('q')
    } else process.kill(Number(/PID (\d+)/.exec(seen)?.[1]), end)
    await until(() => terminal.exitCode !== null, 'its end')
    t.equal(terminal.exitCode, 0)
    t.ok(seen.lastIndexOf(LEAVE) > seen.lastIndexOf(ENTER))
    t.match(seen.slice(seen.lastIndexOf(LEAVE) - 10), '\u001b[?25h', 'the cursor too')
  })
