// Messages of ZeroMQ and their real clients: Debian's libzmq by python3-zmq, which is another build than the server's.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Dealer } from 'zeromq'
import { Command, root, run, temporary } from '../cli/command.js'
import { lacking, run as runProgram } from '../compiler.js'
import { DEADLINE_MS, tick, until } from '../conformance/deadline.js'
import { client } from './client.js'

/** Debian's, whose packages are not those of another python3 on the PATH. */
const PYTHON = '/usr/bin/python3'
const MODULE = '/usr/lib/python3/dist-packages/zmq/__init__.py'

/** Says that it has the request, and answers later, or never. */
const LATE =
  '(r, c) => (c.write("got"), new Promise((done) => setTimeout(done, 500, r.length === 1 ? Buffer.alloc(4e6) : r)))'
const NEVER = '(r, c) => (c.write("got"), new Promise(() => undefined))'

const ZMQ = ['--no-config', '--allow-root', '--allow-code', '-P', 'zmq']
const LOCAL = ['-h', '127.0.0.1', '-p', '0']

async function start(t: Test, ...args: string[]): Promise<Command> {
  const command = new Command([...ZMQ, ...args])
  t.teardown(() => command.stop())
  await command.until(/try it: /)
  return command
}

async function python(t: Test, program: string, ...args: string[]): Promise<string | undefined> {
  if (!existsSync(MODULE)) return void lacking(t, 'python3-zmq is not installed')
  return client(PYTHON, ['-c', program, ...args])
}

function dealer(t: Test, port: number, more = {}): Dealer {
  const limits = { linger: 0, receiveTimeout: DEADLINE_MS, sendTimeout: DEADLINE_MS }
  const peer = new Dealer({ ...limits, ...more })
  t.teardown(() => peer.close())
  peer.connect(`tcp://127.0.0.1:${port}`)
  return peer
}

const PEERS = `
import sys, zmq
context = zmq.Context()
def peer(kind):
    socket = context.socket(kind)
    socket.ipv6 = True
    socket.linger = 0
    socket.rcvtimeo = 30000
    socket.connect(sys.argv[1])
    return socket
`

const ASKS = `${PEERS}
request = peer(zmq.REQ)
for text in (b"one", b"", b"x" * 300000):
    request.send(text)
    assert request.recv() == text
print("REQ")
dealer = peer(zmq.DEALER)
for i in range(3000): dealer.send_multipart([b"%d" % i, b"", b"body %d" % i])
for i in range(3000): assert dealer.recv_multipart() == [b"%d" % i, b"", b"body %d" % i]
print("DEALER")
many = [peer(zmq.REQ) for _ in range(100)]
for i, each in enumerate(many): each.send(b"%d" % i)
for i, each in enumerate(many): assert each.recv() == b"%d" % i
print("a hundred")
`

t.test('REQ, DEALER and a hundred clients', async (t) => {
  const port = await (await start(t, ...LOCAL)).port()
  const said = await python(t, ASKS, `tcp://127.0.0.1:${port}`)
  if (said !== undefined) t.equal(said, 'REQ\nDEALER\na hundred\n')
})

t.test('behind a broker: ROUTER and DEALER between client and server', async (t) => {
  const port = await (await start(t, ...LOCAL)).port()
  const program = `${PEERS}
import threading
front = context.socket(zmq.ROUTER)
place = "tcp://127.0.0.1:%d" % front.bind_to_random_port("tcp://127.0.0.1")
threading.Thread(target=zmq.proxy, args=(front, peer(zmq.DEALER)), daemon=True).start()
request = context.socket(zmq.REQ)
request.rcvtimeo = 30000
request.connect(place)
request.send(b"through")
print(request.recv().decode(), flush=True)
import os; os._exit(0)
`
  const said = await python(t, program, `tcp://127.0.0.1:${port}`)
  if (said !== undefined) t.equal(said, 'through\n')
})

t.test('the line of the banner, over a path', async (t) => {
  const folder = temporary(t)
  const path = join(folder, 's')
  const command = await start(t, '--socket-path', path, '-M', 'r => r + ", yourself"')
  const [, program = ''] = await command.until(/try it: python3 -c '(.*)'\n/)
  const said = await python(t, program)
  if (said !== undefined) t.equal(said, "b'hello, yourself'\n")
  t.equal(statSync(path).mode & 0o777, 0o600)
  command.child.kill('SIGTERM')
  t.equal((await command.ended).code, 0)
  t.strictSame(readdirSync(folder), [])
})

