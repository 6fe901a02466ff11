// Server pools as an operator meets them: the real command with real processes, killed, reloaded, upgraded and
// scaled while clients open connections all the time.
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { native } from '../../lib/native.js'
import { Client, Command, run, temporary } from '../cli/command.js'

const ENGINES = native === undefined ? ['portable'] : ['native', 'portable']
const LOCAL = ['-h', '127.0.0.1', '-p', '0', '--allow-root']
const DEADLINE_MS = 60_000

t.setTimeout(600_000)

async function eventually(what: string, condition: () => boolean | Promise<boolean>) {
  const until = performance.now() + DEADLINE_MS
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Answers each line with the pid of its process. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the handler's template
const PID_HANDLER = 'export const handleRequest = (line) => `${process.pid} ${line}`\n'

interface Pool {
  command: Command
  pid: number
  port: number
  file: string
}

async function start(
  t: Test,
  args: readonly string[],
  handler = PID_HANDLER,
  mode = 0o700,
): Promise<Pool> {
  const folder = temporary(t)
  const file = join(folder, 'handler.mjs')
  writeFileSync(file, handler)
  chmodSync(folder, mode)
  const command = new Command([...LOCAL, '-m', file, ...args])
  t.teardown(async () => {
    await command.stop()
  })
  const port = await command.port()
  await command.until(/try it/)
  return { command, pid: command.child.pid as number, port, file }
}

/** Live children; `zombies` are those that nobody has reaped. */
function childrenOf(pid: number): { pid: number; zombie: boolean }[] {
  const children: { pid: number; zombie: boolean }[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      if (Number(fields[1]) === pid) children.push({ pid: Number(name), zombie: fields[0] === 'Z' })
    } catch {
      // It has ended since the directory was read.
    }
  }
  return children
}

const livingOf = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => (child.zombie ? [] : [child.pid]))
const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** One question on a connection of its own: the pid that answered. */
async function ask(port: number): Promise<number> {
  const client = await Client.connect(port)
  client.socket.write('x\n')
  const [line] = await client.lines(1)
  client.socket.destroy()
  return Number(line?.split(' ')[0])
}

/** Opens connections one after the other, each asks once, until stopped. Anything that goes wrong is counted. */
class Connectors {
  readonly failures: string[] = []
  readonly pids = new Map<number, number>()
  answered = 0
  #stopped = false
  readonly #running: Promise<void>[]

  constructor(port: number, count: number) {
    this.#running = Array.from({ length: count }, () => this.#run(port))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #run(port: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const pid = await this.#once(port)
        this.answered++
        this.pids.set(pid, (this.pids.get(pid) ?? 0) + 1)
      } catch (error) {
        this.failures.push(String((error as NodeJS.ErrnoException).code ?? error))
      }
    }
  }

  #once(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let got = ''
      socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error('no answer')))
      socket.on('connect', () => socket.write('x\n'))
      socket.on('error', reject)
      socket.on('data', (bytes) => {
        got += bytes
        if (!got.endsWith('\n')) return
        resolve(Number.parseInt(got, 10))
        socket.destroy()
      })
      socket.on('close', () => reject(new Error('closed without an answer')))
    })
  }
}

async function hold(port: number, count: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => Client.connect(port)))
}

async function answers(clients: readonly Client[]): Promise<boolean> {
  const replies = clients.map((client) => {
    const lines = client.received.split('\n').length - 1
    client.socket.write('again\n')
    return client.lines(lines + 1)
  })
  await Promise.all(replies)
  return true
}

const resetIfOpen = (clients: readonly { socket: Socket }[]) => {
  for (const { socket } of clients) socket.destroy()
}

