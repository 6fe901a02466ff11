// status: whether the server runs, for people and, with --json, for probes.

import { resolve } from 'node:path'
import { ask } from '../../control/client.js'
import type { Resolved, Settings } from '../../options/index.js'
import { listeningOf, uptimeOf } from '../../process/proc.js'
import { STATUS } from '../failure.js'
import { duration } from '../numbers.js'
import { say } from '../terminal.js'
import { CommandFailure, pidfileOf, recordOf } from './running.js'

/** What is known. */
export interface Report {
  state: keyof typeof STATUS
  pid_file: string
  pid?: number
  /** Seconds. */
  uptime?: number
  /** Absent where this user may not know. */
  addresses?: string[]
}

/**
 * What the server says of itself over its control socket, to be added to what /proc says of it; undefined: it was not
 * asked. A probe does not fail because nobody answers there.
 */
async function overControl({
  controlSocket,
  json,
}: Settings): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (controlSocket === '' || !json) return undefined
  try {
    return { statistics: await ask(resolve(controlSocket), 'stats') }
  } catch (error) {
    return { statistics: null, statistics_error: (error as Error).message }
  }
}

/** `gaidaros status` */
export async function status({ settings }: Resolved): Promise<number> {
  const report = look(settings)
  const more = report.state === 'running' ? await overControl(settings) : undefined
  say(settings.json ? JSON.stringify({ ...report, ...more }) : sentence(report))
  return STATUS[report.state]
}

function look(settings: Settings): Report {
  const path = pidfileOf(settings)
  try {
    const record = recordOf(path)
    if (record?.pid === undefined) return { state: 'stopped', pid_file: path }
    const { pid, alive } = record
    return alive ? running(path, pid) : { state: 'dead', pid_file: path, pid }
  } catch (error) {
    if (error instanceof CommandFailure) return { state: 'unknown', pid_file: path }
    throw error
  }
}

function running(path: string, pid: number): Report {
  const uptime = uptimeOf(pid)
  const addresses = listeningOf(pid)
  return {
    state: 'running',
    pid_file: path,
    pid,
    ...(uptime !== undefined && { uptime }),
    ...(addresses !== undefined && { addresses }),
  }
}

function sentence({ state, pid, uptime, addresses, pid_file }: Report): string {
  switch (state) {
    case 'running':
      return [
        `running, pid ${pid}`,
        ...(uptime === undefined ? [] : [`for ${duration(uptime)}`]),
        ...(addresses?.length ? [`listening on ${addresses.join(', ')}`] : []),
      ].join(', ')
    case 'dead':
      return `dead: pid ${pid} of ${pid_file} is gone`
    case 'stopped':
      return `not running (${pid_file})`
    case 'unknown':
      return `unknown: ${pid_file} cannot be read`
  }
}
