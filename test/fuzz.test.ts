// Runs every fuzzer for a while: 10 s each in CI, 1 s elsewhere. scripts/fuzz.sh says what it needs.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isRequired, run } from './compiler.js'

const ROOT = join(import.meta.dirname, '..')
const SECONDS = process.env['CI'] ? 10 : 1
const NO_CLANG = 77
const LIMIT_MS = 900_000

t.setTimeout(0)
const names = readdirSync(join(ROOT, 'test/native/fuzz'))
  .filter((name) => name.endsWith('.cc'))
  .map((name) => name.slice(0, -3))
const done = await run(join(ROOT, 'scripts/fuzz.sh'), [String(SECONDS)], LIMIT_MS)
if (done.code === NO_CLANG && !isRequired) {
  t.plan(0, done.stderr.trim())
} else {
  for (const name of names) {
    t.match(done.stdout, new RegExp(`^ok ${name}: [1-9]\\d* runs`, 'm'), `${name} finds nothing`)
  }
  t.equal(done.code, 0, 'fuzz.sh succeeds', { stderr: done.stderr.slice(-4000) })
}
