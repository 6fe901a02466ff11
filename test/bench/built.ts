// The programs of the benchmark, built where they are older than their sources.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../cli/command.js'

/** The path of a program. @throws Error that says why it cannot be built */
export function built(name: string): string {
  const args = [join(root, 'bench/build.mjs'), name]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return join(root, 'bench/build', name)
}
