// The pieces of lib/process/ one by one: pidfile, notifications, environment; what needs a process has a real one.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { native } from '../../lib/native.js'
import { cleanEnvironment } from '../../lib/process/environment.js'
import { Notifier } from '../../lib/process/notify.js'
import { Pidfile, readPid } from '../../lib/process/pidfile.js'
import { checkPrivileges } from '../../lib/process/privileges.js'
import { isRunning, listeningOf, uptimeOf } from '../../lib/process/proc.js'
import { Command, root, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { until } from '../conformance/deadline.js'

t.setTimeout(120_000)
const hasPython = spawnSync('python3', ['--version']).status === 0
/** A number that no process has. */
const NOBODY = 2 ** 22 + 1

/** Claims a pidfile in another process, which then waits to be killed. */
async function holder(t: Test, path: string): Promise<ChildProcess> {
  const { href } = new URL('../../dist/process/pidfile.js', import.meta.url)
  const code = `import { Pidfile } from ${JSON.stringify(href)}
    try { Pidfile.claim(process.argv[1]); console.log('held'); setInterval(() => {}, 1e6) }
    catch (error) { console.log(error.message); }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  t.equal(line, 'held')
  return child
}

t.test('a pidfile is written, read, moved aside, restored and removed', async (t) => {
  const path = join(temporary(t), 'a.pid')
  const pidfile = Pidfile.claim(path)
  t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`)
  t.equal(statSync(path).mode & 0o777, 0o644)
  t.strictSame(readPid(path), { pid: process.pid, alive: true })
  pidfile.moveAside('.oldbin')
  t.notOk(existsSync(path))
  t.strictSame(readPid(`${path}.oldbin`), { pid: process.pid, alive: true })
  t.ok(pidfile.restore())
  t.strictSame(readPid(path), { pid: process.pid, alive: true })
  pidfile.remove()
  t.equal(readPid(path), undefined)
})

t.test(
  'one of a living process is refused with its pid, then replaced once that is dead',
  async (t) => {
    const path = join(temporary(t), 'a.pid')
    const child = await holder(t, path)
    t.throws(() => Pidfile.claim(path), {
      code: 'ERR_GAIDAROS_PROCESS',
      pid: child.pid,
      message: new RegExp(`held by a running process, pid ${child.pid}`),
    })
    t.strictSame(readPid(path), { pid: child.pid, alive: true })
    child.kill('SIGKILL')
    await once(child, 'close')
    t.strictSame(readPid(path), { pid: child.pid, alive: false })
    const pidfile = Pidfile.claim(path)
    t.strictSame(readPid(path), { pid: process.pid, alive: true })
    pidfile.remove()
  },
)

t.test('stale ones are replaced, whatever they hold', async (t) => {
  const path = join(temporary(t), 'a.pid')
  const stale = ['', 'no number', `${NOBODY}\n`]
  // The number of a living process that has not locked the file: it was given out again.
  if (native !== undefined) stale.push(`${process.ppid}\n`)
  for (const content of stale) {
    writeFileSync(path, content)
    const pidfile = Pidfile.claim(path)
    t.strictSame(readPid(path), { pid: process.pid, alive: true }, JSON.stringify(content))
    pidfile.remove()
    t.notOk(existsSync(path))
  }
})

t.test('only its own is removed', async (t) => {
  const path = join(temporary(t), 'a.pid')
  const pidfile = Pidfile.claim(path)
  spawnSync('rm', [path])
  writeFileSync(path, `${NOBODY}\n`)
  pidfile.remove()
  t.equal(readFileSync(path, 'utf8'), `${NOBODY}\n`)
})

t.test('of many that claim at once one succeeds', async (t) => {
  const path = join(temporary(t), 'a.pid')
  writeFileSync(path, `${NOBODY}\n`)
  const { href } = new URL('../../dist/process/pidfile.js', import.meta.url)
  const code = `import { Pidfile } from ${JSON.stringify(href)}
    try { Pidfile.claim(process.argv[1]); console.log('held'); setInterval(() => {}, 1e6) }
    catch (error) { console.log(error.message); }`
  const lines = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.teardown(() => child.kill('SIGKILL'))
      const [line] = await once(createInterface(child.stdout), 'line')
      return String(line)
    }),
  )
  t.equal(lines.filter((line) => line === 'held').length, 1, lines.join('\n'))
})

t.test('a path that cannot be written says so', async (t) => {
  const folder = temporary(t)
  mkdirSync(join(folder, 'taken.pid'))
  for (const path of [join(folder, 'none', 'a.pid'), join(folder, 'taken.pid')])
    t.throws(() => Pidfile.claim(path), {
      code: 'ERR_GAIDAROS_PROCESS',
      message: /pid_file: .*cannot be written/,
    })
})

