// Other people's programs as clients.

import { spawn } from 'node:child_process'
import { isInstalled } from '../compiler.js'

/** Runs a client to its end. @returns what it printed; undefined where it is not installed */
export async function client(
  program: string,
  args: string[],
  input = '',
): Promise<string | undefined> {
  if (!isInstalled(program)) return undefined
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  // One that asks for nothing may be gone before its input ends (EPIPE).
  child.stdin.on('error', () => {}).end(input)
  return String(await child.stdout.toArray().then(Buffer.concat))
}
