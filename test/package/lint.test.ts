// Lint, format and types are tests like any other, so that `npm test` says all there is to say.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { lacking } from '../compiler.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
t.setTimeout(300_000)

interface Outcome {
  status: number | null
  text: string
}

function run(command: string, args: readonly string[]): Outcome {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  return { status, text: `${error?.message ?? ''}${stdout}${stderr}` }
}

const local = (script: string, ...args: string[]) => run(process.execPath, [script, ...args])

t.test('biome finds nothing', async (t) => {
  const { status, text } = local('node_modules/@biomejs/biome/bin/biome', 'ci', '.')
  t.equal(status, 0, text)
})

t.test('types hold in sources and tests', async (t) => {
  const { status, text } = local('node_modules/typescript/bin/tsc', '-p', 'test/tsconfig.json')
  t.equal(status, 0, text)
})

// Another release formats otherwise, so only the one that the project uses can judge.
function clangFormat(): string | undefined {
  return ['clang-format-14', 'clang-format'].find((name) =>
    run(name, ['--version']).text.includes('version 14.'),
  )
}

t.test('what is generated is up to date', async (t) => {
  const { status, text } = local('scripts/generate.mjs', '--check')
  t.equal(status, 0, text)
})

t.test('C++ is formatted', async (t) => {
  const format = clangFormat()
  if (!format) return lacking(t, 'clang-format 14 is not installed')
  const listed = run('git', ['ls-files', '--', '*.cc', '*.h'])
  if (listed.status !== 0) {
    t.pass('', { skip: 'no git checkout' })
    return
  }
  const sources = listed.text.trim().split('\n')
  t.ok(sources.length > 10, 'there are sources to check')
  const { status, text } = run(format, ['--dry-run', '-Werror', ...sources])
  t.equal(status, 0, text)
})

t.test('every shell script parses', async (t) => {
  const listed = run('git', ['ls-files', '--', '.ci/run', '*.sh'])
  if (listed.status !== 0) {
    t.pass('', { skip: 'no git checkout' })
    return
  }
  for (const script of listed.text.trim().split('\n'))
    t.equal(run('bash', ['-n', script]).status, 0, script)
})

t.test('the lock file names no registry', async (t) => {
  const { status, text } = run('git', ['grep', '-n', '"resolved"', '--', 'package-lock.json'])
  if (status === 128) t.pass('', { skip: 'no git checkout' })
  else t.equal(status, 1, text)
})
