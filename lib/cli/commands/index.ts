// The subcommands: each once, with its line of the help.

import { requestsHelp } from '../../control/requests.js'
import type { Resolved } from '../../options/index.js'
import { ctl } from './ctl.js'
import { reload, reopen, upgrade } from './signals.js'
import { start } from './start.js'
import { status } from './status.js'
import { restart, stop } from './stop.js'
import { top } from './top.js'

export { CommandFailure } from './running.js'

interface Command {
  doc: string
  /** What may follow its name besides options. */
  operands?: string
  /** @returns the exit status */
  run(resolved: Resolved, argv: readonly string[], operands: readonly string[]): Promise<number>
}

/** By name. They find the running server by pid_file, from the same options that it was started with. */
export const commands: Readonly<Record<string, Command>> = {
  start: { doc: 'Start as a daemon, as -d does, unless it runs already.', run: start },
  stop: { doc: 'Stop; after shutdown_grace and 5 s by force.', run: stop },
  restart: { doc: 'Check the configuration, stop, start.', run: restart },
  reload: { doc: 'Read the configuration again (HUP).', run: reload },
  reopen: { doc: 'Reopen the logs (USR1).', run: reopen },
  upgrade: {
    doc: 'Let a new process take over (USR2), then end the old one (QUIT).',
    run: upgrade,
  },
  status: {
    doc: 'Say whether it runs: 0 yes, 1 it died, 3 no, 4 unknown. --json for probes.',
    run: status,
  },
  ctl: {
    doc: 'Ask the running server over its control_socket; --json for the answer as it comes.',
    operands: 'REQUEST',
    run: ctl,
  },
  top: {
    doc: 'Watch the running server over its control_socket; q quits, --interval TIME.',
    run: top,
  },
}

/** Lines of the help. */
export function commandsHelp(): string {
  const lines = Object.entries(commands).map(([name, { doc }]) => `  ${name.padEnd(9)}${doc}`)
  return [
    'Commands, for a server with a pid_file, or a control_socket:',
    ...lines,
    '',
    'Requests of gaidaros ctl:',
    ...requestsHelp(),
  ].join('\n')
}
