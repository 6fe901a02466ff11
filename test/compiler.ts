// Finds what tests need of the machine, and says what becomes of them where it is not there.

import { spawn, spawnSync } from 'node:child_process'
import type { Test } from 'tap'

/** The first C++ compiler that runs, or undefined. CXX wins. */
export function findCompiler(): string | undefined {
  const names = process.env['CXX'] ? [process.env['CXX']] : ['g++', 'c++', 'clang++']
  return names.find((name) => spawnSync(name, ['--version']).status === 0)
}

export const isInstalled = (program: string): boolean => spawnSync('which', [program]).status === 0

/** True where an absent compiler, tool or package is a failure and no reason to skip. */
export const isRequired = process.env['GAIDAROS_NATIVE'] === 'require' || Boolean(process.env['CI'])

/** Skips `t` for want of something, or fails it where nothing may be wanting. */
export function lacking(t: Test, reason: string): void {
  if (isRequired) t.fail(reason)
  else t.pass(reason, { skip: reason })
}

export interface Finished {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

/** Runs a program to its end; kills it after `timeoutMs`. */
export function run(program: string, args: string[], timeoutMs: number): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
    const out: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        out[name] += text
      })
    }
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...out }))
  })
}
