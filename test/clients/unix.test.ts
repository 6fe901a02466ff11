// A unix socket and its real clients, and its name while the server is reloaded and upgraded.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { native } from '../../lib/native.js'
import { Command, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import { until } from '../conformance/deadline.js'
import { client } from './client.js'

const HANDLER = `
export const splitRequest = { framer: 'delimiter', delimiter: '\\r\\n\\r\\n' }
export const handleRequest = (head, { credentials }) => {
  const body = String(head).split(' ')[1] + ' by ' + (credentials?.uid ?? 'somebody')
  return 'HTTP/1.1 200 OK\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n' + body
}
`

const start = (t: Test, ...args: string[]) => startProtocol(t, 'unixsocket', ...args)

async function startProtocol(
  t: Test,
  protocol: string,
  ...args: string[]
): Promise<{ command: Command; path: string }> {
  const folder = temporary(t)
  const path = join(folder, 's')
  const command = new Command(
    ['--no-config', '--allow-root', '-P', protocol, '--socket-path', path, ...args],
    { cwd: folder },
  )
  t.teardown(() => command.stop())
  await command.until(/try it: .*(?:nc .*-U|socat)/)
  return { command, path }
}

t.test('nc, socat', async (t) => {
  const { path } = await start(t)
  const clients: [string, string[]][] = [
    ['nc', ['-N', '-U', path]],
    ['socat', ['-t', '30', '-', `UNIX-CONNECT:${path}`]],
  ]
  for (const [program, args] of clients) {
    const answer = await client(program, args, 'one\ntwo\n')
    if (answer === undefined) lacking(t, `${program} is not installed`)
    else t.equal(answer, 'one\ntwo\n', program)
  }
})

t.test('datagrams: nc, socat', async (t) => {
  if (native === undefined) return void t.pass('unixdgram', { skip: 'there is no addon' })
  const { path } = await startProtocol(t, 'unixdgram', '-S', 'procpool', '-N', '2')
  const clients: [string, string[]][] = [
    ['nc', ['-u', '-w', '2', '-U', path]],
    ['socat', ['-t', '5', '-', `UNIX-SENDTO:${path},bind=${path}.client`]],
  ]
  for (const [program, args] of clients) {
    const answer = await client(program, args, 'hello\n')
    if (answer === undefined) lacking(t, `${program} is not installed`)
    else t.equal(answer, 'hello\n', program)
  }
})

t.test('messages: socat and python3; a reload', async (t) => {
  if (native === undefined) return void t.pass('unixseqpacket', { skip: 'there is no addon' })
  const { command, path } = await startProtocol(t, 'unixseqpacket', '-S', 'procpool', '-N', '2')
  const several = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(${JSON.stringify(path)})
for i in range(5): s.send(b'message %d' % i)
print(*[s.recv(100).decode() for i in range(5)], sep=',')`
  const clients: [string, string[], string][] = [
    ['socat', ['-t', '30', '-', `UNIX-CONNECT:${path},type=5`], 'no newline'],
    ['python3', ['-c', several], 'message 0,message 1,message 2,message 3,message 4\n'],
  ]
  const ask = async () => {
    for (const [program, args, wanted] of clients) {
      const answer = await client(program, args, 'no newline')
      if (answer === undefined) lacking(t, `${program} is not installed`)
      else t.equal(answer, wanted, program)
    }
  }
  await ask()
  command.child.kill('SIGHUP')
  await command.until(/SIGHUP: reloaded/)
  await ask()
  command.child.kill('SIGTERM')
  await until(() => command.child.exitCode !== null, 'its end')
  t.equal(command.child.exitCode, 0)
  t.notOk(existsSync(path))
})

t.test('curl', async (t) => {
  const module = join(temporary(t), 'http.mjs')
  writeFileSync(module, HANDLER)
  const { path } = await start(t, '-m', module)
  const answer = await client('curl', ['-sS', '--unix-socket', path, 'http://any/where'])
  if (answer === undefined) return lacking(t, 'curl is not installed')
  t.equal(answer, `/where by ${process.getuid?.()}`)
})

t.test('server processes: a reload, an upgrade, the end', async (t) => {
  const { command, path } = await start(t, '-S', 'procpool', '-N', '2')
  const ask = async (text: string) => {
    const answer = await client('nc', ['-N', '-U', path], `${text}\n`)
    if (answer === undefined) lacking(t, 'nc is not installed')
    else t.equal(answer, `${text}\n`)
  }
  await ask('first')
  command.child.kill('SIGHUP')
  await command.until(/SIGHUP: reloaded/)
  await ask('reloaded')
  command.child.kill('SIGUSR2')
  const [, pid] = await command.until(/new binary is started, pid (\d+)/)
  const successor = Number(pid)
  t.teardown(() => {
    if (existsSync(`/proc/${successor}`)) process.kill(successor, 'SIGKILL')
  })
  await until(() => command.stdout.split('try it').length === 3, 'the new binary')
  command.child.kill('SIGQUIT')
  // Its output goes on: the new one has it, too.
  await until(() => command.child.exitCode !== null, 'the end of the first')
  t.ok(existsSync(path), 'the name is the new one’s')
  await ask('upgraded')
  process.kill(successor, 'SIGTERM')
  await until(() => !existsSync(`/proc/${successor}`), 'the end of the second')
  t.notOk(existsSync(path))
})
