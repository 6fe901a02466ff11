// What strace sees of the engine: how sockets are registered, which calls touch accepted ones, which
// options are set. And how many system calls a request costs: by the server's own counters, and by what strace
// counts, which includes the calls that the counters do not know of.

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { plainEnv, root, temporary } from './cli/command.js'
import { lacking } from './compiler.js'
import { unavailable } from './conformance/available.js'
import { until, within } from './conformance/deadline.js'
import { Served } from './conformance/served.js'
import { VARIANTS } from './conformance/variant.js'

const CALLS =
  'epoll_ctl,epoll_wait,epoll_pwait,epoll_pwait2,setsockopt,io_uring_enter,' +
  'recvfrom,recvmsg,recvmmsg,read,readv,accept4,sendto,sendmsg,write,close'
t.setTimeout(300_000)

const hasStrace = spawnSync('strace', ['-V']).status === 0

async function ask(socket: Socket, text: string): Promise<string> {
  let got = ''
  socket.setEncoding('latin1')
  const all = new Promise<void>((resolve) => {
    socket.on('data', (piece) => {
      got += String(piece)
      if (got.length >= text.length) resolve()
    })
  })
  socket.write(text)
  await all
  socket.removeAllListeners('data')
  return got
}

/** Ends what strace runs, too: strace alone would let go of it. */
function kill(strace: ChildProcess): void {
  if (strace.exitCode !== null || strace.signalCode !== null) return
  const children = `/proc/${strace.pid}/task/${strace.pid}/children`
  if (existsSync(children))
    for (const pid of readFileSync(children, 'utf8').trim().split(' ').filter(Boolean))
      process.kill(Number(pid), 'SIGKILL')
  strace.kill('SIGKILL')
}

/** Serves a few clients under strace. @returns the lines of its log */
async function trace(t: Test, options: readonly string[]): Promise<string[]> {
  const log = join(temporary(t), 'strace.log')
  const command = [process.execPath, join(root, 'bin/gaidaros.js'), '--no-config']
  const args = [...command, '-h', '127.0.0.1', '-p', '0', '--engine', 'native', ...options]
  const child: ChildProcess = spawn('strace', ['-f', '-e', `trace=${CALLS}`, '-o', log, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: plainEnv(),
  })
  const ended = once(child, 'close')
  t.teardown(() => kill(child))
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const listening = () => /listening on \S+:(\d+)/.exec(output)?.[1]
  await until(() => listening() !== undefined, 'the address')
  const sockets = Array.from({ length: 3 }, () => connect(Number(listening()), '127.0.0.1'))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (let round = 0; round < 3; round++)
    t.strictSame(
      await Promise.all(sockets.map((socket) => ask(socket, 'one\ntwo\n'))),
      sockets.map(() => 'one\ntwo\n'),
    )
  for (const socket of sockets) socket.end()
  await Promise.all(sockets.map((socket) => once(socket, 'close')))
  const pid = /^(\d+)/.exec(readFileSync(log, 'utf8'))?.[1]
  process.kill(Number(pid), 'SIGTERM')
  await ended
  return readFileSync(log, 'utf8').split('\n')
}

