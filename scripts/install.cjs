// npm's install step: builds the addon, or leaves the portable engine in charge and says why in one
// line. GAIDAROS_NATIVE=skip builds nothing; =require makes a failed build fail the install (CI).
// `--incremental` compiles only what changed (npm run build:native).
'use strict'
const { spawnSync } = require('node:child_process')
const { accessSync, constants, existsSync, mkdirSync, writeFileSync } = require('node:fs')
const { availableParallelism } = require('node:os')
const { delimiter, join } = require('node:path')

const root = join(__dirname, '..')
const mode = process.env.GAIDAROS_NATIVE
const log = join('build', 'install.log')
const node = (args, options) =>
  spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', ...options })
const loads = (file) =>
  existsSync(file) && node(['-e', 'require(process.argv[1])', file]).status === 0

function without(why) {
  console.error(`gaidaros: native addon not built (${why}); the portable engine will serve.`)
  process.exit(mode === 'require' ? 1 : 0)
}

function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder || '.', name), constants.X_OK)
      return true
    } catch {
      return false // not here: the next folder
    }
  })
}

function nodeGyp(env) {
  const bundled = process.env.npm_config_node_gyp // npm's own, set where npm runs this script
  const steps = process.argv.includes('--incremental') ? ['configure', 'build'] : ['rebuild']
  const args = [...steps, '--loglevel=warn', `--jobs=${availableParallelism()}`]
  const options = { cwd: root, encoding: 'utf8', env, maxBuffer: 64 << 20 }
  return bundled
    ? spawnSync(process.execPath, [bundled, ...args], options)
    : spawnSync('node-gyp', args, options)
}

// The compiler's words go to a file, so that a user without one reads a line and not a hundred.
// Whoever asked for the addon (require, --incremental) gets them on the terminal as well.
function keepOutput(built) {
  const text = `${built.stdout ?? ''}${built.stderr ?? ''}`
  mkdirSync(join(root, 'build'), { recursive: true })
  writeFileSync(join(root, log), text)
  if (mode === 'require' || process.argv.includes('--incremental')) process.stderr.write(text)
}

if (mode === 'skip') without('GAIDAROS_NATIVE=skip')
if (process.platform !== 'linux') without(`no native code for ${process.platform}`)
if (loads(join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'gaidaros.node')))
  process.exit(0)
if (!process.env.CXX && !['g++', 'c++', 'clang++'].some(onPath))
  without('no C++ compiler on the PATH')

const headers = node([join(__dirname, 'node-headers.cjs')])
if (headers.status !== 0) without(headers.stderr.trim().split('\n').pop())
const built = nodeGyp({
  ...process.env,
  npm_config_nodedir: join(headers.stdout.trim(), '..', '..'),
})
keepOutput(built)
if (built.status !== 0)
  without(`node-gyp: ${built.error?.message ?? built.signal ?? `exit ${built.status}`}, see ${log}`)
if (!loads(join(root, 'build', 'Release', 'gaidaros.node')))
  without(`it was built but does not load, see ${log}`)
