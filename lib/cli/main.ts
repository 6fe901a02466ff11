// The command: one look at the command line decides what is done; everything else is a file of its own.

import {
  asksFor,
  type CommandLine,
  OptionsError,
  parseCommandLine,
  printConfig,
  type Resolved,
  resolve,
  usage,
} from '../options/index.js'
import { Detached } from '../process/daemon.js'
import { takeInherited } from '../server/pool/successor.js'
import { versionLine } from '../version.js'
import { checkConfig } from './check-config.js'
import { CommandFailure, commands, commandsHelp } from './commands/index.js'
import { detach } from './commands/start.js'
import { EXIT, exitStatus, failureLines } from './failure.js'
import { probeLines } from './probe.js'
import { serve } from './serve.js'
import { complain, say, survivePipes } from './terminal.js'

/**
 * Runs the command.
 * @param argv arguments after the program's name
 * @returns the exit status: 0 done, 1 failed, 2 wrong options; of subcommands also the LSB's 3 to 7
 * @example
 * process.exitCode = await main(process.argv.slice(2))
 */
export async function main(argv: readonly string[]): Promise<number> {
  survivePipes()
  const detached = Detached.take()
  const place = detached === undefined ? {} : { directory: detached.directory }
  const line = parseCommandLine(argv, { subcommands: Object.keys(commands), place })
  if (asksFor(line, 'usage')) return told(usage(commandsHelp()))
  if (asksFor(line, 'version')) return told(versionLine())
  if (asksFor(line, 'probe')) return told(...probeLines())
  try {
    refuseOperands(line)
    // A supervisor's descriptors are no option; the variable is gone before options are looked for.
    const inherited = takeInherited(process.env)
    const again = () => resolve({ commandLine: line, environment: process.env, place })
    const resolved = again()
    if (detached !== undefined || inherited !== undefined)
      return await serve(resolved, { again, detached, inherited })
    return await act(resolved, { again, argv, ...line })
  } catch (error) {
    detached?.failed()
    complain(...failureLines(error, asksFor(line, 'verbose')))
    if (error instanceof OptionsError) complain('gaidaros: --help lists the options')
    return exitStatus(error, line.subcommand)
  }
}

function told(...lines: string[]): number {
  say(...lines)
  return EXIT.ok
}

function refuseOperands({ subcommand, operands }: CommandLine): void {
  const takesOperands = subcommand !== undefined && commands[subcommand]?.operands !== undefined
  if (operands.length === 0 || takesOperands) return
  const given = operands.map((operand) => JSON.stringify(operand)).join(', ')
  throw new CommandFailure(EXIT.usage, `${subcommand} ${given}: wanted no argument but options`)
}

/** The command as it was given. */
interface Asked {
  again: () => Resolved
  argv: readonly string[]
  subcommand?: string
  operands: readonly string[]
}

async function act(resolved: Resolved, asked: Asked): Promise<number> {
  const { again, argv, subcommand, operands } = asked
  const { settings } = resolved
  if (settings.printConfig) return told(printConfig(resolved))
  if (settings.checkConfig) return told(...(await checkConfig(resolved)))
  const command = subcommand === undefined ? undefined : commands[subcommand]
  if (command !== undefined) return command.run(resolved, argv, operands)
  return settings.daemon ? detach(resolved, argv) : serve(resolved, { again })
}
