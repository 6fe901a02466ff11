// stop, and restart: the end of the running server is waited for.

import type { Resolved, Settings } from '../../options/index.js'
import { checkDaemon } from '../../process/daemon.js'
import { isRunning } from '../../process/proc.js'
import { checkConfig } from '../check-config.js'
import { EXIT } from '../failure.js'
import { duration } from '../numbers.js'
import { say } from '../terminal.js'
import { CommandFailure, clearStale, pidfileOf, recordOf, signal, waitUntil } from './running.js'
import { detach } from './start.js'

/** What a server gets beyond its shutdown_grace to end by itself. */
export const MARGIN_MS = 5000

/** `gaidaros stop` */
export async function stop({ settings }: Resolved): Promise<number> {
  const path = pidfileOf(settings)
  const record = recordOf(path)
  if (record?.alive && record.pid !== undefined) await end(record.pid, settings)
  else say('not running')
  clearStale(path)
  return EXIT.ok
}

async function end(pid: number, { shutdownGrace }: Settings): Promise<void> {
  const patience = shutdownGrace + MARGIN_MS
  const gone = (): boolean => !isRunning(pid)
  signal(pid, 'SIGTERM')
  if (await waitUntil(gone, patience)) return say(`stopped, pid ${pid}`)
  signal(pid, 'SIGKILL')
  if (!(await waitUntil(gone, MARGIN_MS)))
    throw new CommandFailure(EXIT.failed, `pid ${pid} does not end, not even killed`)
  say(`pid ${pid} did not end within ${duration(patience / 1000)}: killed`)
}

/** `gaidaros restart`: a configuration that is no good stops nothing. */
export async function restart(resolved: Resolved, argv: readonly string[]): Promise<number> {
  checkDaemon(resolved.settings, process.env)
  await checkConfig(resolved)
  await stop(resolved)
  return detach(resolved, argv)
}
