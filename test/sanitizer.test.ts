// The conformance suite on an addon that is built with AddressSanitizer and UBSan. Node itself is not, so
// their libraries are loaded first and leaks, of which Node has its own, are not looked for: the tests of the
// C++ core do that.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { root, temporary } from './cli/command.js'
import { lacking, run } from './compiler.js'
import { unavailable } from './conformance/available.js'
import { refuse, VARIANTS } from './conformance/variant.js'

const BUILD = join(root, 'build-asan')
const BUILD_MS = 300_000
const SUITE_MS = 900_000
t.setTimeout(BUILD_MS + 2 * SUITE_MS)

async function build(): Promise<string | undefined> {
  const sanitize = '-DGAIDAROS_SANITIZE=address;undefined'
  for (const args of [
    ['-S', root, '-B', BUILD, '-DCMAKE_BUILD_TYPE=Debug', sanitize],
    ['--build', BUILD, '--parallel', '2'],
  ]) {
    const { code, stderr } = await run('cmake', args, BUILD_MS)
    if (code !== 0) return stderr
  }
  return undefined
}

/** Path of a library of the compiler's; undefined when it is not installed. */
function library(name: string): string | undefined {
  const path = spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout?.trim()
  return path?.startsWith('/') ? path : undefined
}

async function suite(t: Test, name: 'edge' | 'completion', preload: string): Promise<void> {
  const reason = await unavailable(VARIANTS[name])
  if (reason !== undefined) return refuse(t, reason)
  const reports = temporary(t)
  const loader = join(root, 'node_modules/@tapjs/typescript/dist/esm/import.mjs')
  const environment = [
    ...Object.keys(process.env).flatMap((key) => (key.startsWith('TAP') ? ['-u', key] : [])),
    `LD_PRELOAD=${preload}`,
    `ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:log_path=${join(reports, 'asan')}`,
    `UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=${join(reports, 'ubsan')}`,
    `GAIDAROS_BUILD=${join(BUILD, 'Debug')}`,
    'TS_NODE_TRANSPILE_ONLY=1',
    'TAP_TIMEOUT=900',
    'GAIDAROS_TEST_SLOW=2',
  ]
  // Where this addon could not be loaded, another would be.
  const loaded = await run(
    'env',
    [
      ...environment,
      process.execPath,
      '--input-type=module',
      '-e',
      `await import(${JSON.stringify(pathToFileURL(join(root, 'dist/index.js')).href)})
       console.log((await import('node:fs')).readFileSync('/proc/self/maps', 'utf8'))`,
    ],
    SUITE_MS,
  )
  t.match(loaded.stdout, join(BUILD, 'Debug/gaidaros.node'), 'the sanitized addon is loaded')
  t.notMatch(loaded.stdout, join(root, 'build/Release/'), 'and no other')
  const { stdout, stderr, code, signal } = await run(
    'env',
    [
      ...environment,
      process.execPath,
      `--import=${loader}`,
      '--enable-source-maps',
      join(root, 'test/conformance', `${name}.test.ts`),
    ],
    SUITE_MS,
  )
  for (const report of readdirSync(reports)) t.fail(readFileSync(join(reports, report), 'utf8'))
  const passed = [...stdout.matchAll(/^ok \d+ - (?!.*# SKIP)\S/gm)].length
  const failed = [...stdout.matchAll(/^not ok \d+ - .*/gm)].map(([line]) => line)
  t.strictSame(
    failed,
    [],
    `no case failed\n${stdout.match(/^ {4}not ok[\s\S]*?\.\.\./m)?.[0] ?? ''}\n${stderr.slice(-2000)}`,
  )
  t.strictSame({ code, signal }, { code: 0, signal: null })
  t.ok(passed >= 150, `${passed} cases passed`)
}

const asan = library('libasan.so')
const ubsan = library('libubsan.so')
const hasCmake = spawnSync('cmake', ['--version']).status === 0

if (process.platform !== 'linux' || !hasCmake || !asan || !ubsan)
  lacking(t, "cmake or the compiler's sanitizers are not installed")
else {
  const problem = await build()
  if (problem !== undefined) t.fail(problem)
  else
    for (const name of ['edge', 'completion'] as const)
      void t.test(`conformance on ${name}, sanitized`, (t) => suite(t, name, `${asan} ${ubsan}`))
}
