// The control socket as an operator meets it: the real command, asked while it serves, dies, is upgraded, stands still.
import { once } from 'node:events'
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { answer, type Subject } from '../../lib/control/answers.js'
import { ask, ControlClient } from '../../lib/control/client.js'
import { parseRequest } from '../../lib/control/requests.js'
import type { Snapshot } from '../../lib/control/snapshot.js'
import { native } from '../../lib/native.js'
import { resolve } from '../../lib/options/index.js'
import { Client, Command, run, temporary } from '../cli/command.js'
import { until } from '../conformance/deadline.js'

t.setTimeout(600_000)
const ENGINES = native === undefined ? ['portable'] : ['native', 'portable']
const ROOT = process.geteuid?.() === 0
const LOCAL = ['-h', '127.0.0.1', '-p', '0', '--allow-root']
const HANDLER = `
const burn = (ms) => { const end = Date.now() + ms; while (Date.now() < end); }
export const handleRequest = (line) => {
  const text = String(line)
  if (text.startsWith('burn')) burn(Number(text.slice(5)))
  if (text.startsWith('later')) return new Promise((done) => setTimeout(() => { burn(120); done(line) }, 5))
  return text.startsWith('pid') ? process.pid + '\\n' : line
}
`

interface Running {
  command: Command
  path: string
  port: number
  folder: string
  ask(request: string): Promise<Record<string, unknown>>
  stats(): Promise<Snapshot>
}

async function start(t: Test, args: readonly string[], folder = temporary(t)): Promise<Running> {
  const path = join(folder, 'control')
  const file = join(folder, 'handler.mjs')
  writeFileSync(file, HANDLER)
  const command = new Command([...LOCAL, '-m', file, '--control-socket', path, ...args], {
    cwd: folder,
  })
  t.teardown(() => command.stop())
  const port = await command.port()
  await command.until(/try it/)
  const say = (request: string) => ask(path, request)
  return {
    command,
    path,
    port,
    folder,
    ask: say,
    stats: async () => (await say('stats')) as unknown as Snapshot,
  }
}

async function lines(port: number, ...texts: string[]): Promise<Client> {
  const client = await Client.connect(port)
  for (const [i, text] of texts.entries()) {
    client.socket.write(`${text}\n`)
    await client.lines(i + 1)
  }
  return client
}

