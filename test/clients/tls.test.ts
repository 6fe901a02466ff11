// TLS and other people's clients: openssl s_client, curl, sslscan; and the command that serves them, its reload, its
// control socket and its workers.

import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Command, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'
import {
  authority,
  type Identity,
  server as ofServer,
  otherServer,
  stranger,
  user,
} from '../conformance/certificates.js'
import { until } from '../conformance/deadline.js'
import { client } from './client.js'

const HTTP = `
export const splitRequest = { framer: 'delimiter', delimiter: '\\r\\n\\r\\n' }
export const handleRequest = (head, { tls }) => {
  const body = tls.protocol + ' ' + tls.alpn + ' ' + tls.serverName
  return 'HTTP/1.1 200 OK\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n' + body
}
`
const WHO = `
export const endRequest = 'line'
export const handleRequest = (_, { tls }) =>
  [tls.protocol, tls.alpn, tls.serverName, tls.authorized, tls.peer?.subject].join(' ') + '\\n'
`

const SCLIENT_MS = 60_000

interface Started {
  command: Command
  port: string
  folder: string
}

/** A server of the command over these files. */
async function start(t: Test, identity: Identity, ...args: string[]): Promise<Started> {
  const folder = temporary(t)
  const { certFile, keyFile } = identity
  const files = ['--tls-cert', certFile, '--tls-key', keyFile]
  const place = ['-h', '127.0.0.1', '-p', '0']
  const command = new Command(['--no-config', '--allow-root', ...place, ...files, ...args], {
    cwd: folder,
  })
  t.teardown(() => command.stop())
  const [, port = ''] = await command.until(/127\.0\.0\.1:(\d+)/)
  return { command, port, folder }
}

function module(t: Test, text: string): string {
  const path = join(temporary(t), 'handler.mjs')
  writeFileSync(path, text)
  return path
}

interface Typed {
  /** What is typed once the output so far matches. */
  after?: RegExp
  text: string
}

/**
 * What openssl s_client prints until it ends.
 * @param typed the last of it stays unanswered where the server does not end the connection; then it ends with its input
 */
function sClient(port: string, args: string[], ...typed: Typed[]): Promise<string> {
  const trust = ['-CAfile', authority().certFile, '-verify_return_error']
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...trust, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: SCLIENT_MS,
  })
  const waiting = typed.length === 0 ? [{ text: 'line\n' }] : [...typed]
  let said = ''
  const type = () => {
    const [next] = waiting
    if (next === undefined || next.after?.test(said) === false) return
    waiting.shift()
    if (next.text === '') child.stdin.end()
    else child.stdin.write(next.text)
  }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk
      type()
    })
  child.stdin.on('error', () => undefined)
  type()
  return new Promise((resolve) => child.on('close', () => resolve(said)))
}

/** The handler's answer in it, whose connection ends after one line. */
const ONCE = ['--no-keepalive']

