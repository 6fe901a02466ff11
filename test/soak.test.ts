// Two minutes of the soak in CI, some seconds elsewhere; half an hour of it: npm run soak.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { unavailable } from './conformance/available.js'
import { refuse, VARIANTS } from './conformance/variant.js'

const MINUTES = process.env['CI'] === 'true' ? 1 : 0.15
// Per cent. A short run still grows into its heap.
const TOLERANCE = process.env['CI'] === 'true' ? '15' : '60'
const root = join(import.meta.dirname, '..')
t.setTimeout(300_000)

// Two polling types, a minute each in CI.
for (const polling of ['edge', 'completion'] as const)
  void t.test(`mixed load on ${polling}`, async (t) => {
    const reason = await unavailable(VARIANTS[polling])
    if (reason !== undefined) return refuse(t, reason)
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['scripts/soak.mjs', '-T', polling, '--minutes', String(MINUTES), '--tolerance', TOLERANCE],
      { cwd: root, encoding: 'utf8', timeout: MINUTES * 60_000 + 60_000 },
    )
    t.equal(status, 0, `${stdout}${stderr}`)
    for (const line of stdout.trim().split('\n')) t.comment(line)
  })
