// haproxy in front of a server, with both versions of the PROXY protocol.

import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Connection, Gaidaros, type GaidarosOptions } from '../../dist/index.js'
import { temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { unavailable } from '../conformance/available.js'
import { Client } from '../conformance/client.js'
import { until } from '../conformance/deadline.js'
import { refuse, VARIANTS, type Variant } from '../conformance/variant.js'

/** A port that is free at this moment: haproxy does not tell which one it has taken. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Passes connections to `port` on. @returns the port that it listens on */
async function haproxy(t: Test, port: number, how: string): Promise<number> {
  const front = await freePort()
  const file = join(temporary(t), 'haproxy.cfg')
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 30s
  timeout client 60s
  timeout server 60s
listen front
  bind 127.0.0.1:${front}
  server app 127.0.0.1:${port} ${how}
`,
  )
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => (said += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  await until(
    () =>
      child.exitCode !== null ||
      Client.connect(front).then(
        (client) => {
          client.destroy()
          return true
        },
        () => false,
      ),
    () => `haproxy: ${said}`,
  )
  t.equal(child.exitCode, null, said)
  return front
}

const HOW = ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options unique-id,crc32c']

async function passedOn(t: Test, { options }: Variant, how: string): Promise<void> {
  const server = new Gaidaros({
    ...options,
    host: '127.0.0.1',
    port: 0,
    proxyProtocol: 'auto',
    log: () => undefined,
    handleRequest: (_request: Buffer, { remote, proxy }: Connection) =>
      `${remote.port} ${proxy?.version}\n`,
  } as GaidarosOptions)
  t.teardown(() => server.close())
  const [address] = await server.serve()
  const front = await haproxy(t, address?.port ?? 0, how)
  const client = await Client.connect(front)
  await client.ask('who\n', `${client.localPort} ${how === 'send-proxy' ? 1 : 2}\n`)
  client.destroy()
}

const isHere = spawnSync('haproxy', ['-v']).error === undefined
if (!isHere) lacking(t, 'haproxy is not installed')
else
  for (const name of ['edge', 'completion', 'portable'] as const) {
    const variant = VARIANTS[name]
    const reason = await unavailable(variant)
    if (reason !== undefined) refuse(t, reason)
    else for (const how of HOW) void t.test(`${name}, ${how}`, (t) => passedOn(t, variant, how))
  }
