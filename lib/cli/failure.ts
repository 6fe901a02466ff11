// What the command says when it cannot do what was asked, and the status it ends with: 2 for wrong
// options, 1 for everything else that went wrong.

import { isIP } from 'node:net'
import { GaidarosError } from '../errors.js'
import { OptionsError } from '../options/index.js'
import { CommandFailure } from './commands/running.js'
import { portHolder } from './port-holder.js'

/** Exit statuses of the command; from notImplemented on those of the subcommands (LSB, init script actions). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notImplemented: 3,
  denied: 4,
  notInstalled: 5,
  notConfigured: 6,
  notRunning: 7,
} as const

/** What status says by its exit status (LSB). */
export const STATUS = { running: 0, dead: 1, stopped: 3, unknown: 4 } as const

/**
 * The status that an error ends the command with.
 * @param subcommand without one all failures but wrong options are 1
 * @example
 * exitStatus(new OptionsError([])) // 2
 */
export function exitStatus(error: unknown, subcommand?: string): number {
  // To status the numbers are answers: 2 would be a dead server with a lock left behind.
  if (subcommand === 'status') return STATUS.unknown
  if (error instanceof CommandFailure) return error.status
  if (error instanceof OptionsError) return EXIT.usage
  return subcommand === undefined ? EXIT.failed : startStatus(error)
}

/** Why a start failed, as far as the LSB has numbers for it. */
function startStatus(error: unknown): number {
  switch (error instanceof GaidarosError && error.errnoCode) {
    case 'EACCES':
    case 'EPERM':
      return EXIT.denied
    case 'ENOSYS':
      return EXIT.notInstalled
    default:
      return EXIT.failed
  }
}

/**
 * Lines for stderr: each problem of the options, or the one thing that failed.
 * @param verbose with where in the code it happened
 */
export function failureLines(error: unknown, verbose: boolean): string[] {
  if (error instanceof OptionsError)
    return error.message.split('\n').map((line) => `gaidaros: ${line}`)
  const text = error instanceof GaidarosError ? machineText(error) : messageOf(error)
  return [`gaidaros: ${text}`, ...(verbose ? traceOf(error) : [])]
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Where an error and those behind it happened. */
function traceOf(error: unknown): string[] {
  const lines: string[] = []
  for (let each = error; each instanceof Error; each = each.cause) lines.push(each.stack ?? '')
  return lines
}

/** What the machine refused; a port in use with the process that has it, where that can be known. */
function machineText(error: GaidarosError): string {
  const { errnoCode, address, port, message } = error
  if (errnoCode !== 'EADDRINUSE' || address === undefined || port === undefined) return message
  const holder = isIP(address) === 0 ? undefined : portHolder(address, port)
  const by = holder ? `${holder.name} (pid ${holder.pid})` : 'another process'
  return `port ${port} on ${address} is in use by ${by}; stop it, or choose another port with -p`
}
