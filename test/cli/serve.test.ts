// The foreground server as a real process: what it prints, how it ends, and what it exits with.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isInstalled, lacking } from '../compiler.js'
import { Client, Command, run, temporary } from './command.js'

const ROOT = process.geteuid?.() === 0
const LOCAL = ['-h', '127.0.0.1', '-p', '0', '--allow-root']

function start(t: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}): Command {
  const command = new Command([...LOCAL, ...args], { env })
  t.teardown(() => command.stop())
  return command
}

function handler(t: Test, ...lines: string[]): string {
  const file = join(temporary(t), 'handler.ts')
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

t.setTimeout(300_000)

t.test('it prints what serves, where, and a line to try it with that works', async (t) => {
  const server = start(t, [])
  const port = await server.port()
  await server.until(/try it: .*\n/)
  const [product, address, attempt] = server.stdout.split('\n')
  t.match(product, /^Gaidaros \d+\.\d+\.\d+, (native|portable) engine: \S/)
  t.equal(address, `listening on 127.0.0.1:${port}`)
  t.equal(attempt, `try it: printf 'hello\\n' | nc -w 1 127.0.0.1 ${port}`)
  const client = await Client.connect(port)
  client.socket.end('hello\n')
  await client.closed
  t.equal(client.received, 'hello\n')
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null })
})

t.test('the line to try what is compressed with works', async (t) => {
  for (const [program, ...options] of [
    ['gzip', '-z', 'gzip'],
    ['brotli', '-z', 'brotli'],
    ['gzip', '-z', 'gzip', '-P', 'UDP'],
    ['gzip', '-z', 'gzip', '--engine', 'portable'],
  ] as const) {
    const missing = [program, 'nc'].find((tool) => !isInstalled(tool))
    if (missing !== undefined) {
      lacking(t, `${missing} is not installed`)
      continue
    }
    const server = start(t, options)
    await server.until(/try it: .*\n/)
    const attempt = /^try it: (.*)$/m.exec(server.stdout)?.[1] ?? ''
    const { stdout, stderr } = spawnSync('sh', ['-c', attempt], { timeout: 30_000 })
    t.equal(`${stdout}${stderr}`, 'hello\n', attempt)
  }
})

t.test('localhost is both loopback addresses on one port', async (t) => {
  const server = new Command(['-p', '0', '--allow-root'])
  t.teardown(() => server.stop())
  const port = await server.port()
  await server.until(/try it/)
  if (/inet6|[0-9a-f]{32}/.test(readFileSync('/proc/net/if_inet6', 'utf8')))
    t.match(server.stdout, `listening on [::1]:${port}\n`)
  server.child.kill('SIGINT')
  t.match(await server.ended, { code: 0, signal: null })
})

t.test('the portable engine warns in one line', async (t) => {
  const server = start(t, ['--engine', 'portable'])
  await server.until(/try it/)
  server.child.kill('SIGTERM')
  const { stdout, stderr } = await server.ended
  t.match(stdout, /portable engine: node:net/)
  t.equal(stderr.trim().split('\n').length, 1, stderr)
  t.match(stderr, /warn .*portable engine \(node:net\)/)
})

t.test(
  'root without a user is warned of once, unless it is allowed',
  { skip: !ROOT },
  async (t) => {
    const server = new Command(['-h', '127.0.0.1', '-p', '0'])
    t.teardown(() => server.stop())
    await server.until(/try it/)
    server.child.kill('SIGTERM')
    t.equal((await server.ended).stderr.match(/serving as root/g)?.length, 1)
    const allowed = start(t, [])
    await allowed.until(/try it/)
    allowed.child.kill('SIGTERM')
    t.notMatch((await allowed.ended).stderr, /serving as root/)
  },
)

