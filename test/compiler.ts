// Finds what the tests of the C++ core need, and says why it is not there.

import { spawn, spawnSync } from 'node:child_process'

/** The first C++ compiler that runs, or undefined. CXX wins. */
export function findCompiler(): string | undefined {
  const names = process.env['CXX'] ? [process.env['CXX']] : ['g++', 'c++', 'clang++']
  return names.find((name) => spawnSync(name, ['--version']).status === 0)
}

/** True where an absent compiler is a failure and no reason to skip. */
export const isRequired = process.env['GAIDAROS_NATIVE'] === 'require' || Boolean(process.env['CI'])

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