t.test('openssl s_client', async (t) => {
  const { port, command, folder } = await start(
    t,
    ofServer(),
    ...['-m', module(t, WHO), '--tls-alpn', 'h9,echo', '--tls-verify', 'optional'],
    ...['--tls-ca', authority().certFile, ...ONCE],
  )
  await t.test('certificate, ALPN, server name', async (t) => {
    const args = ['-servername', 'localhost', '-verify_hostname', 'localhost', '-alpn', 'echo']
    const said = await sClient(port, args)
    t.match(said, /Verify return code: 0 \(ok\)/)
    t.match(said, /ALPN protocol: echo/)
    t.match(said, /TLSv1\.3 echo localhost false /)
    // close_notify ends it; without one this version of OpenSSL speaks of an unexpected eof.
    t.notMatch(said, /unexpected eof/)
  })
  await t.test('TLS 1.2', async (t) => {
    t.match(await sClient(port, ['-tls1_2']), /TLSv1\.2 {2}.*false/)
  })
  await t.test('TLS 1.1 is refused', async (t) => {
    const said = await sClient(port, ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'])
    t.match(said, /alert protocol version/)
    t.match(said, /Cipher is \(NONE\)/)
  })
  await t.test('resumption', async (t) => {
    for (const version of ['-tls1_3', '-tls1_2']) {
      const file = join(folder, `session${version}`)
      await sClient(port, [version, '-sess_out', file])
      t.ok(existsSync(file))
      t.match(await sClient(port, [version, '-sess_in', file]), /^Reused, TLSv1\.[23]/m, version)
    }
  })
  await t.test('client certificates', async (t) => {
    const shown = (identity: Identity) => ['-cert', identity.certFile, '-key', identity.keyFile]
    t.match(await sClient(port, shown(user())), /TLSv1\.3 .*true O=Users/)
    t.match(await sClient(port, shown(stranger())), /TLSv1\.3 .*false CN=Stranger/)
  })
  await t.test('renegotiation is refused', async (t) => {
    const said = await sClient(port, ['-tls1_2'], { after: /Verify return code/, text: 'R\n' })
    t.match(said, /RENEGOTIATING[\s\S]*no renegotiation/)
  })
  await t.test('new keys in mid-connection', async (t) => {
    const said = await sClient(
      port,
      ['-tls1_3'],
      { after: /Verify return code/, text: 'K\n' },
      { after: /KEYUPDATE/, text: 'line\n' },
    )
    t.match(said, /KEYUPDATE[\s\S]*TLSv1\.3 {2}.*false/)
  })
  t.notMatch(command.stderr, /internal error/)
})

t.test('client certificates that are required', async (t) => {
  const required = ['--tls-verify', 'required', '--tls-ca', authority().certFile, ...ONCE]
  const { port } = await start(t, ofServer(), ...required)
  t.match(await sClient(port, []), /alert certificate required/)
  const { certFile, keyFile } = user()
  t.match(await sClient(port, ['-cert', certFile, '-key', keyFile]), /line$/m)
})

t.test('curl', async (t) => {
  const { port } = await start(t, ofServer(), '-m', module(t, HTTP))
  const args = ['-sS', '--cacert', authority().certFile, '--no-alpn']
  const answer = await client('curl', [...args, `https://localhost:${port}/`])
  if (answer === undefined) return lacking(t, 'curl is not installed')
  t.equal(answer, 'TLSv1.3 undefined localhost')
  t.equal(
    await client('curl', [...args, '--tls-max', '1.2', `https://localhost:${port}/`]),
    'TLSv1.2 undefined localhost',
  )
})

t.test('sslscan finds no weak cipher', async (t) => {
  const { port } = await start(t, ofServer())
  const said = await client('sslscan', ['--no-colour', `127.0.0.1:${port}`])
  if (said === undefined) return lacking(t, 'sslscan is not installed')
  for (const old of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1'])
    t.match(said, new RegExp(`${old.replace('.', '\\.')}\\s+disabled`), old)
  const ciphers = said.match(/^(?:Preferred|Accepted) .*/gm) ?? []
  t.ok(ciphers.length > 3, `${ciphers.length} ciphers`)
  for (const cipher of ciphers) t.match(cipher, /GCM|POLY1305/)
  for (const cipher of ciphers) t.match(cipher, /TLSv1\.3|ECDHE/)
  t.notMatch(said, /(?<!not )vulnerable/)
})

/** Who the certificate of the server is for. */
async function shown(port: string): Promise<string | undefined> {
  const said = await sClient(port, [], { after: /Verify return code/, text: '' })
  return /subject=CN ?= ?(\S+)/.exec(said)?.[1]
}

t.test('a reload of certificates: HUP, the control socket, server processes', async (t) => {
  for (const more of [[], ['-S', 'procpool', '-N', '2']]) {
    const files = temporary(t)
    const identity = { ...ofServer(), certFile: join(files, 'c'), keyFile: join(files, 'k') }
    const put = (from: Identity) => {
      copyFileSync(from.certFile, identity.certFile)
      copyFileSync(from.keyFile, identity.keyFile)
    }
    put(ofServer())
    const control = join(files, 'ctl')
    const { port, command } = await start(t, identity, '--control-socket', control, ...more)
    const ctl = () =>
      new Command(['ctl', 'reload-certificates', '--no-config', '--control-socket', control]).ended
    t.equal(await shown(port), 'localhost')
    put(otherServer())
    command.child.kill('SIGHUP')
    await command.until(/SIGHUP: reloaded; changed: .*certificates/)
    t.equal(await shown(port), 'other.test', `HUP ${more}`)
    put(ofServer())
    t.match(await ctl(), { code: 0, stdout: /reloaded: / })
    await until(async () => (await shown(port)) === 'localhost', 'the new certificate')
    writeFileSync(identity.keyFile, 'no key')
    t.match(await ctl(), { code: 1, stderr: /tls_key: .* no private key in PEM/ })
    command.child.kill('SIGHUP')
    await command.until(/not reloaded; the server goes on as it was/)
    t.equal(await shown(port), 'localhost', `the old one stays ${more}`)
    command.child.kill('SIGTERM')
    await command.ended
  }
})

t.test('server processes take each other’s tickets', async (t) => {
  const { port, folder } = await start(t, ofServer(), '-S', 'procpool', '-N', '3', ...ONCE)
  const file = join(folder, 'session')
  await sClient(port, ['-sess_out', file])
  for (let i = 0; i < 6; i++)
    t.match(await sClient(port, ['-sess_in', file, '-no_ticket', '-tls1_3']), /^Reused/m)
})

t.test('handlers in threads and processes know of it', async (t) => {
  const verify = ['--tls-verify', 'required', '--tls-ca', authority().certFile, ...ONCE]
  const { certFile, keyFile } = user()
  for (const type of ['threadpool', 'procpool'])
    for (const engine of ['native', 'portable']) {
      const how = ['-X', type, '-n', '1', '--engine', engine, '-m', module(t, WHO), ...verify]
      const { port, command } = await start(t, ofServer(), ...how)
      const said = await sClient(port, ['-cert', certFile, '-key', keyFile, '-servername', 'me'])
      t.match(said, /TLSv1\.3 {2}me true O=Users/, `${type}, ${engine}`)
      command.child.kill('SIGTERM')
      await command.ended
    }
})

t.test('--check-config looks at the files', async (t) => {
  const check = (cert: string, key: string) =>
    new Command(['--no-config', '--check-config', '--tls-cert', cert, '--tls-key', key]).ended
  t.match(await check(ofServer().certFile, ofServer().keyFile), { code: 0 })
  const bad = await check(ofServer().certFile, stranger().keyFile)
  t.not(bad.code, 0)
  t.match(bad.stderr, /tls_key: .* is not the key of the first certificate/)
})