/** Writes, and reads lines until so many have come. */
async function raw(path: string, text: string, wanted: number): Promise<unknown[]> {
  const socket = connect(path)
  await once(socket, 'connect')
  socket.write(text)
  let got = ''
  socket.setEncoding('utf8').on('data', (more) => {
    got += String(more)
  })
  await until(
    () => got.split('\n').length > wanted || socket.destroyed,
    () => `${wanted} answers: ${got.slice(0, 500)}`,
  )
  socket.destroy()
  return got
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

for (const engine of ENGINES) {
  t.test(`${engine}: one process answers what it does`, async (t) => {
    const { ask, stats, port, path, command } = await start(t, ['--engine', engine])
    t.equal(statSync(path).mode & 0o777, 0o600)
    t.ok(lstatSync(path).isSocket())
    const client = await lines(port, 'a', 'b', 'c')
    const { total, levels, processes, state, uptime } = await stats()
    t.match(total, { requests: 3, replies: 3, accepted: 1, bytes_in: 6, bytes_out: 6 })
    t.equal(total.latency.count, 3)
    t.ok(total.lag.count > 0)
    t.match(levels, { connections: 1, in_flight: 0, queued_bytes: 0 })
    t.equal(state, 'serving')
    t.ok(uptime > 0 && processes.length === 1 && processes[0]?.pid === command.child.pid)

    const local = `127.0.0.1:${client.socket.localPort}`
    const list = await ask('connections')
    t.match(list, { total: 1, omitted: 0, silent: [] })
    t.match(list['connections'], [
      {
        id: /^\d+\.\d+$/,
        process: 0,
        remote: local,
        local: `127.0.0.1:${port}`,
        state: 'open',
        requests: 3,
        bytes_in: 6,
        bytes_out: 6,
        in_flight: 0,
        queued_bytes: 0,
        age_ms: Number,
        idle_ms: Number,
      },
    ])
    const more = await Promise.all([lines(port, 'x'), lines(port, 'x')])
    t.match(await ask('connections 1'), { total: 3, omitted: 2, connections: { length: 1 } })
    t.match(await ask('connections 0'), { total: 3, omitted: 3, connections: [] })

    t.match(await ask('workers'), { server_type: '', processes: [{ requests: 5 }], handlers: [] })
    const { options } = (await ask('config')) as { options: Record<string, object> }
    t.match(options['control_socket'], { value: path, origin: 'command line, --control-socket' })
    t.match(options['idle_timeout'], { value: '60s', origin: 'default' })
    await t.rejects(ask('workers add'), /one process; wanted server_type procpool or proc/)
    await t.rejects(ask('statz'), /no request "statz"; wanted one of: stats, .*did you mean stats/)
    await t.rejects(ask('connections -1'), /wanted connections \[N\]/)
    await t.rejects(ask(''), /no request/)
    for (const each of [client, ...more]) each.socket.destroy()
    command.child.kill('SIGTERM')
    t.match(await command.ended, { code: 0 })
    t.notOk(existsSync(path), 'it is removed')
  })
}

t.test('one connection asks many, in order; a last line needs no end', async (t) => {
  const { path } = await start(t, [])
  const answers = await raw(path, 'workers\nnonsense\nconnections 5\n\nstats\n', 5)
  t.match(answers, [
    { processes: Array },
    { error: /"nonsense"/ },
    { connections: [] },
    { error: /no request/ },
    { total: {} },
  ])
  const socket = connect(path)
  socket.end('workers')
  let text = ''
  for await (const chunk of socket) text += chunk
  t.match(JSON.parse(text), { server_type: '' })
})

t.test('bad clients cost little: long lines, crowds, and one that never reads', async (t) => {
  const { path, stats } = await start(t, [])
  const [first] = await raw(path, 'x'.repeat(2000), 1)
  t.match(first, { error: /at most 1024 bytes/ })
  const crowd = await Promise.all(Array.from({ length: 16 }, () => ControlClient.open(path)))
  t.match(await raw(path, 'workers\n', 1), [{ error: /16 clients already/ }])
  for (const each of crowd) each.close()
  await until(() => true, 'their end')

  const before = (await eventually(stats)).processes[0]?.rss_bytes ?? 0
  const greedy: Socket = connect(path).pause()
  t.teardown(() => greedy.destroy())
  greedy.on('error', () => undefined)
  // Half a gigabyte of answers, if they were kept.
  greedy.write('config\n'.repeat(60_000))
  await new Promise((done) => setTimeout(done, 500))
  const after = (await stats()).processes[0]?.rss_bytes ?? 0
  t.ok(after - before < 100 * 2 ** 20, `${(after - before) / 2 ** 20} MiB more`)
})

/** Until the clients of before are noticed to have gone. */
async function eventually<T>(what: () => Promise<T>): Promise<T> {
  const end = performance.now() + 60_000
  for (;;)
    try {
      return await what()
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((done) => setTimeout(done, 10))
    }
}

t.test('a live socket is refused before anything serves, a stale one is replaced', async (t) => {
  const first = await start(t, [])
  const args = [...LOCAL, '--control-socket', first.path]
  const second = await run(args)
  t.equal(second.code, 1)
  t.match(second.stderr, new RegExp(`control_socket: ${first.path} is in use by a running server`))
  t.notMatch(second.stdout, /listening/)
  t.equal((await first.stats()).pid, first.command.child.pid, 'the first one still has it')

  first.command.child.kill('SIGKILL')
  await first.command.ended
  t.ok(existsSync(first.path), 'a killed server leaves it')
  const third = await start(t, [], first.folder)
  t.equal((await third.stats()).pid, third.command.child.pid)

  const file = join(temporary(t), 'file')
  writeFileSync(file, 'precious')
  const refused = await run([...LOCAL, '--control-socket', file])
  t.equal(refused.code, 1)
  t.match(refused.stderr, /is there and is no socket/)
  t.equal(readFileSync(file, 'utf8'), 'precious')
  const nowhere = await run([...LOCAL, '--control-socket', '/no/such/folder/s'])
  t.match(nowhere, { code: 1, stderr: /control_socket: .* cannot be made \(ENOENT\)/ })
  const long = await run([...LOCAL, '--control-socket', join(temporary(t), 'x'.repeat(100))])
  t.match(long, { code: 1, stderr: /is too long/ })
})

t.test('secrets are not shown', async (t) => {
  const { settings, origins } = resolve({})
  const secrets = { ...settings, clusterSecrets: 'hush', tlsKey: ['/etc/key.pem'] }
  const subject = { options: () => ({ settings: secrets, origins }) } as unknown as Subject
  const { options } = (await answer(subject, parseRequest(['config']))) as {
    options: Record<string, { value: string }>
  }
  t.equal(options['cluster_secrets']?.value, '***')
  t.equal(options['tls_key']?.value, '***')
  t.notMatch(JSON.stringify(options), /hush|key\.pem/)
})

t.test('procpool: all together, and who does not answer is named in time', async (t) => {
  const { ask, stats, port, command, path } = await start(t, ['-S', 'procpool', '-N', '2'])
  const pids = new Set<string>()
  const clients: Client[] = []
  while (pids.size < 2) {
    const client = await lines(port, 'pid')
    pids.add((await client.lines(1))[0] ?? '')
    clients.push(client)
  }
  // One that is kept from the processor for a second is silent, too.
  const { total, processes, pid } = await settled(stats, ({ silent }) => silent === 0)
  t.equal(pid, command.child.pid)
  t.equal(total.requests, clients.length)
  t.same(new Set(processes.map((each) => String(each.pid))), pids)
  t.equal(
    processes.reduce((sum, { stats }) => sum + (stats?.requests ?? 0), 0),
    total.requests,
  )
  t.match(await ask('connections 1'), { total: clients.length, connections: { length: 1 } })

  // It stands still for longer than anybody waits.
  const blocked = Number((await clients[0]?.lines(1))?.[0])
  const goOn = () => {
    try {
      process.kill(blocked, 'SIGCONT')
    } catch {
      // It has ended with the server.
    }
  }
  t.teardown(goOn)
  process.kill(blocked, 'SIGSTOP')
  const answers = await settled(stats, ({ silent }) => silent === 1)
  const mute = answers.processes.find(({ error }) => error !== undefined)
  t.match(mute, { pid: blocked, error: 'no answer within 1 s' })
  t.ok(answers.total.requests >= total.requests, 'what it said last still counts')
  const shown = await run(['ctl', 'workers', '--control-socket', path])
  t.match(shown, { code: 0, stdout: new RegExp(`pid ${blocked}: no answer within 1 s`) })
  goOn()
  await settled(stats, ({ silent }) => silent === 0)

  t.match(await ask('workers add'), { wanted: 3 })
  await until(() => command.child.exitCode === null, 'it')
  await settled(stats, (now) => now.processes.length === 3)
  t.match(await ask('workers remove'), { wanted: 2 })
  await settled(stats, (now) => now.processes.filter(({ state }) => state === 'ready').length === 2)

  const victim = (await stats()).processes[0]
  process.kill(victim?.pid ?? 0, 'SIGKILL')
  await settled(stats, (now) =>
    now.processes.some(({ restarts, state }) => restarts === 1 && state === 'ready'),
  )
  t.ok((await stats()).total.requests >= total.requests, 'the dead are not forgotten')
  for (const each of clients) each.socket.destroy()
})

async function settled(stats: () => Promise<Snapshot>, holds: (now: Snapshot) => boolean) {
  const end = performance.now() + 60_000
  let now = await stats()
  for (; !holds(now); now = await stats()) {
    if (performance.now() > end) throw new Error(JSON.stringify(now.processes))
    await new Promise((done) => setTimeout(done, 20))
  }
  return now
}

t.test('handler workers are listed, and their stalls stand in the log of the server', async (t) => {
  if (native === undefined) return void t.pass('', { skip: 'no workers without the addon' })
  const args = ['-X', 'threadpool', '-n', '2', '--stall-warning', '50ms']
  const { ask, port, command } = await start(t, args)
  const client = await lines(port, 'a', 'burn 120')
  await command.until(
    /stalled: a turn of the handler ms=[1-9]\d\d.* handler=handler.mjs:handleRequest/,
  )
  t.match(command.stderr, /in=handle_request requests=1 connection=0\.0 .*worker="thread/)
  interface Workers {
    handlers: { state: string; requests: number; busy: number }[]
    waiting: number
  }
  const look = async () => (await ask('workers')) as unknown as Workers
  let workers = await look()
  while (workers.handlers.some(({ state }) => state !== 'ready')) workers = await look()
  const { handlers, waiting } = workers
  t.equal(handlers.length, 2)
  t.match(handlers[0], { id: /^thread \d+$/, state: 'ready', restarts: 0, in_flight: 0 })
  t.equal(
    handlers.reduce((sum, each) => sum + each.requests, 0),
    2,
  )
  t.ok(Math.max(...handlers.map(({ busy }) => busy)) > 0)
  t.equal(waiting, 0)
  client.socket.destroy()
})

t.test('code outside of turns stalls a loop too; HUP changes the threshold', async (t) => {
  if (native === undefined) return void t.pass('', { skip: 'the native engine sees it' })
  const folder = temporary(t)
  const conf = join(folder, 'stall.conf')
  writeFileSync(conf, '[limits]\nstall_warning = 60ms\n')
  chmodSync(conf, 0o644)
  const { port, command, ask } = await start(t, ['-c', conf], folder)
  const client = await lines(port, 'later')
  await command.until(/stalled: code outside of a turn ms=[1-9]\d\d/)
  writeFileSync(conf, '[limits]\nstall_warning = 0\n')
  command.child.kill('SIGHUP')
  await command.until(/reloaded; changed: .*stall_warning/)
  const { options } = (await ask('config')) as { options: Record<string, object> }
  t.match(options['stall_warning'], { value: '0', origin: `${conf}:2` })
  // What it wrote until it answered once more has been read.
  await ask('workers')
  const said = command.stderr
  client.socket.write('later\n')
  await client.lines(2)
  await ask('workers')
  t.equal(command.stderr, said)
  client.socket.destroy()
})

t.test('profile: one file for each server process, for its owner alone', async (t) => {
  const { ask, folder, port } = await start(t, ['-S', 'procpool', '-N', '2'])
  await t.rejects(ask('profile stop'), /no profile is being taken/)
  t.match(await ask('profile start'), { profile: 'start', processes: { length: 2 } })
  await t.rejects(ask('profile start'), /being taken already/)
  const client = await lines(port, 'burn 50')
  const { processes } = (await ask('profile stop')) as { processes: { file: string }[] }
  t.equal(processes.length, 2)
  for (const { file } of processes) {
    t.equal(dirname(file), folder, 'where the command was given')
    t.equal(statSync(file).mode & 0o777, 0o600)
    t.match(JSON.parse(readFileSync(file, 'utf8')), { nodes: Array, startTime: Number })
  }
  client.socket.destroy()
})

t.test('an upgrade: the new binary takes the name and keeps it', async (t) => {
  const folder = temporary(t)
  const pidFile = join(folder, 'pid')
  const args = ['-S', 'procpool', '-N', '1', '--pid-file', pidFile, '--metrics', '0']
  const { command, stats, path } = await start(t, args, folder)
  const old = (await stats()).pid
  command.child.kill('SIGUSR2')
  const next = Number((await command.until(/the new binary is started, pid (\d+)/))[1])
  t.teardown(() => {
    try {
      process.kill(next, 'SIGKILL')
    } catch {}
  })
  const back = () => eventually(stats)
  await settled(back, (now) => now.pid === next)
  // A successor that fails gives it back.
  process.kill(next, 'SIGKILL')
  await command.until(/was ended by SIGKILL; this server goes on/)
  await settled(back, (now) => now.pid === old)

  command.child.kill('SIGUSR2')
  await until(
    () => [...command.stdout.matchAll(/the new binary is started/g)].length === 2,
    'a second one',
  )
  const last = Number([...command.stdout.matchAll(/is started, pid (\d+)/g)][1]?.[1])
  t.teardown(() => process.kill(last, 'SIGKILL'))
  await settled(back, (now) => now.pid === last)
  // Its output is the successor's too, and stays open.
  const ended = once(command.child, 'exit')
  command.child.kill('SIGQUIT')
  t.same(await ended, [0, null])
  t.ok(existsSync(path), 'the old one does not take it away')
  t.equal((await stats()).pid, last)
})

t.test(
  'with privileges dropped the server asks itself, and others may not',
  { skip: !ROOT },
  async (t) => {
    const folder = temporary(t)
    chmodSync(folder, 0o755)
    const { path, stats, command } = await start(t, ['--user', 'nobody'], folder)
    const { uid, mode } = statSync(path)
    t.equal(uid, 65534)
    t.equal(mode & 0o777, 0o600)
    t.equal((await stats()).pid, command.child.pid)
    command.child.kill('SIGTERM')
    await command.ended
    // Not this user's to remove; the next server replaces it.
    const again = await start(t, [], folder)
    t.equal((await again.stats()).pid, again.command.child.pid)
    process.seteuid?.(65534)
    try {
      await t.rejects(again.ask('stats'), { kind: 'denied', message: /not permitted/ })
    } finally {
      process.seteuid?.(0)
    }
  },
)

for (const { how, args, left } of [
  // The name lies outside of the new root directory: nobody in there can remove it.
  { how: 'another root directory', args: ['--user', 'nobody', '--chroot', '/'], left: true },
  // The supervisor stays who it is.
  {
    how: 'a pool of another user',
    args: ['--user', 'nobody', '-S', 'procpool', '-N', '1'],
    left: false,
  },
])
  t.test(
    `the socket's owner and its end: ${how}`,
    { skip: !ROOT || native === undefined },
    async (t) => {
      const folder = temporary(t)
      chmodSync(folder, 0o755)
      const jail = temporary(t)
      const own = args.map((arg) => (arg === '/' ? jail : arg))
      const { path, stats, command } = await start(t, own, folder)
      const { uid, mode } = statSync(path)
      t.equal(uid, 65534)
      t.equal(mode & 0o777, 0o600)
      t.equal((await stats()).pid, command.child.pid)
      t.match(await run([...LOCAL, '--control-socket', path]), {
        code: 1,
        stderr: /in use by a running server/,
      })
      command.child.kill('SIGTERM')
      t.match(await command.ended, { code: 0 })
      t.equal(existsSync(path), left)
      const again = await start(t, [], folder)
      t.equal((await again.stats()).pid, again.command.child.pid, 'a stale name is replaced')
      t.equal(statSync(path).uid, 0)
    },
  )

t.test('the command: tables, JSON, statuses', async (t) => {
  const folder = temporary(t)
  const pidFile = join(folder, 'pid')
  const { path, port } = await start(t, ['--pid-file', pidFile], folder)
  const client = await lines(port, 'a')
  const ctl = (...words: string[]) => run(['ctl', ...words, '--control-socket', path])
  t.match(await ctl('stats'), { code: 0, stdout: /^requests +1, 1 answered$/m, stderr: '' })
  t.match(await ctl('connections'), { code: 0, stdout: /127\.0\.0\.1:\d+ .* open/ })
  t.match(await ctl('config'), { code: 0, stdout: /^option +value +from\n/ })
  const json = await ctl('stats', '--json')
  t.match(JSON.parse(json.stdout), { total: { requests: 1 } })
  t.match(await ctl('statz'), { code: 2, stderr: /^gaidaros: ctl: no request "statz".*\n$/ })
  t.match(await ctl('profile'), { code: 2, stderr: /wanted profile start\|stop/ })
  t.match(await ctl(), { code: 2, stderr: /no request; wanted one of/ })
  t.match(await ctl('workers', 'add'), { code: 1, stderr: /one process/ })
  t.match(await run(['ctl', 'stats']), { code: 6, stderr: /control_socket is not set/ })
  const nobody = await run(['ctl', 'stats', '--control-socket', join(folder, 'none')])
  t.match(nobody, { code: 1, stderr: /^gaidaros: no server: there is no .*\n$/ })
  const status = ['status', '--json', '--pid-file', pidFile, '--control-socket']
  const probe = await run([...status, path])
  t.match(JSON.parse(probe.stdout), { state: 'running', statistics: { total: { requests: 1 } } })
  const deaf = await run([...status, join(folder, 'none')])
  t.equal(deaf.code, 0)
  t.match(JSON.parse(deaf.stdout), { state: 'running', statistics: null })
  const check = (path: string) => run(['--check-config', '--control-socket', path])
  t.match(await check(path), { code: 0 }, 'somebody may be serving')
  t.match(await check(join(folder, 'none', 'x')), { code: 1, stderr: /control_socket: .*ENOENT/ })
  t.match(await check(pidFile), { code: 1, stderr: /is no socket/ })
  client.socket.destroy()
})