for (const engine of ENGINES) {
  t.test(`${engine}: connections spread over the processes; TERM ends all`, async (t) => {
    const { command, pid, port } = await start(t, ['-S', 'procpool', '-N', '2', '--engine', engine])
    const children = livingOf(pid)
    t.equal(children.length, 2)
    const seen = new Set<number>()
    await eventually('both answer', async () => seen.add(await ask(port)).size === 2)
    t.strictSame([...seen].sort(), [...children].sort())
    const client = await Client.connect(port)
    command.child.kill('SIGTERM')
    await client.closed
    t.match(await command.ended, { code: 0, signal: null })
    t.notOk(children.some(lives), 'no process is left')
    await t.rejects(Client.connect(port), { code: 'ECONNREFUSED' })
  })

  t.test(`${engine}: kill -9 under load costs its own connections only`, async (t) => {
    const { command, pid, port } = await start(t, ['-S', 'procpool', '-N', '2', '--engine', engine])
    await ask(port)
    const before = descriptorsOf(pid)
    const held = await hold(port, 12)
    await answers(held)
    for (let round = 0; round < 4; round++) {
      const before = livingOf(pid)
      const victim = before[round % 2] as number
      const others = held.filter(
        ({ received, socket }) => !socket.destroyed && !received.startsWith(`${victim} `),
      )
      const killed = performance.now()
      process.kill(victim, 'SIGKILL')
      await command.until(new RegExp(`pid ${victim}\\) was ended by SIGKILL; .*at once`))
      t.ok(await answers(others), 'the others are answered')
      await eventually('the next one answers', async () => !before.includes(await ask(port)))
      t.comment(`serving again after ${Math.round(performance.now() - killed)} ms`)
    }
    await eventually('the new ones answer', async () => livingOf(pid).includes(await ask(port)))
    resetIfOpen(held)
    t.strictSame(
      childrenOf(pid).filter(({ zombie }) => zombie),
      [],
      'no zombie',
    )
    await eventually('no descriptor is left over', () => descriptorsOf(pid) <= before)
    command.child.kill('SIGTERM')
    t.match(await command.ended, { code: 0 })
  })

  t.test(`${engine}: HUPs under connectors refuse and reset nothing`, async (t) => {
    const { command, pid, port, file } = await start(t, [
      ...['-S', 'procpool', '-N', '2', '--engine', engine],
      ...['--idle-timeout', '0', '--first-byte-timeout', '0', '--reload-grace', '10m'],
    ])
    const held = await hold(port, 6)
    const first = new Set(livingOf(pid))
    const connectors = new Connectors(port, 4)
    for (let round = 1; round <= 5; round++) {
      const bad = round === 3
      const known = new Set(connectors.pids.keys())
      writeFileSync(file, bad ? 'export const nothing = 1\n' : PID_HANDLER)
      command.child.kill('SIGHUP')
      const done = bad ? /not reloaded;[\s\S]*handler\.mjs/ : /reloaded; changed: handler/g
      const wanted = bad ? 1 : round > 3 ? round - 1 : round
      await command.until(done)
      await eventually(
        `reload ${round}`,
        () => bad || (command.stdout.match(/reloaded; changed/g)?.length ?? 0) >= wanted,
      )
      await eventually(
        `an answer of generation ${round}`,
        () => bad || livingOf(pid).some((each) => connectors.pids.has(each) && !known.has(each)),
      )
    }
    const answered = connectors.answered
    await eventually('they go on', () => connectors.answered > answered + 20)
    await connectors.stop()
    t.strictSame(connectors.failures, [], `of ${connectors.answered}`)
    t.ok(connectors.pids.size > 4, 'several generations answered')
    t.ok(await answers(held), 'old connections are answered')
    const old = new Set(held.map(({ received }) => Number.parseInt(received, 10)))
    t.ok(
      [...old].every((each) => first.has(each)),
      'by the processes that they began with',
    )
    resetIfOpen(held)
    await eventually(
      'old processes end with their last connection',
      () => livingOf(pid).length === 2,
    )
    command.child.kill('SIGTERM')
    t.match(await command.ended, { code: 0 })
  })

  t.test(`${engine}: USR2, then QUIT: the new binary takes over`, async (t) => {
    const { command, port } = await start(t, [
      ...['-S', 'procpool', '-N', '2', '--engine', engine, '--reload-grace', '10m'],
    ])
    const held = await hold(port, 4)
    await answers(held)
    const connectors = new Connectors(port, 4)
    command.child.kill('SIGUSR2')
    const [, text] = await command.until(/the new binary is started, pid (\d+)/)
    const successor = Number(text)
    t.teardown(() => lives(successor) && process.kill(successor, 'SIGKILL'))
    await eventually('it serves', () => (command.stdout.match(/try it/g)?.length ?? 0) === 2)
    const theirs = livingOf(successor)
    await eventually('it answers', () => theirs.some((each) => connectors.pids.has(each)))
    command.child.kill('SIGQUIT')
    await command.until(/QUIT: the new binary serves/)
    t.ok(await answers(held), 'old connections are answered')
    resetIfOpen(held)
    await once(command.child, 'exit')
    t.equal(command.child.exitCode, 0)
    const answered = connectors.answered
    await eventually('they go on', () => connectors.answered > answered + 20)
    await connectors.stop()
    t.strictSame(connectors.failures, [], `of ${connectors.answered}`)
    process.kill(successor, 'SIGTERM')
    await eventually('it ends', () => !lives(successor))
    t.notOk(theirs.some(lives))
  })
}

