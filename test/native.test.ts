// Compiles the C++ core and its tests with sanitizers, runs them and reports each of their cases. The
// sources are found by rule: all of native/ but the bridge, and test/native/*_test.cc with main.cc.

import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { findCompiler, isRequired, run } from './compiler.js'

const ROOT = join(import.meta.dirname, '..')
const FLAGS = [
  ...['-std=c++20', '-O1', '-g', '-Wall', '-Wextra', '-D_GNU_SOURCE'],
  ...['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer'],
  ...['-I', join(ROOT, 'native'), '-I', join(ROOT, 'test/native')],
]
// The addon takes OpenSSL from node; here it is the system's (Debian: libssl-dev).
const LIBRARIES = ['-lssl', '-lcrypto']
const COMPILERS_AT_ONCE = 2
const COMPILE_MS = 300_000
const RUN_MS = 300_000

const files = (dir: string, end: string): string[] =>
  readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .sort()
    .map((name) => join(dir, name))

const units = files('native', '.cc').filter((name) => !name.startsWith('native/bridge/'))
const tests = files('test/native', '.cc').filter((name) => !name.startsWith('test/native/fuzz/'))

const changed = (path: string): number =>
  statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
const newestHeader = Math.max(
  ...[...files('native', '.h'), ...files('test/native', '.h')].map((f) => changed(join(ROOT, f))),
)

interface Object {
  source: string
  path: string
}

async function compile(compiler: string, { source, path }: Object): Promise<string | undefined> {
  if (changed(path) > Math.max(newestHeader, changed(join(ROOT, source)))) return undefined
  const done = await run(compiler, [...FLAGS, '-c', join(ROOT, source), '-o', path], COMPILE_MS)
  return done.code === 0 ? undefined : `${source}: ${done.stderr || `ended by ${done.signal}`}`
}

/** Compiles what is stale. @returns what the compilers complained about */
async function compileAll(compiler: string, objects: Object[]): Promise<string[]> {
  const waiting = [...objects]
  const complaints: string[] = []
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const complaint = await compile(compiler, next)
      if (complaint !== undefined) complaints.push(complaint)
    }
  }
  await Promise.all(Array.from({ length: COMPILERS_AT_ONCE }, work))
  return complaints
}

/** Links the tests with those units that they need. @returns the program, or the linker's complaint */
async function link(compiler: string, out: string, tested: Object[], tests: Object[]) {
  const archive = join(out, 'libcore.a')
  rmSync(archive, { force: true })
  const packed = await run('ar', ['rcs', archive, ...tested.map((o) => o.path)], COMPILE_MS)
  if (packed.code !== 0) return { complaint: packed.stderr }
  const program = join(out, 'core-tests')
  const paths = tests.map((o) => o.path)
  const linked = [...paths, archive, ...LIBRARIES, '-o', program]
  const done = await run(compiler, [...FLAGS, ...linked], COMPILE_MS)
  return done.code === 0 ? { program } : { complaint: done.stderr }
}

t.setTimeout(0)
const compiler = findCompiler()
if (compiler === undefined && !isRequired) {
  t.plan(0, 'no C++ compiler (g++, c++ or clang++) on the PATH')
} else {
  t.ok(compiler, 'a C++ compiler is on the PATH')
  const out = join(ROOT, 'build-tests', basename(compiler ?? ''))
  mkdirSync(out, { recursive: true })
  const object = (source: string): Object => ({
    source,
    path: join(out, `${source.replaceAll('/', '-')}.o`),
  })
  const tested = units.map(object)
  const testing = tests.map(object)
  const complaints = await compileAll(compiler ?? '', [...tested, ...testing])
  t.same(complaints, [], 'all sources compile')
  const { program, complaint } = await link(compiler ?? '', out, tested, testing)
  t.equal(complaint, undefined, 'the tests link')
  if (program !== undefined) {
    await t.spawn(program, [], { cwd: ROOT, timeout: RUN_MS }, 'cases of the C++ core')
  }
}