t.test('users and groups are looked up before anything is done', async (t) => {
  const settings = { user: '', group: '', chroot: '' }
  t.equal(checkPrivileges(settings), undefined)
  t.throws(
    () => checkPrivileges({ ...settings, user: 'no-such-user' }),
    /there is no user no-such-user/,
  )
  t.throws(() => checkPrivileges({ ...settings, group: 'no-such-group' }), /there is no group/)
  if (native !== undefined)
    t.throws(() => checkPrivileges({ ...settings, chroot: '/no/such/folder' }), /is no directory/)
})

t.test('workers get a clean environment', async (t) => {
  const kept = { PATH: '/bin', LC_ALL: 'C', TZ: 'UTC', NODE_ENV: 'production', GAIDAROS_PORT: '1' }
  const gone = { AWS_SECRET_ACCESS_KEY: 'x', NOTIFY_SOCKET: '@x', LISTEN_FDS: '1', LD_PRELOAD: 'x' }
  t.strictSame(cleanEnvironment({ ...kept, ...gone, EMPTY: undefined }), kept)
})

t.test('what /proc tells', async (t) => {
  t.ok(isRunning(process.pid))
  t.notOk(isRunning(NOBODY))
  const uptime = uptimeOf(process.pid) ?? -1
  t.ok(uptime >= 0 && Math.abs(uptime - process.uptime()) < 10, `${uptime}`)
  const server = new Command(['-p', '0', '--allow-root'])
  t.teardown(() => server.stop())
  const port = await server.port()
  await server.until(/try it/)
  const said = [...server.stdout.matchAll(/listening on (\S+)/g)].map((match) => match[1])
  t.strictSame(listeningOf(server.child.pid ?? 0)?.sort(), said.sort(), `${port}`)
})

/** Everything that is sent to a notify socket. */
async function receive(t: Test, name: string): Promise<string[]> {
  const child = spawn('python3', [join(root, 'test/process/receiver.py'), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const messages: string[] = []
  createInterface(child.stdout).on('line', (line) => messages.push(JSON.parse(line)))
  await until(() => messages.shift() === 'bound', 'the receiver')
  return messages
}

t.test('sd_notify', async (t) => {
  if (!hasPython || native === undefined) return lacking(t, 'python3 and the addon are needed')
  for (const name of [join(temporary(t), 'notify'), `@gaidaros-test-${process.pid}`]) {
    const messages = await receive(t, name)
    const environment: NodeJS.ProcessEnv = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '40000' }
    const notifier = Notifier.take(environment)
    t.strictSame(environment, {}, 'the variables are gone')
    notifier.ready('serving\non 1')
    notifier.reloading()
    notifier.stopping('bye')
    await until(() => messages.length >= 3, 'three messages')
    t.equal(messages[0], `READY=1\nMAINPID=${process.pid}\nSTATUS=serving on 1`)
    t.match(messages[1], /^RELOADING=1\nMONOTONIC_USEC=\d+$/)
    const usec = Number(messages[1]?.split('=')[2])
    t.ok(Math.abs(usec - Number(process.hrtime.bigint() / 1000n)) < 60e6, 'of the monotonic clock')
    t.equal(messages[2], 'STOPPING=1\nSTATUS=bye')
  }
})

t.test('a notify socket that is not there is one complaint and no failure', async (t) => {
  if (native === undefined) return lacking(t, 'the addon is needed')
  const lines: string[] = []
  const notifier = Notifier.take({ NOTIFY_SOCKET: '/no/such/socket' }, (line) => lines.push(line))
  notifier.ready('x')
  t.equal(lines.length, 1)
  t.notOk(notifier.active)
})

t.test('the foreground server tells the service manager, and feeds the watchdog', async (t) => {
  if (!hasPython || native === undefined) return lacking(t, 'python3 and the addon are needed')
  const name = join(temporary(t), 'notify')
  const messages = await receive(t, name)
  const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '100000' }
  const server = new Command(['-h', '127.0.0.1', '-p', '0', '--allow-root'], { env })
  t.teardown(() => server.stop())
  const port = await server.port()
  await until(() => messages.filter((text) => text === 'WATCHDOG=1').length >= 2, 'the watchdog')
  t.equal(messages[0], `READY=1\nMAINPID=${server.child.pid}\nSTATUS=serving on 127.0.0.1:${port}`)
  server.child.kill('SIGTERM')
  await server.ended
  await until(() => messages.some((text) => text.startsWith('STOPPING=1')), 'STOPPING')
})