/** Descriptors that the server accepted, and the log from the first of them on. */
function accepted(lines: string[]): { fds: Set<string>; since: string[] } {
  const first = lines.findIndex((line) => /accept4[ (].*= \d+$/.test(line))
  const since = lines.slice(Math.max(first, 0))
  const fds = since.flatMap((line) => /accept4[ (].*= (\d+)$/.exec(line)?.[1] ?? [])
  return { fds: new Set(fds), since }
}

const registered = (lines: string[], fds: Set<string>): string[] =>
  lines.filter((line) => fds.has(/epoll_ctl\(\d+, EPOLL_CTL_ADD, (\d+),/.exec(line)?.[1] ?? ''))

/** Values that a socket option of the accepted sockets was set to, in order. */
const settings = (lines: string[], option: string): string[] =>
  lines.flatMap((line) => new RegExp(`${option}, \\[(\\d)\\]`).exec(line)?.[1] ?? [])

if (!hasStrace) lacking(t, 'strace is not installed')
else {
  void t.test('edge', async (t) => {
    const { fds, since } = accepted(await trace(t, ['-T', 'edge']))
    t.equal(fds.size, 3)
    const added = registered(since, fds)
    t.equal(added.length, 3)
    t.ok(
      added.every((line) => line.includes('EPOLLET')),
      'EPOLLET on accepted sockets',
    )
    t.strictSame(settings(since, 'TCP_NODELAY'), [], 'no TCP_NODELAY unasked')
  })

  void t.test('options of sockets', async (t) => {
    const lines = await trace(t, [
      ...['--socket-send-buffer', '64k', '--socket-receive-buffer', '32k'],
      ...['--socket-interface', 'lo', '--socket-dscp', '10', '--tcp-quick-ack'],
      ...['--tcp-keepalive-idle', '90s', '--tcp-keepalive-interval', '15s'],
      ...['--tcp-keepalive-count', '5', '--tcp-user-timeout', '2s', '--write-timeout', '40s'],
      ...['--tcp-fast-open', '7', '--tcp-defer-accept', '3s'],
    ])
    const set = lines.flatMap(
      (line) => /setsockopt\(\d+, (\S+), (.*)\) = 0$/.exec(line)?.slice(1).join(' ') ?? [],
    )
    for (const wanted of [
      /SOL_SOCKET SO_SNDBUF(?:FORCE)?, \[65536\]/,
      /SOL_SOCKET SO_RCVBUF(?:FORCE)?, \[32768\]/,
      /SOL_SOCKET SO_BINDTODEVICE, "lo/,
      /SOL_IP IP_TOS, \[40\]/,
      /SOL_SOCKET SO_KEEPALIVE, \[1\]/,
      /SOL_TCP TCP_KEEPIDLE, \[90\]/,
      /SOL_TCP TCP_KEEPINTVL, \[15\]/,
      /SOL_TCP TCP_KEEPCNT, \[5\]/,
      // No sooner than write_timeout, which a peer that takes nothing is to meet.
      /SOL_TCP TCP_USER_TIMEOUT, \[40000\]/,
      /SOL_TCP TCP_FASTOPEN, \[7\]/,
      /SOL_TCP TCP_DEFER_ACCEPT, \[3\]/,
    ])
      t.equal(set.filter((each) => wanted.test(each)).length, 1, String(wanted))
    const { fds } = accepted(lines)
    const quick = lines.filter((line) => /TCP_QUICKACK, \[1\]/.test(line))
    t.equal(quick.length, fds.size, 'TCP_QUICKACK on each connection')
  })

  void t.test('level', async (t) => {
    const { fds, since } = accepted(await trace(t, ['-T', 'level']))
    const added = registered(since, fds)
    t.equal(added.length, 3)
    t.notOk(
      added.some((line) => line.includes('EPOLLET')),
      'no EPOLLET',
    )
  })

  void t.test('edge without batched sends', async (t) => {
    const lines = await trace(t, ['-T', 'edge', '--no-send-batching'])
    t.notOk(
      lines.some((line) => line.includes('io_uring_enter')),
      'no io_uring_enter',
    )
    t.ok(lines.some((line) => line.includes('sendto(')))
  })

  void t.test('completion', async (t) => {
    const reason = await unavailable(VARIANTS.completion)
    if (reason !== undefined) return lacking(t, reason)
    // Accepted by the ring, so only the option that is set on each names the sockets.
    const lines = await trace(t, ['-T', 'completion', '-A'])
    const nodelay = /setsockopt\((\d+), SOL_TCP, TCP_NODELAY/
    const fds = new Set(lines.flatMap((line) => nodelay.exec(line)?.[1] ?? []))
    const since = lines.slice(lines.findIndex((line) => nodelay.test(line)))
    t.equal(fds.size, 3)
    t.strictSame(registered(since, fds), [], 'no EPOLL_CTL_ADD of an accepted socket')
    const reads = /(?:recvfrom|recvmm?sg|readv?)\((\d+),/
    t.strictSame(
      since.filter((line) => fds.has(reads.exec(line)?.[1] ?? '')),
      [],
      'no recv or read on one',
    )
    t.ok(since.some((line) => line.includes('io_uring_enter')))
  })

  for (const polling of ['edge', 'level'])
    void t.test(`-k on ${polling}`, async (t) => {
      const { since: lines } = accepted(await trace(t, ['-T', polling, '-k']))
      const corks = settings(lines, 'TCP_CORK')
      t.ok(corks.length >= 6)
      const byFd = new Map<string, string>()
      let turns = 0
      let asleep = 0
      for (const line of lines) {
        const [, fd = '', value = ''] =
          /setsockopt\((\d+), SOL_TCP, TCP_CORK, \[(\d)\]/.exec(line) ?? []
        if (fd !== '') {
          t.not(byFd.get(fd), value, 'set and released in turn')
          byFd.set(fd, value)
        } else if (/epoll_p?wait/.test(line)) {
          turns++
          if ([...byFd.values()].includes('1')) asleep++
        }
      }
      t.ok(turns >= 3, `${turns} turns are seen`)
      t.equal(asleep, 0, 'released before the loop sleeps')
      t.notOk([...byFd.values()].includes('1'), 'released')
    })

  for (const letter of ['-A', '-K'])
    for (const polling of ['edge', 'level', 'completion'])
      void t.test(`${letter} on ${polling}`, async (t) => {
        const reason = await unavailable(VARIANTS[polling as 'edge'])
        if (reason !== undefined) return lacking(t, reason)
        const set = settings(await trace(t, ['-T', polling, letter]), 'TCP_NODELAY')
        t.strictSame(set, ['1', '1', '1'], 'TCP_NODELAY on each accepted socket')
      })
}

const loadgen = join(root, 'bench/build/loadgen')
const MOST = { edge: 1.2, level: 1.2, completion: 0.2 } as const

const hasLoadgen = (): boolean =>
  existsSync(loadgen) ||
  spawnSync(
    process.execPath,
    ['-e', "import('./bench/build.mjs').then(m => process.exit(m.build('loadgen') ? 1 : 0))"],
    { cwd: root },
  ).status === 0

/** A second of 64 connections with one request each in flight. @returns whether every byte was right */
async function load(port: number): Promise<boolean> {
  const args = ['--target', String(port), '--connections', '64', '--depth', '1', '--seconds', '1']
  const generator = spawn(loadgen, [...args, '--block'], { stdio: 'ignore' })
  const [status] = await once(generator, 'close')
  return status === 0
}

const sum = (counts: object): number =>
  Object.values(counts).reduce((total: number, count: number) => total + count, 0)

interface Counted {
  /** All calls from the process's start to its end, those of Node and its threads among them. */
  traced: number
  own: number
  requests: number
}

/** System calls of a server process, by strace and by its own counters. */
async function count(t: Test, options: object, isLoaded: boolean): Promise<Counted> {
  const log = join(temporary(t), 'counts')
  const json = JSON.stringify({ host: '127.0.0.1', port: 0, ...options })
  const child = fork(join(root, 'test/fixtures/controlled-server.mjs'), [json], {
    execPath: 'strace',
    // How often Node's threads wait for each other while it starts is chance.
    execArgv: ['-f', '-c', '-e', 'trace=!futex', '-o', log, process.execPath],
    env: plainEnv(),
  })
  t.teardown(() => kill(child))
  const [hello] = await within(once(child, 'message'), 'listening server')
  if (isLoaded) t.ok(await load(hello.value.port), 'every byte was right')
  child.send('stats')
  const [{ value }] = await within(once(child, 'message'), 'statistics')
  const ended = once(child, 'close')
  child.send('close')
  await within(ended, 'end of the server')
  const traced = /([0-9]+) +(?:[0-9]+ +)?total$/m.exec(readFileSync(log, 'utf8'))?.[1]
  return { traced: Number(traced), own: sum(value.syscalls), requests: value.requests }
}

for (const [name, most] of Object.entries(MOST)) {
  const variant = VARIANTS[name as keyof typeof MOST]

  void t.test(`system calls a request: ${name}`, async (t) => {
    const reason = await unavailable(variant)
    if (reason !== undefined) return lacking(t, reason)
    if (!hasLoadgen()) return lacking(t, 'the load generator cannot be built')
    const served = await new Served({
      ...variant.options,
      handleRequest: (r: Buffer) => r,
    }).listen()
    t.ok(await load(served.port), 'every byte was right')
    const { syscalls, requests } = await served.stats()
    await served.teardown()
    t.ok(requests > 1000, `${requests} requests`)
    const each = sum(syscalls) / requests
    t.ok(each <= most, `${each.toFixed(3)} system calls a request; at most ${most}`)
    t.comment(`${name}: ${each.toFixed(3)} system calls a request`)
  })

  void t.test(`system calls a request, traced: ${name}`, async (t) => {
    const reason = await unavailable(variant)
    if (reason !== undefined) return lacking(t, reason)
    if (!hasStrace) return lacking(t, 'strace is not installed')
    if (!hasLoadgen()) return lacking(t, 'the load generator cannot be built')
    const idle = await count(t, variant.options, false)
    const busy = await count(t, variant.options, true)
    t.ok(busy.requests > 1000, `${busy.requests} requests`)
    const each = (busy.traced - idle.traced) / busy.requests
    const own = (busy.own - idle.own) / busy.requests
    t.ok(each <= most, `${each.toFixed(3)} traced calls a request; at most ${most}`)
    t.ok(each - own <= 0.1, `${own.toFixed(3)} of them are in the server's own counters`)
    t.comment(`${name}: ${each.toFixed(3)} traced, ${own.toFixed(3)} by its own counters`)
  })
}
