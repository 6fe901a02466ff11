// What the cases of unix sockets share, of whatever kind these are.

import { spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Case, Cases } from './case.js'
import { Unfit } from './unfit.js'

/** A directory of its own. */
export function folder(t: Test): string {
  const made = mkdtempSync(join(tmpdir(), 'gaidaros-unix-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A name in a directory of its own. */
export const place = (t: Test, name = 's'): string => join(folder(t), name)

export const abstractName = (): string =>
  `@gaidaros-${process.pid}-${Math.random().toString(36).slice(2)}`

/** Leaves the name of a socket whose server is gone. @param type as Python's socket module calls it */
export function leaveDead(path: string, type: 'SOCK_DGRAM' | 'SOCK_SEQPACKET'): void {
  const listen = type === 'SOCK_DGRAM' ? '' : '; s.listen()'
  const code = `import socket; s = socket.socket(socket.AF_UNIX, socket.${type}); s.bind(${JSON.stringify(path)})${listen}`
  spawnSync('python3', ['-c', code])
  if (!lstatSync(path).isSocket()) throw new Error(`${path} is no socket`)
}

const onNative =
  (run: Case, why: string): Case =>
  (t, ctx) => {
    if (ctx.variant.engine === 'portable') throw new Unfit(why)
    return run(t, ctx)
  }

/** Cases that are asked of the native engine. @param why Node cannot */
export const nativeOnly = (cases: Cases, why: string): Cases =>
  Object.fromEntries(Object.entries(cases).map(([name, run]) => [name, onNative(run, why)]))
