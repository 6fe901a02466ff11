// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the text of handlers
// The daemon as a real process: detached, started and stopped by subcommands, as another user, with sockets that others
// opened, and as process 1.
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { native } from '../../lib/native.js'
import { readPid } from '../../lib/process/pidfile.js'
import { Client, Command, plainEnv, root, run, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { until } from '../conformance/deadline.js'

t.setTimeout(300_000)
const ROOT = process.geteuid?.() === 0
const LOCAL = ['-h', '127.0.0.1', '-p', '0', '--allow-root']
const hasPython = spawnSync('python3', ['--version']).status === 0

/** A pidfile whose server, if there is one, dies with the test. */
function pidfile(t: Test, folder: string): string {
  const path = join(folder, 'server.pid')
  t.teardown(() => {
    const record = existsSync(path) ? readPid(path) : undefined
    if (record?.alive && record.pid !== undefined) process.kill(record.pid, 'SIGKILL')
  })
  return path
}

function handlerIn(folder: string, ...lines: string[]): string {
  const file = join(folder, 'handler.ts')
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

const IDENTITY = 'export const handleRequest = (): string =>'
const IDENTITY_REST = '  `${process.cwd()} ${process.getuid?.()} ${process.getgroups?.()}\\n`'

async function answer(port: number): Promise<string | undefined> {
  const client = await Client.connect(port)
  client.socket.write('who\n')
  const [line] = await client.lines(1)
  client.socket.destroy()
  return line
}

const portOf = (text: string): number => Number(/listening on \S+:(\d+)/.exec(text)?.[1])

/** Field of /proc/pid/stat after the name: 3 is the session, 4 the terminal. */
const stat = (pid: number, field: number): number =>
  Number(
    readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[field],
  )

if (native === undefined) lacking(t, 'the addon is needed to detach')
else {
  t.test(
    '-d returns when it serves: own session, no terminal, /, no descriptor of ours',
    async (t) => {
      const folder = temporary(t)
      handlerIn(folder, IDENTITY, IDENTITY_REST)
      pidfile(t, folder)
      const args = ['-d', ...LOCAL, '-m', './handler.ts', '--pid-file', 'server.pid']
      const { code, stdout, stderr } = await run(args, { cwd: folder })
      t.equal(code, 0, stderr)
      t.match(stderr, /log_file is not set/)
      const record = readPid(join(folder, 'server.pid'))
      const pid = record?.pid ?? 0
      t.ok(record?.alive, 'the pidfile lies where the command was given')
      t.match(stdout, `running as pid ${pid}`)
      t.match(await answer(portOf(stdout)), /^\/ /, 'it works in /')
      t.equal(stat(pid, 3), pid, 'a session of its own')
      t.equal(stat(pid, 4), 0, 'no terminal')
      t.match(readFileSync(`/proc/${pid}/status`, 'latin1'), /^Umask:\t0027$/m)
      for (const fd of [0, 1, 2]) t.equal(readlinkSync(`/proc/${pid}/fd/${fd}`), '/dev/null')
      t.equal((await run(['stop', '--pid-file', 'server.pid'], { cwd: folder })).code, 0)
    },
  )

  t.test(
    'what goes wrong while it starts is said by the command, and nothing is left',
    async (t) => {
      const folder = temporary(t)
      const path = pidfile(t, folder)
      const bad = handlerIn(folder, "console.log('loading')", "throw new Error('no luck')")
      const cases: [string[], number, RegExp][] = [
        [['-m', bad], 1, /handler_module: .*no luck/],
        [['-m', './none.ts'], 1, /there is no file/],
        [['--prot', '1'], 2, /did you mean --port/],
        [['--pid-file', join(folder, 'none', 'x.pid')], 1, /pid_file: .*cannot be written/],
      ]
      for (const [args, status, text] of cases) {
        const { code, stderr } = await run(['-d', ...LOCAL, '--pid-file', path, ...args], {
          cwd: folder,
        })
        t.equal(code, status, args.join(' '))
        t.match(stderr, text)
        t.equal(readPid(path), undefined, 'no pidfile')
      }
    },
  )

  t.test(
    'start, status, reload, reopen, restart, stop, with the statuses of the LSB',
    async (t) => {
      const folder = temporary(t)
      const path = pidfile(t, folder)
      const options = ['--pid-file', path, ...LOCAL]
      const say = async (command: string, status: number, text: RegExp) => {
        const { code, stdout, stderr } = await run([...command.split(' '), ...options])
        t.equal(code, status, `${command}: ${stdout}${stderr}`)
        t.match(stdout + stderr, text)
        return stdout
      }
      await say('status', 3, /not running/)
      await say('stop', 0, /not running/)
      await say('reload', 7, /not running/)
      await say('start', 0, /running as pid \d+/)
      const first = readPid(path)?.pid
      await say('start', 0, new RegExp(`already running, pid ${first}`))
      await say('status', 0, new RegExp(`running, pid ${first}, for .*, listening on 127`))
      const report = JSON.parse(await say('status --json', 0, /./))
      t.match(report, { state: 'running', pid: first, uptime: Number, pid_file: path })
      t.equal(await answer(Number(report.addresses[0].split(':')[1])), 'who')
      await say('reload', 0, /HUP/)
      await say('reopen', 0, /USR1/)
      await say('restart --prot', 2, /did you mean/)
      await say('restart --user no-such-user', 1, /there is no user/)
      t.equal(readPid(path)?.pid, first, 'a bad configuration stops nothing')
      await say('restart', 0, new RegExp(`stopped, pid ${first}`))
      const second = readPid(path)?.pid ?? 0
      t.not(second, first)
      process.kill(second, 'SIGKILL')
      await until(() => readPid(path)?.alive === false, 'its end')
      await say('status', 1, /dead/)
      await say('stop', 0, /not running/)
      await say('status', 3, /not running/)
      await say('stop now', 2, /"now"/)
    },
  )

  t.test('what keeps a command from its work is said by its status', async (t) => {
    const folder = temporary(t)
    const options = ['--pid-file', pidfile(t, folder), ...LOCAL]
    t.match(await run(['status', '--prot', ...options]), { code: 4, stderr: /did you mean/ })
    t.equal((await run(['status'])).code, 4, 'no pid_file')
    t.equal((await run(['start', ...LOCAL])).code, 6)
    t.match(await run(['-m', 'start', 'start', ...LOCAL]), { code: 6 }, 'a value is no command')
    t.match(await run(['start', ...options], { env: { GAIDAROS_NATIVE: 'off' } }), {
      code: 5,
      stderr: /needs the native addon/,
    })
  })

  t.test('upgrade: not of one process, and at once when the new binary is no good', async (t) => {
    const folder = temporary(t)
    const path = pidfile(t, folder)
    const handler = handlerIn(folder, 'export const handleRequest = (line: Buffer) => line')
    const options = ['--pid-file', path, ...LOCAL, '-m', handler]
    t.match(await run(['upgrade', ...options]), { code: 3, stderr: /wanted -S procpool or proc/ })
    const pool = [...options, '-S', 'procpool', '-N', '1', '--log-file', join(folder, 'log')]
    t.match(await run(['start', ...pool]), { code: 0 })
    const pid = readPid(path)?.pid
    writeFileSync(handler, "throw new Error('no luck')\n")
    const began = performance.now()
    t.match(await run(['upgrade', ...pool]), {
      code: 1,
      stderr: new RegExp(`pid ${pid}, serves on`),
    })
    t.ok(performance.now() - began < 55_000, 'it was not waited for')
    t.equal(readPid(path)?.pid, pid)
    const log = readFileSync(join(folder, 'log'), 'utf8')
    t.match(log, /handler_module: .*no luck/)
    t.notMatch(log, /^SIG/m, 'what is logged is not printed beside it')
    t.match(await run(['stop', ...pool]), { code: 0 })
  })

  t.test('stop ends by force what does not end', async (t) => {
    const folder = temporary(t)
    const path = pidfile(t, folder)
    const file = handlerIn(folder, 'export const handleRequest = (): never => { for (;;); }')
    const options = ['--pid-file', path, ...LOCAL, '--shutdown-grace', '100ms']
    const started = await run(['start', ...options, '-m', file])
    const client = connect(portOf(started.stdout), '127.0.0.1').on('error', () => undefined)
    t.teardown(() => client.destroy())
    client.write('loop\n')
    const pid = readPid(path)?.pid ?? 0
    const before = stat(pid, 11)
    await until(() => stat(pid, 11) > before + 20, 'the handler to spin')
    const { code, stdout } = await run(['stop', ...options])
    t.equal(code, 0)
    t.match(stdout, new RegExp(`pid ${pid} did not end within .*: killed`))
    t.equal(readPid(path), undefined)
  })

  t.test('two on one pidfile: the second is refused before it binds anything', async (t) => {
    const path = pidfile(t, temporary(t))
    const first = new Command([...LOCAL, '--pid-file', path])
    t.teardown(() => first.stop())
    await first.until(/try it/)
    const second = await run([...LOCAL, '--pid-file', path])
    t.equal(second.code, 1)
    t.match(second.stderr, new RegExp(`held by a running process, pid ${first.child.pid}`))
    first.child.kill('SIGQUIT')
    t.match(await first.ended, { code: 0, signal: null })
    t.equal(readPid(path), undefined)
  })

  t.test('as root -d wants a user or --allow-root', { skip: !ROOT }, async (t) => {
    const { code, stderr } = await run(['-d', '-h', '127.0.0.1', '-p', '0'])
    t.equal(code, 1)
    t.match(stderr, /it would stay root; wanted --user NAME, or --allow-root/)
  })

  t.test('privileges go once the sockets are bound, for good', { skip: !ROOT }, async (t) => {
    const folder = temporary(t)
    chmodSync(folder, 0o755)
    const file = handlerIn(
      folder,
      'const whoLoads = process.getuid?.()',
      'const back = (): string => { try { process.setuid?.(0); return "root" } catch { return "no way" } }',
      'export const handleRequest = (): string => `${whoLoads} ${process.getuid?.()} ${process.getgid?.()} ${process.getgroups?.()} ${back()}\\n`',
    )
    for (const engine of [
      ['-T', 'edge'],
      ['-T', 'level'],
      ['--engine', 'portable'],
    ]) {
      const server = new Command([...LOCAL, '-m', file, '--user', 'nobody', ...engine])
      t.teardown(() => server.stop())
      const port = await server.port()
      t.equal(await answer(port), '65534 65534 65534 65534 no way', engine.join(' '))
      const status = readFileSync(`/proc/${server.child.pid}/status`, 'latin1')
      t.match(status, /^NoNewPrivs:\t1$/m)
      t.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
      t.match(status, /^CapEff:\t0{16}$/m)
      await server.stop()
    }
  })

  t.test('a new root directory hides the old one', { skip: !ROOT }, async (t) => {
    const folder = temporary(t)
    chmodSync(folder, 0o755)
    const file = handlerIn(
      folder,
      "import { readdirSync } from 'node:fs'",
      "export const handleRequest = (): string => `${process.cwd()} ${readdirSync('/')}\\n`",
    )
    const server = new Command([...LOCAL, '-m', file, '--user', 'nobody', '--chroot', folder])
    t.teardown(() => server.stop())
    t.equal(await answer(await server.port()), '/ handler.ts')
  })

  t.test('a pidfile that the new user cannot remove is emptied', { skip: !ROOT }, async (t) => {
    const path = pidfile(t, temporary(t))
    const server = new Command([...LOCAL, '--user', 'nobody', '--pid-file', path])
    t.teardown(() => server.stop())
    await server.until(/try it/)
    t.equal(readPid(path)?.pid, server.child.pid)
    server.child.kill('SIGTERM')
    await server.ended
    t.strictSame(readPid(path), { pid: undefined, alive: false })
    t.equal((await run(['status', '--pid-file', path])).code, 3)
  })

  t.test('--check-config covers users, groups and the pidfile', async (t) => {
    for (const [args, text] of [
      [['--user', 'no-such-user'], /there is no user/],
      [['--group', 'no-such-group'], /there is no group/],
      [['--pid-file', '/no/such/folder/x.pid'], /pid_file: .*ENOENT/],
    ] as const) {
      const { code, stderr } = await run(['--check-config', ...args])
      t.equal(code, 1)
      t.match(stderr, text)
      t.equal(stderr.trim().split('\n').length, 1, stderr)
    }
  })
}

for (const engine of ['native', 'portable']) {
  t.test(`socket activation, ${engine} engine`, async (t) => {
    if (!hasPython || (engine === 'native' && native === undefined))
      return lacking(t, 'python3 and the addon are needed')
    const launch = (kind: string, place = ['-p', '1']) => {
      const launcher = join(root, 'test/process/launcher.py')
      const server = [process.execPath, join(root, 'bin/gaidaros.js')]
      const options = ['--engine', engine, '--allow-root', ...place, '--log-level', 'error']
      const child = spawn('python3', [launcher, kind, ...server, ...options], {
        env: plainEnv(),
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      t.teardown(() => child.kill('SIGKILL'))
      const state = { child, output: '' }
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (text) => {
          state.output += String(text)
        })
      return state
    }
    const good = launch('tcp')
    await until(
      () => /try it/.test(good.output),
      () => `the server: ${good.output}`,
    )
    t.equal(await answer(portOf(good.output)), 'who')
    const environment = readFileSync(`/proc/${good.child.pid}/environ`, 'latin1')
    t.match(environment, /LISTEN_FDS=1/, 'it was really launched that way')
    for (const [kind, text] of [
      ['udp', /descriptor 3 \(front\) is no stream socket/],
      ['seqpacket', /descriptor 3 \(front\) is no stream socket/],
      ['file', /descriptor 3 \(front\) is no socket/],
    ] as const) {
      const bad = launch(kind)
      await until(() => bad.child.exitCode !== null, 'its end')
      t.equal(bad.child.exitCode, 1)
      await until(
        () => text.test(bad.output),
        () => bad.output,
      )
    }
    if (engine === 'portable') return
    const messages = ['-P', 'unixseqpacket', '--socket-path', '@elsewhere']
    const local = launch('seqpacket', messages)
    await until(
      () => /listening on unix:@gaidaros-launched-\d+/.test(local.output),
      () => `the server: ${local.output}`,
    )
    const strange = launch('tcp', messages)
    await until(
      () => /is no socket of messages; wanted a listening unix.*ListenSeq/.test(strange.output),
      () => strange.output,
    )
  })
}

t.test('process 1 reaps orphans, and its own children are told of', async (t) => {
  const names = ['--pid', '--fork', '--kill-child', '--mount-proc']
  if (spawnSync('unshare', [...names, 'true']).status !== 0)
    return void t.pass('no PID namespace', { skip: 'unshare --pid is not permitted here' })
  if (native === undefined) return lacking(t, 'the addon is needed to reap')
  const file = handlerIn(
    temporary(t),
    "import { spawn } from 'node:child_process'",
    "import { readdirSync, readFileSync } from 'node:fs'",
    "let own = 'none'",
    "spawn('sh', ['-c', 'sh -c \"sleep 0.1; exit 3\" & exit 7']).on('exit', (code) => { own = String(code) })",
    "const state = (pid: string): string => { try { return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\\) /s, '')[0] ?? '' } catch { return '' } }",
    'export const handleRequest = (): string => {',
    '  const pids = readdirSync("/proc").filter((name) => /^\\d+$/.test(name))',
    '  return `${process.pid} ${own} ${pids.length} ${pids.filter((pid) => state(pid) === "Z").length}\\n`',
    '}',
  )
  const command = [process.execPath, join(root, 'bin/gaidaros.js'), ...LOCAL, '-m', file]
  const child = spawn('unshare', [...names, ...command], {
    env: plainEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (text) => {
    output += String(text)
  })
  await until(() => /try it/.test(output), 'the server')
  let line: string | undefined
  let asking = false
  await until(
    () => {
      // Not once more when the answer is there: the server is about to be killed.
      if (!asking && line !== '1 7 1 0') {
        asking = true
        void answer(portOf(output)).then((got) => {
          line = got
          asking = false
        })
      }
      return line === '1 7 1 0'
    },
    () => `"1 7 1 0" (pid, status of its child, processes, zombies), but "${line}"`,
  )
  t.equal(line, '1 7 1 0')
})
