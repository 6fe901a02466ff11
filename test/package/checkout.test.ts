// The README's first command on a clean checkout without any compiler: the package installs, says in
// a line what is missing, and the portable engine serves.
import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import t from 'tap'
import { Client, Command, plainEnv, root, temporary } from '../cli/command.js'

t.setTimeout(600_000)

const COMPILER = /^(.*-)?(cc|c\+\+|gcc|g\+\+|cpp|clang|clang\+\+|clang-cpp|c89|c99)(-[\d.]+)?$/

/** Folders like those of PATH, as links, less the compilers. */
function pathWithoutCompilers(into: string): string {
  const folders = [dirname(process.execPath), ...(process.env['PATH'] ?? '').split(delimiter)]
  for (const folder of folders.filter((folder) => lstatSync(folder, { throwIfNoEntry: false }))) {
    for (const name of readdirSync(folder).filter((name) => !COMPILER.test(name))) {
      const link = join(into, name)
      if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(join(folder, name), link)
    }
  }
  return into
}

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  return { status, text: `${stdout}${stderr}` }
}

t.test('npm ci && npm start without a compiler', async (t) => {
  const folder = temporary(t)
  const checkout = join(folder, 'checkout')
  const cloned = run('git', ['clone', '-q', root, checkout], folder, process.env)
  if (cloned.status !== 0) {
    t.pass('', { skip: `no git checkout to clone: ${cloned.text.trim()}` })
    return
  }
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const PATH = pathWithoutCompilers(bin)
  const env = plainEnv({ PATH, CXX: '', CC: '' })
  t.not(run('sh', ['-c', 'command -v c++ g++ clang++ cc gcc'], folder, env).status, 0)

  const installed = run('npm', ['ci', '--prefer-offline'], checkout, env)
  if (/ENOTFOUND|ENOTCACHED|ECONNREFUSED|EAI_AGAIN/.test(installed.text) && !process.env['CI']) {
    t.pass('', { skip: 'the package registry cannot be reached' })
    return
  }
  t.equal(installed.status, 0, installed.text)
  const notices = installed.text.split('\n').filter((line) => line.includes('portable engine'))
  t.strictSame(notices, [
    'gaidaros: native addon not built (no C++ compiler on the PATH); the portable engine will serve.',
  ])

  const server = new Command(['-h', '127.0.0.1', '-p', '0'], { cwd: checkout, env, checkout })
  t.teardown(() => server.stop())
  const client = await Client.connect(await server.port())
  client.socket.end('hello\n')
  await client.closed
  t.equal(client.received, 'hello\n')
  t.match(server.stdout, /node:net/)
  const warnings = server.stderr.split('\n').filter((line) => line.includes('portable'))
  t.equal(warnings.length, 1, `one warning: ${server.stderr}`)
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null })
})
