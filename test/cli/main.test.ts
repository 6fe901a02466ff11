// What the command tells without serving, and what it says when the options are wrong.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import t from 'tap'
import { version } from '../../lib/version.js'
import { run, temporary } from './command.js'

t.setTimeout(300_000)

t.test('--help lists options, whatever else stands on the line', async (t) => {
  for (const args of [['--help'], ['-u'], ['-h'], ['-h', '--bogus']]) {
    const { code, stdout, stderr } = await run(args)
    t.equal(code, 0, args.join(' '))
    t.match(stdout, /^Usage: gaidaros/)
    t.match(stdout, /-p, --port PORT/)
    t.equal(stderr, '')
  }
})

t.test('--version prints one line', async (t) => {
  t.match(await run(['-V']), { code: 0, stdout: `gaidaros ${version()}\n`, stderr: '' })
})

t.test('--probe says what this machine permits', async (t) => {
  const { code, stdout } = await run(['--probe'])
  t.equal(code, 0)
  t.match(stdout, new RegExp(`^node +${process.versions.node.replaceAll('.', '\\.')}$`, 'm'))
  for (const name of ['kernel', 'glibc', 'native engine', '-T edge', '-T level', '-T completion'])
    t.match(stdout, new RegExp(`^${name} +\\S`, 'm'), name)
  const refused = stdout.split('\n').filter((line) => / no(:|$)/.test(line))
  for (const line of refused) t.match(line, /no: \S/, 'what is not to be had has its reason')
})

t.test('--probe without the addon says why', async (t) => {
  const { stdout } = await run(['--probe'], { env: { GAIDAROS_NATIVE: 'off' } })
  t.match(stdout, /^native engine +no: .*GAIDAROS_NATIVE is off/m)
  t.match(stdout, /^portable engine +yes$/m)
  t.match(stdout, /^TLS +yes$/m, 'what the portable engine has is told')
  t.match(stdout, /^-z gzip +yes$/m)
  t.match(stdout, 'zstdCompressSync' in zlib ? /^-z zstd +yes$/m : /^-z zstd +no: \S/m)
})

t.test('--print-config names the origin of each value', async (t) => {
  const env = { GAIDAROS_BACKLOG: '64' }
  const { code, stdout } = await run(['-p', '7000', '--print-config'], { env })
  t.equal(code, 0)
  t.match(stdout, /# command line, -p\nport = 7000\n/)
  t.match(stdout, /# environment, GAIDAROS_BACKLOG\nbacklog = 64\n/)
  t.match(stdout, /# default\nhost = localhost\n/)
})

t.test('--print-config can be read back', async (t) => {
  const file = join(temporary(t), 'printed.conf')
  const first = await run(['-p', '7000', '--idle-timeout', '5m', '--print-config'])
  writeFileSync(file, first.stdout, { mode: 0o600 })
  const second = await run(['-c', file, '--print-config'])
  t.equal(second.code, 0, second.stderr)
  const values = (text: string) => text.split('\n').filter((line) => /^[a-z[]/.test(line))
  t.strictSame(values(second.stdout), values(first.stdout))
})

t.test('--check-config resolves files, handler and addresses', async (t) => {
  const folder = temporary(t)
  const handler = join(folder, 'shout.ts')
  writeFileSync(handler, 'export const handleRequest = (r: Buffer): Buffer => r\n')
  const good = await run(['--check-config', '-m', handler, '-h', '127.0.0.1', '-p', '7000'])
  t.match(good, { code: 0, stderr: '' })
  t.match(good.stdout, /addresses: 127\.0\.0\.1:7000\n/)
  t.match(good.stdout, handler)

  writeFileSync(handler, 'export const handelRequest = 1\n')
  const bad = await run(['--check-config', '-m', handler])
  t.equal(bad.code, 1)
  t.match(bad.stderr, /handleRequest/)
  t.equal(bad.stderr.trim().split('\n').length, 1, bad.stderr)
})

t.test('--check-config says which module cannot be found', async (t) => {
  const { code, stderr } = await run(['--check-config', '-m', './no-such-handler.ts'])
  t.equal(code, 1)
  t.match(stderr, /^gaidaros: .*no-such-handler\.ts/)
  t.notMatch(stderr, /^ +at /m, 'no stack')
})

t.test('all wrong options are named at once, with suggestions', async (t) => {
  const args = ['--prot', '-T', 'egde', '-p', '99999', '--idle-timeout', 'soon', 'strat']
  const { code, stdout, stderr } = await run(args, { env: { GAIDAROS_BAKLOG: '5' } })
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, /no option "--prot"; did you mean --port\?/)
  t.match(stderr, /-T: polling_type "egde": .*did you mean edge\?/)
  t.match(stderr, /-p: port "99999": wanted a whole number from 0 to 65535/)
  t.match(stderr, /idle_timeout "soon"/)
  t.match(stderr, /"strat"/)
  t.match(stderr, /GAIDAROS_BAKLOG.*did you mean GAIDAROS_BACKLOG\?/)
  t.notMatch(stderr, /^ +at /m, 'no stack')
})

t.test('a configuration file with a wrong key is 2, with its line', async (t) => {
  const file = join(temporary(t), 'wrong.conf')
  writeFileSync(file, '[global]\nprot = 7000\n', { mode: 0o600 })
  const { code, stderr } = await run(['-c', file, '--check-config'])
  t.equal(code, 2)
  t.match(stderr, /wrong\.conf:2/)
  t.match(stderr, /did you mean port\?/)
})

t.test('a feature of a later version is refused by name', async (t) => {
  const { code, stderr } = await run(['-f', 'http', '--profile'])
  t.equal(code, 2)
  t.match(stderr, /frontend.*not available in this version/)
  t.match(stderr, /profile.*not available in this version/)
})
