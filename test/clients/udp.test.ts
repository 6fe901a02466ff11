// Datagrams and their real clients.

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

async function start(t: Test, ...args: string[]): Promise<number> {
  const local = ['--no-config', '--allow-root', '-P', 'UDP', '-h', '127.0.0.1', '-p', '0']
  const command = new Command([...local, ...args])
  t.teardown(() => command.stop())
  return command.port()
}

/** The answer of some server process, from a socket of its own each time. */
const ask = (port: number): Promise<number> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    const send = () => socket.send('who', port, '127.0.0.1')
    const again = setInterval(send, 1000)
    socket.on('message', (answer) => {
      clearInterval(again)
      socket.close()
      resolve(Number(answer))
    })
    send()
  })

for (const engine of native === undefined ? ['portable'] : ['native', 'portable'])
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
