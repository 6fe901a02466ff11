// The metrics as Prometheus reads them: checked by a parser that takes nothing but format 0.0.4.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { exposition } from '../../lib/control/exposition.js'
import { type Identity, snapshotOf } from '../../lib/control/snapshot.js'
import { parsePlace } from '../../lib/options/place.js'
import { noStats } from '../../lib/server/stats.js'
import { Client, Command, run, temporary } from '../cli/command.js'

t.setTimeout(120_000)
const LOCAL = ['-h', '127.0.0.1', '-p', '0', '--allow-root']

interface Family {
  type: string
  samples: { name: string; labels: Record<string, string>; value: number }[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)/y

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (LABEL.lastIndex = 0; LABEL.lastIndex < text.length; ) {
    const match = LABEL.exec(text)
    if (match === null) throw new Error(`labels: ${text}`)
    if ((match[1] as string) in labels) throw new Error(`label twice: ${text}`)
    labels[match[1] as string] = match[2] as string
  }
  return labels
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/; throws at whatever is not allowed or not usual. */
function parse(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let name = ''
  let helped = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const help = new RegExp(`^# HELP (${NAME}) \\S.*$`).exec(line)
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line)
    const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line)
    if (help) helped = help[1] as string
    else if (type) {
      name = type[1] as string
      if (name !== helped || families.has(name)) throw new Error(`out of place: ${line}`)
      families.set(name, { type: type[2] as string, samples: [] })
    } else if (sample) {
      const family = families.get(name)
      const suffix = (sample[1] as string).slice(name.length)
      const allowed = family?.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!family || !sample[1]?.startsWith(name) || !allowed.includes(suffix))
        throw new Error(`of no family: ${line}`)
      const key = `${sample[1]}{${sample[2] ?? ''}}`
      if (seen.has(key)) throw new Error(`twice: ${line}`)
      seen.add(key)
      const value = Number(sample[3])
      if (!Number.isFinite(value)) throw new Error(`no number: ${line}`)
      family.samples.push({ name: sample[1], labels: labelsOf(sample[2] ?? ''), value })
    } else throw new Error(`no line of the format: ${line}`)
  }
  for (const [each, family] of families) check(each, family)
  return families
}

function check(name: string, { type, samples }: Family): void {
  if (!name.startsWith('gaidaros_')) throw new Error(`${name}: not ours`)
  if (samples.length === 0) throw new Error(`${name}: empty`)
  if ((type === 'counter') !== name.endsWith('_total'))
    throw new Error(`${name}: _total is for counters`)
  if (type === 'counter' && samples.some(({ value }) => value < 0))
    throw new Error(`${name}: below 0`)
  if (type !== 'histogram') return
  const buckets = samples.filter((each) => each.name.endsWith('_bucket'))
  const bounds = buckets.map(({ labels }) => Number(labels['le']?.replace('+Inf', 'Infinity')))
  if (bounds.some((bound, i) => !(bound > (bounds[i - 1] ?? 0)))) throw new Error(`${name}: le`)
  if (buckets.some(({ value }, i) => value < (buckets[i - 1]?.value ?? 0)))
    throw new Error(`${name}: buckets are cumulative`)
  const count = samples.find((each) => each.name.endsWith('_count'))?.value
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY || buckets.at(-1)?.value !== count)
    throw new Error(`${name}: the last bucket is the count`)
}

t.test('the checker finds faults', async (t) => {
  const good = '# HELP gaidaros_a_total x\n# TYPE gaidaros_a_total counter\n'
  t.equal(parse(`${good}gaidaros_a_total{a="b\\"c",d=""} 1\n`).size, 1)
  for (const bad of [
    good,
    `${good}gaidaros_a_total 1`,
    `${good}gaidaros_a_total NaN\n`,
    `${good}gaidaros_a_total 1\ngaidaros_a_total 2\n`,
    `${good}gaidaros_b_total 1\n`,
    `${good}gaidaros_a_total{a=b} 1\n`,
    `${good}gaidaros_a_total{a="b"c"} 1\n`,
    'gaidaros_a_total 1\n',
    good.replaceAll('_total', '').concat('gaidaros_a 1\n'),
  ])
    t.throws(() => parse(bad), bad)
})

const value = (families: Map<string, Family>, name: string, labels = {}): number | undefined =>
  families
    .get(name)
    ?.samples.find((each) =>
      Object.entries(labels).every(([key, text]) => each.labels[key] === text),
    )?.value

