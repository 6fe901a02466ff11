// reload, reopen, upgrade: signals to the running server, and what became of them where that can be seen.

import type { Resolved } from '../../options/index.js'
import { isRunning } from '../../process/proc.js'
import { EXIT } from '../failure.js'
import { duration } from '../numbers.js'
import { say } from '../terminal.js'
import { CommandFailure, pidfileOf, recordOf, runningPid, signal, waitUntil } from './running.js'
import { MARGIN_MS } from './stop.js'

/** A new process must serve within this time, or the old one goes on. */
const TAKEOVER_MS = 60_000

function send(resolved: Resolved, name: NodeJS.Signals): number {
  const pid = runningPid(pidfileOf(resolved.settings))
  if (!signal(pid, name)) throw new CommandFailure(EXIT.notRunning, `pid ${pid} has just ended`)
  return pid
}

/** `gaidaros reload` */
export async function reload(resolved: Resolved): Promise<number> {
  say(`pid ${send(resolved, 'SIGHUP')} was told to reload (HUP); its log says what came of it`)
  return EXIT.ok
}

/** `gaidaros reopen` */
export async function reopen(resolved: Resolved): Promise<number> {
  say(`pid ${send(resolved, 'SIGUSR1')} was told to reopen its logs (USR1)`)
  return EXIT.ok
}

/** `gaidaros upgrade`: the old process goes once a new one holds the pidfile. */
export async function upgrade(resolved: Resolved): Promise<number> {
  const path = pidfileOf(resolved.settings)
  if (resolved.settings.serverType === '')
    throw new CommandFailure(
      EXIT.notImplemented,
      'upgrade: a server of one process (server_type "") cannot hand its sockets over; wanted -S procpool or proc, or gaidaros restart',
    )
  const old = send(resolved, 'SIGUSR2')
  const holder = (): number | undefined => {
    const record = recordOf(path)
    return record?.alive ? record.pid : undefined
  }
  // The old one gives the name up, and takes it back when the new one has failed.
  let isGivenUp = false
  const isDecided = (): boolean => {
    const pid = holder()
    if (pid === undefined) isGivenUp = true
    return (pid !== undefined && (pid !== old || isGivenUp)) || !isRunning(old)
  }
  await waitUntil(isDecided, TAKEOVER_MS)
  const pid = holder()
  if (pid === undefined || pid === old) throw new CommandFailure(EXIT.failed, failed(old))
  signal(old, 'SIGQUIT')
  const patience = resolved.settings.shutdownGrace + MARGIN_MS
  const gone = await waitUntil(() => !isRunning(old), patience)
  const what = gone ? 'has ended' : `still finishes after ${duration(patience / 1000)}`
  say(`upgraded: pid ${pid} serves, the old one, pid ${old}, ${what}`)
  return EXIT.ok
}

const failed = (old: number): string =>
  isRunning(old)
    ? `no new process took over; the old one, pid ${old}, serves on, and its log says why`
    : `the old process, pid ${old}, has ended, and no new one took over`
