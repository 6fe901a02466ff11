// The command with -P vsock: what it says, its processes and signals, and, where this machine can connect to itself,
// socat as its client.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Command, root, run, temporary } from '../cli/command.js'
import { isInstalled, lacking } from '../compiler.js'
import { until } from '../conformance/deadline.js'
import { loopbackRefusal, vsockRefusal } from '../conformance/vsock.js'
import { client } from './client.js'

const BASE = ['--no-config', '--allow-root', '-P', 'vsock']
const refusal = vsockRefusal()
const loopback = await loopbackRefusal()

async function start(t: Test, ...args: string[]): Promise<{ command: Command; port: number }> {
  const command = new Command([...BASE, ...args], { cwd: temporary(t) })
  t.teardown(() => command.stop())
  await command.until(/try it: printf 'hello\\n' \| socat - VSOCK-CONNECT:\d+:\d+\n/)
  return { command, port: Number((await command.until(/listening on vsock:any:(\d+)\n/))[1]) }
}

/** Asks it by socat, where this machine can. */
async function ask(t: Test, port: number, text: string): Promise<void> {
  if (loopback !== undefined) return void t.pass(text, { skip: loopback })
  const to = `VSOCK-CONNECT:1:${port}`
  t.equal(await client('socat', ['-t', '30', '-', to], `${text}\n`), `${text}\n`)
}

async function ended(t: Test, command: Command): Promise<void> {
  await until(() => command.child.exitCode !== null, 'its end')
  t.equal(command.child.exitCode, 0)
}

const skip = refusal ?? false

t.test('one process: banner, HUP, ctl, TERM; its port is taken meanwhile', { skip }, async (t) => {
  const control = join(temporary(t), 'ctl')
  const { command, port } = await start(t, '-p', '0', '--control-socket', control)
  await ask(t, port, 'first')
  const status = await run(['ctl', 'stats', '--control-socket', control])
  t.match(status.stdout, new RegExp(`vsock:any:${port}\\b`))
  const second = await run([...BASE, '-p', String(port)])
  t.equal(second.code, 1)
  t.equal(
    second.stderr.trim(),
    `gaidaros: port ${port} on vsock:any is in use by another process; stop it, or choose another port with -p`,
  )
  command.child.kill('SIGHUP')
  await command.until(/SIGHUP: reloaded/)
  await ask(t, port, 'reloaded')
  command.child.kill('SIGTERM')
  await ended(t, command)
  const { command: next } = await start(t, '-p', String(port))
  next.child.kill('SIGTERM')
  await ended(t, next)
})

t.test('server processes share one socket: HUP, USR2, TERM', { skip }, async (t) => {
  const { command, port } = await start(t, '-p', '0', '-S', 'procpool', '-N', '2')
  if (loopback === undefined) for (let i = 0; i < 8; i++) await ask(t, port, `question ${i}`)
  command.child.kill('SIGHUP')
  await command.until(/SIGHUP: reloaded/)
  await ask(t, port, 'reloaded')
  command.child.kill('SIGUSR2')
  const [, pid] = await command.until(/new binary is started, pid (\d+)/)
  const successor = Number(pid)
  t.teardown(() => {
    if (existsSync(`/proc/${successor}`)) process.kill(successor, 'SIGKILL')
  })
  await until(() => command.stdout.split(`listening on vsock:any:${port}\n`).length === 3, 'it')
  command.child.kill('SIGQUIT')
  await until(() => command.child.exitCode !== null, 'the end of the first')
  await ask(t, port, 'upgraded')
  process.kill(successor, 'SIGTERM')
  await until(() => !existsSync(`/proc/${successor}`), 'the end of the second')
})

t.test('a socket of the service manager', { skip }, async (t) => {
  if (!isInstalled('python3')) return lacking(t, 'python3 is not installed')
  const launcher = join(root, 'test/process/launcher.py')
  for (const more of [[], ['-S', 'procpool', '-N', '2']]) {
    const command = new Command([...BASE, ...more], {
      cwd: temporary(t),
      through: ['python3', launcher, 'vsock'],
    })
    t.teardown(() => command.stop())
    const [, port] = await command.until(/listening on vsock:any:(\d+)\n/)
    await ask(t, Number(port), 'inherited')
    command.child.kill('SIGTERM')
    await ended(t, command)
  }
})

t.test('--check-config and --probe', { skip }, async (t) => {
  const checked = await run([...BASE, '--vsock-cid', 'host', '-p', '70000', '--check-config'])
  t.match(checked, { code: 0 })
  t.match(checked.stdout, /addresses: vsock:2:70000\n/)
  const portable = await run([...BASE, '--engine', 'portable', '--check-config'])
  t.match(portable, { code: 1, stderr: /protocol vsock: Node has no such sockets; wanted the nat/ })
  t.match((await run(['--probe'])).stdout, /^-P vsock +(?:yes|no: there is no transport: .*)$/m)
})

t.test('without the addon', async (t) => {
  const env = { GAIDAROS_NATIVE: 'off' }
  for (const more of [[], ['--check-config'], ['-S', 'procpool', '-N', '2']]) {
    const { code, stderr } = await run([...BASE, ...more], { env })
    t.equal(code, 1)
    t.match(stderr, /protocol vsock: Node has no such sockets; wanted the native engine/)
  }
  t.match(
    (await run(['--probe'], { env })).stdout,
    /^-P vsock +no: no addon: GAIDAROS_NATIVE is off/m,
  )
})
