// The parts of the command that need no process of their own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { banner } from '../../lib/cli/banner.js'
import { exitStatus, failureLines } from '../../lib/cli/failure.js'
import { reaches } from '../../lib/cli/machine.js'
import { bytes, count, duration, ratio } from '../../lib/cli/numbers.js'
import { portHolder } from '../../lib/cli/port-holder.js'
import { summary, trafficLine } from '../../lib/cli/statistics.js'
import { emptyStats } from '../../lib/engine/counters.js'
import { endpoint } from '../../lib/engine/endpoint.js'
import type { Address } from '../../lib/engine/engine.js'
import { GaidarosError } from '../../lib/errors.js'
import { OptionsError } from '../../lib/options/index.js'

t.setTimeout(300_000)

t.test('numbers as a person reads them', async (t) => {
  t.equal(bytes(0), '0 B')
  t.equal(bytes(1023), '1023 B')
  t.equal(bytes(1536), '1.50 KiB')
  t.equal(bytes(5 * 1024 ** 3), '5.00 GiB')
  t.equal(bytes(1023 * 1024), '1023 KiB')
  t.equal(count(999), '999')
  t.equal(count(1234567), '1 234 567')
  t.equal(duration(0.25), '0.3 s')
  t.equal(duration(10), '10 s')
  t.equal(duration(3725), '1 h 2 min 5 s')
  t.equal(duration(7200), '2 h')
  t.equal(ratio(5, 2), '2.5')
  t.equal(ratio(0, 0), '0')
})

t.test('versions are compared as numbers', async (t) => {
  t.ok(reaches('6.18.4-cloud', '6.0'))
  t.ok(reaches('20.19.0', '20.19'))
  t.ok(reaches('6', '6.0'))
  t.notOk(reaches('5.15.0', '6.0'))
  t.notOk(reaches('20.9.0', '20.19'))
})

t.test('a line of statistics tells what happened, or nothing', async (t) => {
  const then = emptyStats()
  t.equal(trafficLine(then, emptyStats(), 5), undefined)
  const now = {
    ...emptyStats(),
    accepted: 3,
    active: 1,
    requests: 50,
    batches: 20,
    bytes_in: 10240,
  }
  const closed = { ...now.closed, end: 2, frame_size: 1 }
  t.equal(
    trafficLine(then, { ...now, closed }, 5),
    '1 open (+3), 10 requests/s, 2.5 a batch, in 2.00 KiB/s, out 0 B/s; closed: 2 end, 1 frame_size',
  )
  t.equal(trafficLine(now, { ...now, active: 1 }, 5), undefined, 'nothing new')
})

t.test('the summary has rates, bytes, batches and reasons', async (t) => {
  const stats = emptyStats()
  const all = {
    ...stats,
    accepted: 2,
    requests: 100,
    replies: 100,
    batches: 25,
    bytes_in: 2048,
    dropped_frames: 1,
    accept_paused_limit: 4,
    syscalls: { recv: 50, send: 50 },
    closed: { ...stats.closed, idle_timeout: 2 },
  }
  t.strictSame(summary(all, 10), [
    'served 10 s: 2 connections, 100 requests (10/s), 100 replies',
    'bytes: 2.00 KiB in, 0 B out',
    'batches: 25, 4 requests each',
    'syscalls: 1 a request (50 recv, 50 send)',
    'closed: 2 idle_timeout',
    'unfinished requests dropped at half-close: 1',
    'accepting paused: 4 for max_connections, 0 for want of descriptors or memory',
  ])
  t.match(summary(stats, 0).at(-1), 'closed: none')
})

