// The answers to requests, made of what the server says of itself.

import { endpoint } from '../engine/endpoint.js'
import type { ConnectionState } from '../engine/engine.js'
import { camelCase } from '../options/names.js'
import type { Option } from '../options/option.js'
import type { Resolved } from '../options/resolve.js'
import type { SettingName } from '../options/settings.js'
import { originText } from '../options/source.js'
import { table } from '../options/table.js'
import { writeValue } from '../options/write.js'
import type { Inspection, Question } from '../server/inspection.js'
import type { Request } from './requests.js'
import { type Identity, type Snapshot, snapshotOf } from './snapshot.js'

/** A server, to whoever answers for it. */
export interface Subject {
  identity(): Identity
  inspect(question: Question): Promise<Inspection>
  /** @returns files. @throws what is wrong with them */
  reloadCertificates(): Promise<string[]>
  /** @returns how many server processes are wanted now; undefined: it has none */
  resize(how: 'grow' | 'shrink'): number | undefined
  options(): Pick<Resolved, 'settings' | 'origins'>
  /** Where files of its own may go, best first. */
  folders(): readonly string[]
  /** Lines that the log of this process had to drop. */
  dropped(): number
}

export async function snapshot(subject: Subject): Promise<Snapshot> {
  const { server_type } = subject.identity()
  const inspection = await subject.inspect({ about: 'stats' })
  // In one process its own statistics have them.
  const dropped = server_type === '' ? 0 : subject.dropped()
  return snapshotOf(subject.identity(), inspection, dropped)
}

/** @returns a JSON value. @throws Error in words for whoever asked */
export function answer(subject: Subject, request: Request): Promise<object> | object {
  switch (request.name) {
    case 'stats':
      return snapshot(subject)
    case 'connections':
      return connections(subject, request.limit)
    case 'workers':
      return workers(subject)
    case 'resize':
      return resize(subject, request.how)
    case 'reload-certificates':
      return reloadCertificates(subject)
    case 'config':
      return { options: config(subject) }
    case 'profile':
      return profile(subject, request.action)
  }
}

/** One connection as it is listed. */
export interface ListedConnection
  extends Omit<ConnectionState, 'slot' | 'generation' | 'remote' | 'local'> {
  /** Slot and generation, as in the log. */
  id: string
  /** Slot of its server process. */
  process: number
  remote: string
  local: string
}

export interface ConnectionsAnswer {
  connections: ListedConnection[]
  /** Of those that are listed and those that are not. */
  total: number
  omitted: number
  silent: { pid: number; error: string }[]
}

async function connections(subject: Subject, limit: number): Promise<ConnectionsAnswer> {
  const { processes } = await subject.inspect({ about: 'connections', limit })
  const listed: ListedConnection[] = []
  let total = 0
  for (const { slot, answer } of processes) {
    if (answer === undefined || !('list' in answer)) continue
    total += answer.connections
    for (const each of answer.list) if (listed.length < limit) listed.push(listedOf(each, slot))
  }
  return { connections: listed, total, omitted: total - listed.length, silent: silentOf(processes) }
}

function listedOf(
  { slot, generation, remote, local, ...rest }: ConnectionState,
  process: number,
): ListedConnection {
  return {
    id: `${slot}.${generation}`,
    process,
    remote: endpoint(remote),
    local: endpoint(local),
    ...rest,
  }
}

const silentOf = (processes: Inspection['processes']): { pid: number; error: string }[] =>
  processes.flatMap(({ pid, error }) => (error === undefined ? [] : [{ pid, error }]))

export interface WorkersAnswer {
  server_type: string
  processes: {
    slot: number
    pid: number
    generation: number
    state: string
    /** Share of the last second, or since the last question, 0 to 1. */
    busy: number
    restarts: number
    uptime?: number
    connections?: number
    requests?: number
    in_flight?: number
    rss_bytes?: number
    error?: string
  }[]
  handlers: {
    process: number
    id: string
    state: string
    /** Share of its life that it was in a turn. */
    busy: number
    restarts: number
    uptime: number
    requests: number
    in_flight: number
  }[]
  /** Requests that wait for a handler worker. */
  waiting: number
}

async function workers(subject: Subject): Promise<WorkersAnswer> {
  const { server_type, processes, levels } = await snapshot(subject)
  return {
    server_type,
    processes: processes.map(({ stats, levels, handlers: _, busy_seconds: __, ...rest }) => ({
      ...rest,
      ...(levels && { connections: levels.connections, in_flight: levels.in_flight }),
      ...(stats && { requests: stats.requests }),
    })),
    handlers: processes.flatMap(({ slot, handlers = [] }) =>
      handlers.map(({ busy_seconds, turn_ms: _, ...rest }) => ({
        process: slot,
        ...rest,
        busy: rest.uptime > 0 ? Math.min(1, busy_seconds / rest.uptime) : 0,
      })),
    ),
    waiting: levels.waiting,
  }
}

function resize(subject: Subject, how: 'grow' | 'shrink'): { wanted: number } {
  const wanted = subject.resize(how)
  if (wanted === undefined)
    throw new Error(
      'this server is one process; wanted server_type procpool or proc for more or fewer',
    )
  return { wanted }
}

async function reloadCertificates(subject: Subject): Promise<{ certificates: string[] }> {
  const certificates = await subject.reloadCertificates()
  if (certificates.length === 0) throw new Error('this server does not speak TLS; wanted tls_cert')
  return { certificates }
}

/** Options that name a secret, or where one lies. */
const isSecret = (option: Option): boolean => option.secret === true || option.name === 'tls_key'

export type ConfigAnswer = Record<string, { value: string; origin: string }>

function config(subject: Subject): ConfigAnswer {
  const { settings, origins } = subject.options()
  const rows = (table as readonly Option[]).filter(({ noFile }) => noFile !== true)
  return Object.fromEntries(
    rows.map((option) => {
      const name = camelCase(option.name) as SettingName
      const value = writeValue(option, settings[name]) ?? '(a function)'
      const shown = isSecret(option) && value !== '' ? '***' : value
      return [option.name, { value: shown, origin: originText(origins[name]) }]
    }),
  )
}

export interface ProfileAnswer {
  profile: 'start' | 'stop'
  processes: { pid: number; slot: number; file?: string; error?: string }[]
}

async function profile(subject: Subject, action: 'start' | 'stop'): Promise<ProfileAnswer> {
  const question: Question =
    action === 'start'
      ? { about: 'profile', action }
      : { about: 'profile', action, folders: subject.folders() }
  const { processes } = await subject.inspect(question)
  const all = processes.map(({ pid, slot, answer, error }) => ({
    pid,
    slot,
    ...(answer !== undefined && 'file' in answer && { file: answer.file }),
    ...(error !== undefined && { error }),
  }))
  const errors = all.flatMap(({ error }) => error ?? [])
  if (errors.length === all.length && errors[0] !== undefined) throw new Error(errors[0])
  return { profile: action, processes: all }
}