t.test('a new binary that dies leaves the old one serving', async (t) => {
  const { command, port, file } = await start(t, ['-S', 'procpool', '-N', '1'])
  writeFileSync(file, 'export const nothing = 1\n')
  command.child.kill('SIGUSR2')
  await command.until(/upgrade: the new binary .* ended with status 1; this server goes on/)
  t.ok(await ask(port))
})

t.test('TTIN, TTOU and WINCH', async (t) => {
  const { command, pid, port } = await start(t, ['-S', 'procpool', '-N', '1'])
  command.child.kill('SIGTTIN')
  await eventually('one more', () => livingOf(pid).length === 2)
  const seen = new Set<number>()
  await eventually('both answer', async () => seen.add(await ask(port)).size === 2)
  command.child.kill('SIGTTOU')
  await eventually('one fewer', () => livingOf(pid).length === 1)
  await ask(port)
  command.child.kill('SIGWINCH')
  // Not even a zombie: the supervisor knows that it has no server process, and goes on all the same.
  await eventually('none', () => childrenOf(pid).length === 0)
  for (let times = 2; times <= 4; times++) {
    command.child.kill('SIGWINCH')
    await eventually(
      'the supervisor hears it',
      () => command.stdout.split('SIGWINCH: ').length > times,
    )
  }
  const client = await Client.connect(port)
  client.socket.write('queued\n')
  command.child.kill('SIGHUP')
  t.match(await client.lines(1), [/queued$/], 'a connection that waited is answered')
})

t.test('children leave when the supervisor is killed', async (t) => {
  const { command, pid, port } = await start(t, ['-S', 'procpool', '-N', '2'])
  const held = await hold(port, 2)
  const children = livingOf(pid)
  t.equal(children.length, 2)
  command.child.kill('SIGKILL')
  const killed = performance.now()
  await eventually('all gone', () => !children.some(lives))
  // They mean to be gone after 2 s; shutdown_grace would be 10 s, and their clients stay for a minute.
  t.ok(performance.now() - killed < 8_000)
  resetIfOpen(held)
})

/** Is held up for ever by a line that says so, and has left a file then. */
const STAYING = `import { writeFileSync } from 'node:fs'
export function handleRequest(line) {
  if (!line.includes('stay')) return line
  writeFileSync(new URL('stays', import.meta.url), '')
  for (;;);
}
`

if (native !== undefined)
  for (const { where, args, children } of [
    { where: 'of a server process', args: [], children: 1 },
    { where: 'of a handler process', args: ['-X', 'procpool', '-n', '1'], children: 2 },
    { where: 'of a server process of another user', args: ['--user', 'nobody'], children: 1 },
  ])
    t.test(`also those that a handler holds up: ${where}`, async (t) => {
      if (args[0] === '--user' && process.geteuid?.() !== 0)
        return t.pass('not root', { skip: true })
      const { command, pid, port, file } = await start(
        t,
        ['-S', 'procpool', '-N', '1', ...args],
        STAYING,
        0o777,
      )
      const client = await Client.connect(port)
      client.socket.write('go\n')
      await client.lines(1)
      const all = livingOf(pid).flatMap((each) => [each, ...livingOf(each)])
      t.equal(all.length, children)
      client.socket.write('stay\n')
      await eventually('it is held up', () => existsSync(join(dirname(file), 'stays')))
      command.child.kill('SIGKILL')
      // In 1.7 s, and the time that a busy machine takes to end them.
      await eventually('all gone', () => !all.some(lives))
      client.socket.destroy()
    })