t.test('the banner names addresses that can be connected to', async (t) => {
  const v6: Address = { address: '::', family: 'IPv6', port: 7000 }
  t.equal(endpoint(v6), '[::]:7000')
  const engine = { name: 'portable', description: 'node:net' }
  const kind = { engine, addresses: [v6], datagrams: false, messages: false, secure: false }
  const lines = banner({ ...kind, takesLines: true })
  t.match(lines[0], /^Gaidaros \d+\.\d+\.\d+, portable engine: node:net$/)
  t.strictSame(lines.slice(1), [
    'listening on [::]:7000',
    "try it: printf 'hello\\n' | nc -w 1 ::1 7000",
  ])
  t.match(banner({ ...kind, takesLines: false }).at(-1), /^try it: nc -w 1 ::1 7000$/)
  t.equal(
    banner({ ...kind, takesLines: true, secure: true }).at(-1),
    "try it: printf 'hello\\n' | openssl s_client -quiet -connect [::1]:7000",
  )
  t.equal(
    banner({ ...kind, takesLines: true, compress: 'zlib' }).at(-1),
    "try it: printf 'hello\\n' | pigz -cz | nc -N ::1 7000 | pigz -dc",
  )
  t.match(
    banner({ ...kind, takesLines: true, secure: true, compress: 'gzip' }).at(-1),
    /^try it: openssl s_client -quiet -connect \[::1\]:7000$/,
  )
  const http = { ...kind, takesLines: false, http: true }
  t.equal(banner(http).at(-1), 'try it: curl http://[::1]:7000/')
  t.equal(banner({ ...http, secure: true }).at(-1), 'try it: curl -k https://[::1]:7000/')
  const any: Address = { address: '0.0.0.0', family: 'IPv4', port: 80 }
  t.equal(banner({ ...http, addresses: [any] }).at(-1), 'try it: curl http://127.0.0.1:80/')
  t.equal(
    banner({ ...http, addresses: [{ address: '/run/s', family: 'unix', port: 0 }] }).at(-1),
    'try it: curl http://localhost/ --unix-socket /run/s',
  )
  const local: Address = { address: '@a', family: 'unix', port: 0 }
  t.equal(
    banner({ ...http, addresses: [local] }).at(-1),
    'try it: curl http://localhost/ --abstract-unix-socket a',
  )
  t.equal(
    banner({ ...kind, addresses: [local], takesLines: false, messages: true }).at(-1),
    "try it: printf 'hello\\n' | socat - ABSTRACT-CONNECT:a,type=5",
  )
})

const skip = process.platform === 'linux' ? false : 'only Linux has /proc/net/tcp'
t.test('the holder of a port is found in /proc', { skip }, async (t) => {
  for (const host of ['127.0.0.1', '::1', '0.0.0.0']) {
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as Address
    t.match(portHolder(host === '0.0.0.0' ? '127.0.0.1' : host, port), { pid: process.pid }, host)
    server.close()
    await once(server, 'close')
    t.equal(portHolder(host, port), undefined, `${host}: nobody any more`)
  }
})

t.test('of two listeners on a port the one on the address is named', { skip }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as Address
  const other = spawn(
    process.execPath,
    ['-e', `net.createServer().listen(${port}, '127.0.0.2', () => console.log('ready'))`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => {
    other.kill()
    server.close()
  })
  await once(other.stdout, 'data')
  t.equal(portHolder('127.0.0.1', port)?.pid, process.pid)
  t.equal(portHolder('127.0.0.2', port)?.pid, other.pid)
})

t.test('errors of the options are 2, of the machine 1', async (t) => {
  const problem = { code: 'ERR_GAIDAROS_OPTION', origin: 'command line', message: 'no' } as const
  const options = new OptionsError([problem, problem])
  t.equal(exitStatus(options), 2)
  t.equal(failureLines(options, false).length, 2, 'a line for each problem')
  const machine = new GaidarosError('ERR_GAIDAROS_LISTEN', 'bind failed', { errnoCode: 'EACCES' })
  t.equal(exitStatus(machine), 1)
  t.equal(exitStatus(machine, 'start'), 4, 'not permitted')
  t.equal(exitStatus(new Error('no'), 'start'), 1)
  for (const error of [options, machine, new Error('no')])
    t.equal(exitStatus(error, 'status'), 4, 'status: unknown')
  t.strictSame(failureLines(machine, false), ['gaidaros: bind failed'], 'no stack')
  t.match(failureLines(machine, true).join('\n'), /units\.test/, 'verbose: where it happened')
})

t.test('a port that nobody is seen to hold is in use by another process', async (t) => {
  const failure = { errnoCode: 'EADDRINUSE', address: '127.0.0.1', port: 1 }
  const error = new GaidarosError('ERR_GAIDAROS_LISTEN', 'bind failed', failure)
  t.match(failureLines(error, false), [/port 1 on 127\.0\.0\.1 is in use by another process/])
})