t.test('a port in use names its holder', async (t) => {
  const first = start(t, [])
  const port = await first.port()
  const second = await run([
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '--allow-root',
    '--log-level',
    'error',
  ])
  t.equal(second.code, 1)
  const holder =
    process.platform === 'linux' ? `\\S+ \\(pid ${first.child.pid}\\)` : 'another process'
  t.match(
    second.stderr,
    new RegExp(`^gaidaros: port ${port} on 127\\.0\\.0\\.1 is in use by ${holder};`),
  )
  t.equal(second.stderr.trim().split('\n').length, 1, second.stderr)
  t.equal(second.stdout, '')
})

t.test('a polling type that cannot be had is 1 with the reason', async (t) => {
  const { code, stderr } = await run([...LOCAL, '--engine', 'portable', '-T', 'completion'])
  t.equal(code, 1)
  t.match(stderr, /^gaidaros: .*completion cannot be had/)
})

t.test('a host that does not exist is 1 in one line', async (t) => {
  const args = ['-h', 'no-such-host.invalid', '-p', '0', '--allow-root', '--log-level', 'error']
  const { code, stderr } = await run(args)
  t.equal(code, 1)
  t.match(stderr, /^gaidaros: host: no-such-host\.invalid cannot be resolved .*\n$/)
})

t.test('TERM and QUIT let a request in flight finish', async (t) => {
  for (const signal of ['SIGTERM', 'SIGQUIT'] as const) {
    const file = handler(
      t,
      'export async function handleRequest(request: Buffer): Promise<Buffer> {',
      "  console.log('begun')",
      '  await new Promise((resolve) => setTimeout(resolve, 300))',
      '  return request',
      '}',
    )
    const server = start(t, ['-m', file])
    const client = await Client.connect(await server.port())
    const idle = await Client.connect(await server.port())
    client.socket.write('slow\n')
    await server.until(/begun/)
    server.child.kill(signal)
    await server.until(new RegExp(`${signal}: stopping; 2 open`))
    await Promise.all([client.closed, idle.closed])
    t.equal(client.received, 'slow\n', signal)
    t.match(await server.ended, { code: 0, signal: null })
    await t.rejects(Client.connect(await server.port()), { code: 'ECONNREFUSED' })
  }
})

const NEVER = [
  'export function handleRequest(): Promise<never> {',
  "  console.log('begun')",
  '  return new Promise(() => {})',
  '}',
]

t.test('what is in flight has shutdown_grace, and no more', async (t) => {
  const server = start(t, ['-v', '-m', handler(t, ...NEVER), '--shutdown-grace', '200ms'])
  const client = await Client.connect(await server.port())
  client.socket.write('x\n')
  await server.until(/begun/)
  server.child.kill('SIGTERM')
  const { code, stdout } = await server.ended
  t.equal(code, 0)
  t.match(stdout, /^closed: 1 shutdown$/m)
})

t.test('a second signal ends it at once', async (t) => {
  for (const second of ['SIGINT', 'SIGTERM'] as const) {
    const server = start(t, ['-m', handler(t, ...NEVER), '--shutdown-grace', '10m'])
    const client = await Client.connect(await server.port())
    client.socket.write('x\n')
    await server.until(/begun/)
    server.child.kill('SIGTERM')
    await server.until(/stopping; 1 open, at most 10 min/)
    server.child.kill(second)
    t.match(await server.ended, { code: 0, signal: null }, second)
  }
})

t.test('HUP, USR1 and USR2 do not end it, nor does USR1 open the inspector', async (t) => {
  const file = handler(
    t,
    "process.kill(process.pid, 'SIGUSR1') // while it loads: long before it is ready",
    'export const handleRequest = (request: Buffer): Buffer => request',
  )
  const server = start(t, ['-m', file])
  const port = await server.port()
  server.child.kill('SIGHUP')
  await server.until(/SIGHUP: reloaded; changed: handler\n/)
  server.child.kill('SIGUSR1')
  await server.until(/SIGUSR1: no log to reopen; none of them is a file/)
  server.child.kill('SIGUSR2')
  await server.until(/SIGUSR2: an upgrade takes a supervisor: -S procpool or proc; ignored/)
  const client = await Client.connect(port)
  client.socket.write('still there\n')
  t.strictSame(await client.lines(1), ['still there'])
  server.child.kill('SIGTERM')
  const { code, stderr } = await server.ended
  t.equal(code, 0)
  t.notMatch(stderr, /Debugger/)
})

