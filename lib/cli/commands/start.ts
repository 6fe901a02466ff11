// start: what -d does, unless it is done already.

import type { Resolved } from '../../options/index.js'
import { checkDaemon, launchDaemon } from '../../process/daemon.js'
import { EXIT } from '../failure.js'
import { complain, say } from '../terminal.js'
import { pidfileOf, recordOf } from './running.js'

/** Detaches. @returns the exit status, once the daemon serves or has failed */
export async function detach({ settings }: Resolved, argv: readonly string[]): Promise<number> {
  checkDaemon(settings, process.env)
  const { status, pid } = await launchDaemon(argv)
  if (status !== EXIT.ok) return status
  if (settings.logFile === '')
    complain('gaidaros: note: log_file is not set: what the daemon says from here on is lost')
  say(`running as pid ${pid}`)
  return EXIT.ok
}

/** `gaidaros start` */
export async function start(resolved: Resolved, argv: readonly string[]): Promise<number> {
  const record = recordOf(pidfileOf(resolved.settings))
  if (!record?.alive) return detach(resolved, argv)
  say(`already running, pid ${record.pid}`)
  return EXIT.ok
}
