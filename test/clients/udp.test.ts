// Datagrams and their real clients.

import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { native } from '../../lib/native.js'
import { Command, root, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { unavailable } from '../conformance/available.js'
import { until } from '../conformance/deadline.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { client } from './client.js'

const start = async (t: Test, ...args: string[]): Promise<number> =>
  (await startCommand(t, ...args)).port()

async function startCommand(t: Test, ...args: string[]): Promise<Command> {
  const local = ['--no-config', '--allow-root', '-P', 'UDP', '-h', '127.0.0.1', '-p', '0']
  const command = new Command([...local, ...args])
  t.teardown(() => command.stop())
  await command.port()
  return command
}

/** The answer, a number, of some process; from a socket of its own each time. */
const ask = (port: number, request = 'who'): Promise<number> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    const send = () => socket.send(request, port, '127.0.0.1')
    const again = setInterval(send, 1000)
    socket.on('message', (answer) => {
      clearInterval(again)
      socket.close()
      resolve(Number(answer))
    })
    send()
  })

const ENGINES = native === undefined ? ['portable'] : ['native', 'portable']

for (const engine of ENGINES)
  t.test(`server processes share the port: ${engine} engine`, async (t) => {
    const args = [
      '--engine',
      engine,
      '-S',
      'procpool',
      '-N',
      '2',
      '-M',
      '() => String(process.pid)',
    ]
    const port = await start(t, ...args, '--allow-code')
    const first = await ask(port)
    process.kill(first, 'SIGKILL')
    await until(
      async () => (await ask(port)) !== first,
      () => 'an answer of the other, or of who has come in its place',
    )
    t.ok((await ask(port)) > 0)
  })

for (const engine of ENGINES)
  t.test(`a worker dies with a datagram: ${engine} engine`, async (t) => {
    const handler = 'r => r[0] === 33 ? process.kill(process.pid, "SIGKILL") : String(process.pid)'
    const pool = ['-X', 'procpool', '-n', '1', '-M', handler, '--allow-code']
    const command = await startCommand(t, '--engine', engine, ...pool)
    const port = await command.port()
    const first = await ask(port)
    const bad = createSocket('udp4')
    bad.send('!', port, '127.0.0.1')
    await command.until(/worker_lost/)
    bad.close()
    t.not(await ask(port), first, 'another has come in its place')
  })

for (const engine of ENGINES)
  t.test(`the access log has datagrams that workers answer: ${engine} engine`, async (t) => {
    const file = join(temporary(t), 'access.log')
    // Of a datagram whose handler looks at its connection there is a line for its end.
    const handler = '(_, connection) => connection.protocol === "UDP" ? "12345" : "0"'
    const pool = ['-X', 'threadpool', '-n', '1', '-M', handler, '--allow-code']
    const command = await startCommand(t, '--engine', engine, ...pool, '--access-log', file)
    t.equal(await ask(await command.port(), 'who'), 12345)
    const logged = () => readFileSync(file, 'utf8')
    const close = / close peer=127\.0\.0\.1:\d+ .* reason=done requests=1 in=3 out=5 /
    await until(() => close.test(logged()), logged)
    t.match(logged(), / request peer=127\.0\.0\.1:\d+ .* in=3 out=5 .* status=ok .*thread/)
  })

const reason = await unavailable(VARIANTS.edge)
if (reason !== undefined) refuse(t, reason)
else {
  t.test('socat, nc', async (t) => {
    const port = await start(t)
    const clients: [string, string[]][] = [
      ['socat', ['-t', '5', '-', `UDP:127.0.0.1:${port}`]],
      ['nc', ['-u', '-w', '5', '127.0.0.1', `${port}`]],
    ]
    for (const [program, args] of clients) {
      const answer = await client(program, args, 'hello\n')
      if (answer === undefined) lacking(t, `${program} is not installed`)
      else t.equal(answer, 'hello\n', program)
    }
  })

  for (const polling of ['edge', 'level', 'completion'])
    t.test(`dig, ${polling}`, async (t) => {
      // The handler of the guide.
      const guide = readFileSync(join(root, 'docs/udp.md'), 'utf8')
      const module = join(temporary(t), 'dns.ts')
      writeFileSync(module, /^```ts file=dns\.ts\n([\s\S]*?)^```$/m.exec(guide)?.[1] ?? '')
      const port = await start(t, '-T', polling, '-m', module)
      const answer = await client('dig', [
        ...['@127.0.0.1', '-p', `${port}`, '+noedns', '+time=10', '+tries=3', '+short'],
        'any.example',
        'A',
      ])
      if (answer === undefined) lacking(t, 'dig is not installed')
      else t.equal(answer.trim(), '192.0.2.1')
    })
}

// ::1 is the only address of IPv6 that a machine has for certain; a network namespace gets two more.
t.test('bound to all addresses of IPv6, the one that was asked answers', async (t) => {
  if (native === undefined) return lacking(t, 'the addon is needed')
  if (spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status !== 0)
    return void t.pass('no network namespace', { skip: 'unshare --net is not permitted here' })
  const script = join(temporary(t), 'two-addresses.sh')
  writeFileSync(
    script,
    `set -e
    ip link set lo up
    ip -6 addr add fd00::1/128 dev lo nodad
    ip -6 addr add fd00::2/128 dev lo nodad
    "$1" "$2" --no-config --allow-root -P UDP -h :: -p 7555 -T "$3" &
    server=$!
    trap 'kill $server' EXIT
    for round in fd00::1:fd00::2 fd00::2:fd00::1; do
      from=\${round%:fd00*} to=fd00\${round#*:fd00}
      # socat hears of nobody but the address that it asked.
      for attempt in $(seq 50); do
        said=$(echo who | socat -t 0.5 - "UDP6:[$to]:7555,bind=[$from]" 2>/dev/null) && [ -n "$said" ] && break
        sleep 0.1
      done
      echo "$to $said"
    done`,
  )
  if ((await client('socat', ['-V'])) === undefined) return lacking(t, 'socat is not installed')
  for (const pollingType of ['edge', 'level', 'completion']) {
    const command = [process.execPath, join(root, 'bin/gaidaros.js'), pollingType]
    const said = await client('unshare', ['--net', 'sh', script, ...command])
    t.match(said, /^fd00::2 who\nfd00::1 who$/m, pollingType)
  }
})