for (const args of [
  ['-S', 'procpool', '-N', '1'],
  ...(native === undefined ? [] : [['-X', 'procpool', '-n', '1']]),
])
  t.test(`processes get a clean environment: ${args.join(' ')}`, async (t) => {
    const file = join(temporary(t), 'handler.mjs')
    writeFileSync(
      file,
      'const { SECRET, PATH } = process.env\nexport const handleRequest = () => SECRET + (PATH ? " path\\n" : "\\n")\n',
    )
    const command = new Command([...LOCAL, '-m', file, ...args], { env: { SECRET: 'hush' } })
    t.teardown(() => command.stop())
    const client = await Client.connect(await command.port())
    client.socket.write('x\n')
    t.strictSame(await client.lines(1), ['undefined path'])
    client.socket.destroy()
  })

for (const first of [['-S', 'procpool', '-N', '2'], []])
  t.test(`a second server on the port of one with ${first.join(' ') || '-S ""'}`, async (t) => {
    const { pid, port } = await start(t, first)
    const name = first.length === 0 ? 'node' : 'gaidaros: supervisor'
    for (const second of [['-S', 'procpool', '-N', '2'], ['-S', 'procpool', '-N', '1'], []]) {
      const { code, stdout, stderr } = await run([...LOCAL, '-p', String(port), ...second])
      t.equal(code, 1, second.join(' '))
      t.equal(stdout, '')
      t.equal(
        stderr,
        `gaidaros: port ${port} on 127.0.0.1 is in use by ${name} (pid ${pid}); stop it, or choose another port with -p\n`,
      )
    }
    t.ok((first.length === 0 ? [pid] : livingOf(pid)).includes(await ask(port)), 'it goes on')
  })

t.test('a crash loop is given up with 1 and one clear line', async (t) => {
  const sign = join(temporary(t), 'die')
  const { command, pid } = await start(
    t,
    ['-S', 'procpool', '-N', '1'],
    `import { existsSync } from 'node:fs'
${PID_HANDLER}setInterval(() => existsSync(${JSON.stringify(sign)}) && process.exit(7), 5)\n`,
  )
  writeFileSync(sign, '')
  const { code, stderr } = await command.ended
  t.equal(code, 1)
  t.match(
    stderr,
    /server process 0 \(pid \d+\) ended with status 7; it died 6 times within a minute/,
  )
  t.strictSame(livingOf(pid), [])
})

t.test('a handler that cannot be loaded is told before anything serves', async (t) => {
  const file = join(temporary(t), 'handler.mjs')
  writeFileSync(file, 'export const nothing = 1\n')
  const command = new Command([...LOCAL, '-m', file, '-S', 'procpool', '-N', '2'])
  t.teardown(() => command.stop())
  const { code, stderr, stdout } = await command.ended
  t.equal(code, 1)
  t.match(stderr, /^gaidaros: .*handler\.mjs/)
  t.equal(stdout, '')
})

t.test('HUP of one process changes in place what can be changed', async (t) => {
  const handler = (name: string) => `export const handleRequest = (line) => \`${name} \${line}\`\n`
  const { command, port, file } = await start(t, [], handler('one'))
  const client = await Client.connect(port)
  client.socket.write('a\n')
  t.strictSame(await client.lines(1), ['one a'])
  writeFileSync(file, handler('two'))
  command.child.kill('SIGHUP')
  await command.until(/SIGHUP: reloaded; changed: handler\n/)
  client.socket.write('b\n')
  t.strictSame(await client.lines(2), ['one a', 'two b'])
  writeFileSync(file, 'export const handleRequest = 5\n')
  command.child.kill('SIGHUP')
  await command.until(/not reloaded/)
  client.socket.write('c\n')
  t.strictSame(await client.lines(3), ['one a', 'two b', 'two c'])
})

t.test('proc begins with one process', async (t) => {
  const { command, pid, port } = await start(t, ['-S', 'proc', '-N', '3'])
  t.equal(livingOf(pid).length, 1)
  for (let i = 0; i < 8; i++) await ask(port)
  command.child.kill('SIGTERM')
  t.match(await command.ended, { code: 0 })
})