t.test('a reader of its output that goes away does not matter', async (t) => {
  const server = start(t, ['-v'])
  const port = await server.port()
  await server.until(/try it/)
  server.child.stdout.destroy()
  server.child.stderr.destroy()
  const client = await Client.connect(port)
  client.socket.write('a\n')
  await client.lines(1)
  server.child.kill('SIGHUP')
  client.socket.write('b\n')
  t.strictSame(await client.lines(2), ['a', 'b'])
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null })
})

t.test('-v sums up at the end', async (t) => {
  const server = start(t, ['-v'])
  const client = await Client.connect(await server.port())
  client.socket.end('a\nb\nc\n')
  await client.closed
  server.child.kill('SIGTERM')
  const { stdout } = await server.ended
  t.match(stdout, /^served [\d.]+ s: 1 connections, 3 requests \([\d\s]+\/s\), 3 replies$/m)
  t.match(stdout, /^bytes: 6 B in, 6 B out$/m)
  t.match(stdout, /^batches: \d+, [\d.]+ requests each$/m)
  t.match(stdout, /^closed: 1 end$/m)
})

t.test('-v tells of the traffic while it flows', async (t) => {
  const server = start(t, ['-v'])
  const client = await Client.connect(await server.port())
  client.socket.write('a\n')
  await server.until(/^1 open(?: \(\+1\))?, \S+ requests\/s, 1 a batch, in .*\/s, out .*\/s$/m)
  client.socket.end()
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0 })
})

const THROWS = [
  'interface Request { text: string }',
  'export function handleRequest(bytes: Buffer): string {',
  '  const request: Request = { text: bytes.toString() }',
  "  if (request.text === 'boom\\n') throw new Error('kaboom')",
  '  return request.text',
  '}',
]

t.test('a TypeScript handler that throws is logged with its line, and others go on', async (t) => {
  const server = start(t, ['-m', handler(t, ...THROWS)])
  const port = await server.port()
  const bad = await Client.connect(port)
  const good = await Client.connect(port)
  bad.socket.write('boom\n')
  await bad.closed
  t.equal(bad.received, '')
  await server.until(/kaboom.*handler\.ts:4:\d+/)
  good.socket.write('fine\n')
  t.strictSame(await good.lines(1), ['fine'])
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0 })
})

t.test('die_on_error ends it with 1', async (t) => {
  const server = start(t, ['-D', '-m', handler(t, ...THROWS)])
  const client = await Client.connect(await server.port())
  client.socket.write('boom\n')
  const { code, stderr } = await server.ended
  t.equal(code, 1)
  t.match(stderr, /kaboom/)
  await client.closed
})

t.test('an error that nothing catches is told, and ends it with 1', async (t) => {
  const cases = {
    'uncaught exception': "setImmediate(() => { throw new Error('astray') })",
    'unhandled rejection': "void Promise.reject(new Error('astray'))",
  }
  for (const [kind, code] of Object.entries(cases)) {
    const file = handler(
      t,
      'export function handleRequest(request: Buffer): Buffer {',
      code,
      'return request',
      '}',
    )
    const server = start(t, ['-m', file])
    const client = await Client.connect(await server.port())
    client.socket.write('x\n')
    const ending = await server.ended
    t.equal(ending.code, 1, kind)
    t.match(ending.stderr, new RegExp(`gaidaros: ${kind}, the server stops: Error: astray`))
    t.match(ending.stderr, /handler\.ts:2/)
    await client.closed
  }
})

t.test('what a handler leaves running does not keep it from ending', async (t) => {
  const file = handler(
    t,
    'setInterval(() => {}, 1000)',
    'export const handleRequest = (request: Buffer): Buffer => request',
  )
  const server = start(t, ['-m', file])
  await server.port()
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null })
})
