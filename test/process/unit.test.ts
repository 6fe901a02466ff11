// The systemd unit: how exposed systemd thinks it is, and that no system call of a server under traffic is one that its
// filter refuses.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Client, plainEnv, root, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { unavailable } from '../conformance/available.js'
import { until } from '../conformance/deadline.js'
import { VARIANTS } from '../conformance/variant.js'

t.setTimeout(300_000)
const unit = join(root, 'etc/gaidaros.service')
const MOST_EXPOSED = 2.0
const has = (program: string, flag = '--version') => spawnSync(program, [flag]).status === 0

const analyze = (...args: string[]): string =>
  spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
    .stdout

/** The calls of a group such as @system-service, groups within it followed. */
function expand(name: string): Set<string> {
  const calls = new Set<string>()
  const words = analyze('syscall-filter', name)
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => /^@?[a-z0-9_-]+$/.test(line))
  for (const word of words)
    for (const call of word.startsWith('@') ? expand(word) : [word]) calls.add(call)
  return calls
}

/** What the unit's filter lets pass. */
function allowed(): Set<string> {
  const passing = new Set<string>(['execve', 'exit', 'exit_group', 'rt_sigreturn'])
  for (const [, list = ''] of readFileSync(unit, 'utf8').matchAll(/^SystemCallFilter=(.*)$/gm))
    for (const word of list.replace(/^~/, '').split(' '))
      for (const call of word.startsWith('@') ? expand(word) : [word])
        if (list.startsWith('~')) passing.delete(call)
        else passing.add(call)
  return passing
}

if (!has('systemd-analyze')) lacking(t, 'systemd-analyze is not installed')
else {
  t.test('the exposure is small', async (t) => {
    const text = analyze('security', '--offline=true', '--no-pager', unit)
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1])
    t.ok(exposure <= MOST_EXPOSED, `${exposure}`)
  })

  for (const [name, options] of [
    ['edge', ['-T', 'edge']],
    ['level', ['-T', 'level']],
    ['completion', ['-T', 'completion']],
    ['portable', ['--engine', 'portable']],
  ] as const)
    t.test(`system calls, ${name}`, async (t) => {
      if (!has('strace', '-V')) return lacking(t, 'strace is not installed')
      const reason = await unavailable(VARIANTS[name])
      if (reason !== undefined) return void t.pass(reason, { skip: reason })
      const log = join(temporary(t), 'calls')
      const server = [process.execPath, join(root, 'bin/gaidaros.js'), '-h', '127.0.0.1', '-p', '0']
      // -D: strace is the child, so signals to the process that was started reach the server.
      const args = ['-D', '-f', '-c', '-U', 'name,calls', '-o', log, ...server, '-v', ...options]
      const child = spawn('strace', [...args, '--pid-file', `${log}.pid`], {
        env: plainEnv(),
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      t.teardown(() => child.kill('SIGKILL'))
      const closed = once(child, 'close')
      let output = ''
      child.stdout.on('data', (text) => {
        output += String(text)
      })
      await until(
        () => /try it/.test(output),
        () => `the server: ${output}`,
      )
      const port = Number(/listening on \S+:(\d+)/.exec(output)?.[1])
      const clients = await Promise.all(Array.from({ length: 8 }, () => Client.connect(port)))
      for (const client of clients) client.socket.write('one\ntwo\nthree\n'.repeat(20))
      for (const client of clients) await client.lines(60)
      for (const client of clients) client.socket.end()
      child.kill('SIGHUP')
      child.kill('SIGTERM')
      await closed
      const table = () => readFileSync(log, 'utf8')
      await until(() => /total/.test(table()), 'the table of strace')
      const seen = [...table().matchAll(/^([a-z0-9_]+) +\d+$/gm)]
        .map(([, call = '']) => call)
        .filter((call) => call !== 'total')
      t.ok(seen.length > 20, `${seen.length} calls were seen`)
      const passing = allowed()
      t.strictSame(
        seen.filter((call) => !passing.has(call)),
        [],
        'calls outside the filter',
      )
    })
}