async function start(t: Test, ...args: string[]): Promise<{ port: number; url: string }> {
  const command = new Command([...LOCAL, '--metrics', '0', ...args])
  t.teardown(() => command.stop())
  const [, url = ''] = await command.until(/metrics url=(\S+)/)
  const port = await command.port()
  await command.until(/try it/)
  return { port, url }
}

for (const args of [[], ['-S', 'procpool', '-N', '2'], ['--engine', 'portable']])
  t.test(`what is scraped adds up: ${args.join(' ') || 'one process'}`, async (t) => {
    const { port, url } = await start(t, ...args)
    t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/, 'loopback where no host is given')
    const client = await Client.connect(port)
    client.socket.write('a\nb\nc\n')
    await client.lines(3)
    const response = await fetch(url)
    t.equal(response.status, 200)
    t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    const families = parse(await response.text())
    t.equal(value(families, 'gaidaros_requests_total'), 3)
    t.equal(value(families, 'gaidaros_received_bytes_total'), 6)
    t.equal(value(families, 'gaidaros_connections'), 1)
    t.equal(value(families, 'gaidaros_connections_closed_total', { reason: 'end' }), 0)
    const times = families.get('gaidaros_request_duration_seconds')
    t.equal(times?.samples.find((each) => each.name.endsWith('_count'))?.value, 3)
    const up = families.get('gaidaros_process_up')?.samples ?? []
    t.equal(up.length, args.includes('procpool') ? 2 : 1)
    t.ok(up.every((each) => each.value === 1 && each.labels['pid'] && each.labels['process']))
    const began = value(families, 'gaidaros_start_time_seconds') ?? 0
    t.ok(Math.abs(began - Date.now() / 1000) < 120)
    client.socket.destroy()

    const head = await fetch(url, { method: 'HEAD' })
    t.equal(head.status, 200)
    t.equal(await head.text(), '')
    t.ok(Number(head.headers.get('content-length')) > 1000)
    t.equal((await fetch(url.replace('metrics', 'other'))).status, 404)
    t.equal((await fetch(url.replace('metrics', ''))).status, 200)
    const post = await fetch(url, { method: 'POST', body: 'x' })
    t.equal(post.status, 405)
    t.equal(post.headers.get('allow'), 'GET, HEAD')
  })

t.test('a port in use, or a word that is no address, is said before anything serves', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const path = join(temporary(t), 'control')
  const used = await run([...LOCAL, '--metrics', String(port), '--control-socket', path])
  t.equal(used.code, 1)
  t.match(used.stderr, new RegExp(`metrics: ${port} is in use by another process`))
  t.notMatch(used.stdout, /listening/)
  for (const word of ['http://x', '70000', ':x', '1.2.3.4:', '[::1:80'])
    t.match(await run([...LOCAL, '--metrics', word]), { code: 2, stderr: /metrics.*wanted PORT/ })
})

t.test('addresses', async (t) => {
  t.same(parsePlace('9100'), { host: '127.0.0.1', port: 9100 })
  t.same(parsePlace(':9100'), { host: '127.0.0.1', port: 9100 })
  t.same(parsePlace('0.0.0.0:1'), { host: '0.0.0.0', port: 1 })
  t.same(parsePlace('[::1]:9100'), { host: '::1', port: 9100 })
  t.same(parsePlace('example.org:9100'), { host: 'example.org', port: 9100 })
  for (const bad of ['', 'a', '::1:80', '[::1]', '99999', 'a b:1'])
    t.equal(parsePlace(bad), undefined)
})

t.test('labels are escaped; a silent process is down', async (t) => {
  const identity: Identity = {
    pid: 1,
    version: '0',
    state: 'serving',
    started: 1e9,
    uptime: 1,
    server_type: '',
    engine: 'a "quoted" \\ \n engine',
    addresses: [],
  }
  const process = { slot: 0, pid: 7, generation: 1, state: 'ready', busy: 0, restarts: 0 } as const
  const last = { ...noStats(), requests: 5 }
  const inspection = { processes: [{ ...process, error: 'no', last }], departed: noStats() }
  const families = parse(exposition(snapshotOf(identity, inspection, 0)))
  t.equal(value(families, 'gaidaros_process_up', { pid: '7' }), 0)
  t.equal(value(families, 'gaidaros_requests_total'), 5)
  t.equal(value(families, 'gaidaros_silent_processes'), 1)
})