t.test('TERM: what is in flight is answered, and arrives', async (t) => {
  const command = await start(t, ...LOCAL, '-M', LATE)
  const peer = dealer(t, await command.port(), { receiveHighWaterMark: 1 })
  for (let i = 0; i < 10; i++) await peer.send('?')
  await peer.send('last')
  for (let i = 0; i < 11; i++) t.equal(String(await peer.receive()), 'got')
  command.child.kill('SIGTERM')
  await command.until(/SIGTERM: stopping; 11 open/)
  for (let i = 0; i < 10; i++) {
    const [body] = await peer.receive()
    t.equal(body?.length, 4e6)
    await tick(20)
  }
  t.equal(String(await peer.receive()), 'last')
  t.equal((await command.ended).code, 0)
})

t.test('TERM: shutdown_grace is the end of it', async (t) => {
  const grace = ['--shutdown-grace', '300ms']
  const command = await start(t, ...LOCAL, ...grace, '-M', NEVER)
  const peer = dealer(t, await command.port())
  await peer.send('?')
  t.equal(String(await peer.receive()), 'got')
  command.child.kill('SIGTERM')
  const { code } = await command.ended
  t.equal(code, 0)
})

t.test('a reload takes the new handler', async (t) => {
  const module = join(temporary(t), 'handler.mjs')
  const handler = (word: string) =>
    writeFileSync(module, `export const handleRequest = () => '${word}'\n`)
  handler('old')
  const command = await start(t, ...LOCAL, '-m', module)
  const peer = dealer(t, await command.port())
  const ask = async () => {
    await peer.send('?')
    return String(await peer.receive())
  }
  t.equal(await ask(), 'old')
  handler('new')
  command.child.kill('SIGHUP')
  await command.until(/SIGHUP: reloaded/)
  t.equal(await ask(), 'new')
})

t.test('the access log', async (t) => {
  const file = join(temporary(t), 'access.log')
  const command = await start(t, ...LOCAL, '--access-log', file)
  const peer = dealer(t, await command.port(), { routingId: 'me' })
  await peer.send('abc')
  await peer.receive()
  const logged = () => readFileSync(file, 'utf8')
  await until(() => / request peer=zmq:6d65 .* in=3 out=3 .* status=ok/.test(logged()), logged)
})

if (process.geteuid?.() === 0)
  t.test('privileges are dropped behind bind()', async (t) => {
    const who = '() => String(process.geteuid())'
    const command = await start(t, ...LOCAL, '--user', 'nobody', '-M', who)
    const peer = dealer(t, await command.port())
    await peer.send('?')
    t.ok(Number(await peer.receive()) > 0)
  })

t.test('sockets that are open already are refused', async (t) => {
  const program = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3</dev/null 2>&1'
  const args = [process.execPath, join(root, 'bin', 'gaidaros.js'), ...ZMQ, ...LOCAL]
  const said = await runProgram('sh', ['-c', program, ...args], DEADLINE_MS)
  t.match(said.stdout, /LISTEN_FDS: libzmq takes no open sockets; wanted none, or another protocol/)
})

/** What a user has who has not installed the package. */
function withoutZeromq(t: Test): string {
  const checkout = temporary(t)
  for (const name of ['bin', 'dist'])
    cpSync(join(root, name), join(checkout, name), { recursive: true })
  for (const name of ['package.json', 'build']) symlinkSync(join(root, name), join(checkout, name))
  mkdirSync(join(checkout, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== 'zeromq' && !name.startsWith('.'))
      symlinkSync(join(root, 'node_modules', name), join(checkout, 'node_modules', name))
  return checkout
}

t.test('without the package', async (t) => {
  const checkout = withoutZeromq(t)
  const path = join(checkout, 's')
  const wanted = 'protocol zmq: the package zeromq is not installed; wanted npm install zeromq'
  for (const args of [LOCAL, ['--socket-path', path], [...LOCAL, '--check-config']]) {
    const { code, stdout, stderr } = await run([...ZMQ, ...args], { checkout })
    t.not(code, 0)
    t.equal(stderr.trim().split('\n').length, 1, stderr)
    t.match(stderr, wanted)
    t.notMatch(stdout, /listening/)
  }
  t.notOk(existsSync(path))
  const { stdout } = await run(['--probe'], { checkout })
  t.match(stdout, /^-P zmq +no: the package zeromq is not installed; wanted npm install zeromq$/m)
  const others = new Command(['--no-config', '--allow-root', ...LOCAL], { checkout })
  t.teardown(() => others.stop())
  t.ok((await others.port()) > 0, 'nothing else needs it')
})

t.test('a package of another version', async (t) => {
  const checkout = withoutZeromq(t)
  const folder = join(checkout, 'node_modules', 'zeromq')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{"main":"index.cjs"}')
  writeFileSync(join(folder, 'index.cjs'), 'exports.socket = () => undefined\n')
  const { code, stderr } = await run([...ZMQ, ...LOCAL], { checkout })
  t.not(code, 0)
  t.match(stderr, 'protocol zmq: the package zeromq is not of version 6')
})
