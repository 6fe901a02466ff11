// Builds the native programs of the benchmark with the system's compilers into bench/build, when stale.
//
//   node bench/build.mjs [NAME...]     all of them without a name; exit 1 when one of those named fails

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { argv, env, exit, pid } from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'

const BENCH = fileURLToPath(new URL('.', import.meta.url))
const NATIVE = join(BENCH, 'native')
const PEER_HEADERS = ['ring.h', 'peers/listen.h', 'peers/epoll.h']

const cpp = { command: env['CXX'] ?? 'g++', flags: ['-std=c++20', '-O2', '-march=native', '-Wall', '-Wextra', '-pthread'] }
const c = { command: env['CC'] ?? 'cc', flags: ['-std=gnu11', '-O2', '-march=native', '-Wall', '-Wextra'] }

const loadgen = readdirSync(join(NATIVE, 'loadgen')).map((name) => `loadgen/${name}`)

const generator = {
  ...cpp,
  sources: loadgen.filter((name) => name.endsWith('.cc')),
  headers: ['ring.h', ...loadgen.filter((name) => name.endsWith('.h'))],
}

/** What is built from what. */
const PROGRAMS = {
  loadgen: generator,
  // Apart, since only it wants OpenSSL.
  'loadgen-tls': { ...generator, define: ['-DBENCH_TLS=1'], libraries: ['-lssl', '-lcrypto'] },
  'raw-epoll-edge': { ...c, sources: ['peers/raw-epoll.c'], headers: PEER_HEADERS, define: ['-DEDGE=1'] },
  'raw-epoll-level': { ...c, sources: ['peers/raw-epoll.c'], headers: PEER_HEADERS, define: ['-DEDGE=0'] },
  'raw-http': { ...c, sources: ['peers/raw-http.c'], headers: PEER_HEADERS, define: ['-DEDGE=1'] },
  'raw-uring': { ...c, sources: ['peers/raw-uring.c'], headers: PEER_HEADERS },
  'raw-udp': { ...c, sources: ['peers/raw-udp.c'], headers: PEER_HEADERS },
  'raw-tls': { ...c, sources: ['peers/raw-tls.c'], headers: PEER_HEADERS, libraries: ['-lssl', '-lcrypto'] },
  libuv: { ...c, sources: ['peers/libuv.c'], headers: [], libraries: ['-luv'] },
}

/** The path of a built program. */
export const programPath = (name) => join(BENCH, 'build', name)

const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

function isStale(name) {
  const { sources, headers } = PROGRAMS[name]
  const inputs = [...sources, ...headers].map((source) => join(NATIVE, source))
  const newest = Math.max(changedAt(fileURLToPath(import.meta.url)), ...inputs.map(changedAt))
  return changedAt(programPath(name)) < newest
}

/**
 * Builds one program when it is older than its sources.
 * @param {string} name a key of PROGRAMS
 * @returns {string} '' when it is there, otherwise why it is not
 * @example const reason = build('raw-epoll-edge')
 */
export function build(name) {
  const program = PROGRAMS[name]
  if (!program) return `${name}: no such program; known: ${Object.keys(PROGRAMS).join(', ')}`
  if (!isStale(name)) return ''
  mkdirSync(join(BENCH, 'build'), { recursive: true })
  const { command, flags, sources, define = [], libraries = [] } = program
  const files = sources.map((source) => join(NATIVE, source))
  // Renamed when it is whole: another process may build the same, or run it.
  const made = `${programPath(name)}.${pid}`
  const args = [...flags, ...define, ...files, '-o', made, ...libraries]
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 })
  if (status === 0) renameSync(made, programPath(name))
  else rmSync(made, { force: true })
  if (error) return `${command}: ${error.message}`
  return status === 0 ? '' : `${command} failed: ${firstError(stderr)}`
}

const firstError = (text) => text.split('\n').find((line) => /error|cannot find/.test(line))?.trim() ?? text.trim()

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const names = argv.length > 2 ? argv.slice(2) : Object.keys(PROGRAMS)
  const failures = names.map((name) => [name, build(name)]).filter(([, reason]) => reason !== '')
  for (const [name, reason] of failures) console.error(`${name}: ${reason}`)
  exit(failures.length > 0 ? 1 : 0)
}
