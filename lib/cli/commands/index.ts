// The subcommands: each once, with its line of the help.

import type { Resolved } from '../../options/index.js'
import { reload, reopen, upgrade } from './signals.js'
import { start } from './start.js'
import { status } from './status.js'
import { restart, stop } from './stop.js'

export { CommandFailure } from './running.js'

interface Command {
  doc: string
  /** @returns the exit status */
  run(resolved: Resolved, argv: readonly string[]): Promise<number>
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
}

/** Lines of the help. */
export function commandsHelp(): string {
  const lines = Object.entries(commands).map(([name, { doc }]) => `  ${name.padEnd(9)}${doc}`)
  return ['Commands, for a server with a pid_file:', ...lines].join('\n')
}
