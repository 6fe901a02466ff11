// Several threads of one process, each with an engine of its own, and processes that end by themselves.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { root } from './cli/command.js'
import { unavailable } from './conformance/available.js'
import { until } from './conformance/deadline.js'
import { refuse, VARIANTS } from './conformance/variant.js'

const index = pathToFileURL(join(root, 'dist/index.js')).href
t.setTimeout(120_000)

const serving = (pollingType: string): string => `
  import { parentPort } from 'node:worker_threads'
  import { Gaidaros } from ${JSON.stringify(index)}
  const server = new Gaidaros({
    engine: 'native', pollingType: '${pollingType}', host: '127.0.0.1', port: 0, log: () => {},
    handleRequest: (line) => line.toString().toUpperCase(),
  })
  const [address] = await server.serve()
  parentPort.postMessage(address.port)
  parentPort.on('message', async () => { await server.close(); parentPort.close() })
`

const start = (pollingType: string): Worker =>
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(serving(pollingType))}`), {
    execArgv: [],
  })

async function ask(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(text)
  let got = ''
  for await (const piece of socket.setEncoding('latin1')) got += String(piece)
  return got
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

for (const polling of ['edge', 'level', 'completion'] as const)
  void t.test(`${polling}: four threads, two ended and two terminated`, async (t) => {
    const reason = await unavailable(VARIANTS[polling])
    if (reason !== undefined) return refuse(t, reason)
    const before = descriptors()
    for (let round = 0; round < 2; round++) {
      const workers = Array.from({ length: 4 }, () => start(polling))
      const ports = await Promise.all(
        workers.map(async (worker) => Number((await once(worker, 'message'))[0])),
      )
      const answers = await Promise.all(ports.map((port) => ask(port, `hello ${port}\n`)))
      t.strictSame(
        answers,
        ports.map((port) => `HELLO ${port}\n`),
      )
      // Clients that ask and ask, a dozen requests ahead, while the thread goes away.
      const left = ports.map((port) => connect(port, '127.0.0.1').on('error', () => undefined))
      for (const socket of left)
        socket.on('data', (bytes: Buffer) => void socket.write(bytes)).write('again\n'.repeat(12))
      await Promise.all(left.map((socket) => once(socket, 'data')))
      const gone = workers.map((worker) => once(worker, 'exit'))
      for (const [nth, worker] of workers.entries())
        if (nth < 2) worker.postMessage('end')
        else void worker.terminate()
      await Promise.all(gone)
      for (const socket of left) socket.destroy()
    }
    await until(() => descriptors() <= before, 'the descriptors of before')
    t.pass('descriptors are given back')
  })

t.test(
  'a process ends by itself when its servers are closed, whatever else it serves',
  async (t) => {
    const program = `
    import { Gaidaros } from ${JSON.stringify(index)}
    const servers = ['edge', 'level', 'edge'].map((pollingType) => new Gaidaros({
      engine: 'native', pollingType, host: '127.0.0.1', port: 0, log: () => {} }))
    for (const server of servers) await server.serve()
    // Timers and immediates go on while the first of them sleeps in its own poller.
    let immediates = 0
    await new Promise((done) => {
      const again = () => (++immediates < 100 ? setImmediate(again) : setTimeout(done, 30))
      again()
    })
    for (const server of servers) await server.close()
    console.log('closed')
  `
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', program],
      { encoding: 'utf8', timeout: 30_000 },
    )
    t.equal(status, 0, stderr)
    t.equal(stdout, 'closed\n')
  },
)

t.test(
  'process.exit() while serving, and an environment that ends with the server open',
  async (t) => {
    for (const end of ['process.exit(7)', 'setImmediate(() => process.exit(7))']) {
      const program = `
      import { Gaidaros } from ${JSON.stringify(index)}
      const server = new Gaidaros({ engine: 'native', host: '127.0.0.1', port: 0, log: () => {} })
      await server.serve()
      ${end}
    `
      const { status, signal, stderr } = spawnSync(
        process.execPath,
        ['--input-type=module', '-e', program],
        { encoding: 'utf8', timeout: 30_000 },
      )
      t.strictSame({ status, signal }, { status: 7, signal: null }, stderr)
    }
  },
)
