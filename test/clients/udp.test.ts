// Datagrams and their real clients.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Command, root, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { unavailable } from '../conformance/available.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { client } from './client.js'

async function start(t: Test, ...args: string[]): Promise<number> {
  const local = ['--no-config', '--allow-root', '-P', 'UDP', '-h', '127.0.0.1', '-p', '0']
  const command = new Command([...local, ...args])
  t.teardown(() => command.stop())
  return command.port()
}

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
