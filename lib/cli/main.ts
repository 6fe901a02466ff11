// The command: one look at the command line decides what is done; everything else is a file of its own.

import {
  asksFor,
  parseCommandLine,
  printConfig,
  type Resolved,
  resolve,
  usage,
} from '../options/index.js'
import type { HeldSocket } from '../server/pool/sockets.js'
import { takeInherited } from '../server/pool/successor.js'
import { checkConfig } from './check-config.js'
import { EXIT, exitStatus, failureLines } from './failure.js'
import { probeLines } from './probe.js'
import { serve } from './serve.js'
import { complain, say, survivePipes } from './terminal.js'
import { versionLine } from './version.js'

/**
 * Runs the command.
 * @param argv arguments after the program's name
 * @returns the exit status: 0 done, 1 failed, 2 wrong options
 * @example
 * process.exitCode = await main(process.argv.slice(2))
 */
export async function main(argv: readonly string[]): Promise<number> {
  survivePipes()
  const line = parseCommandLine(argv)
  if (asksFor(line, 'usage')) return told(usage())
  if (asksFor(line, 'version')) return told(versionLine())
  if (asksFor(line, 'probe')) return told(...probeLines())
  try {
    // A supervisor's descriptors are no option; the variable is gone before options are looked for.
    const inherited = takeInherited(process.env)
    const resolveAll = () =>
      resolve({ commandLine: parseCommandLine(argv), environment: process.env })
    return await act(resolveAll(), resolveAll, inherited)
  } catch (error) {
    complain(...failureLines(error, asksFor(line, 'verbose')))
    return exitStatus(error)
  }
}

function told(...lines: string[]): number {
  say(...lines)
  return EXIT.ok
}

async function act(
  resolved: Resolved,
  again: () => Resolved,
  inherited: readonly HeldSocket[] | undefined,
): Promise<number> {
  const { settings } = resolved
  if (settings.printConfig) return told(printConfig(resolved))
  if (settings.checkConfig) return told(...(await checkConfig(resolved)))
  return serve(resolved, again, inherited)
}
