// Answers of the control socket as tables for people.

import type {
  ConfigAnswer,
  ConnectionsAnswer,
  ProfileAnswer,
  WorkersAnswer,
} from '../control/answers.js'
import type { Request } from '../control/requests.js'
import type { ProcessSnapshot, Snapshot } from '../control/snapshot.js'
import { type Distribution, percentile } from '../engine/distribution.js'
import type { ServerStats } from '../server/stats.js'
import { type Column, columns, pairs, right } from './columns.js'
import { bytes, count, duration, named, percent, ratio, sum, time } from './numbers.js'

/** Lines of an answer to this request. */
export function view(request: Request, answer: unknown): string[] {
  switch (request.name) {
    case 'stats':
      return statsView(answer as Snapshot)
    case 'connections':
      return connectionsView(answer as ConnectionsAnswer)
    case 'workers':
      return workersView(answer as WorkersAnswer)
    case 'config':
      return configView((answer as { options: ConfigAnswer }).options)
    case 'resize':
      return [`${(answer as { wanted: number }).wanted} server processes are wanted`]
    case 'reload-certificates':
      return [`reloaded: ${(answer as { certificates: string[] }).certificates.join(', ')}`]
    case 'profile':
      return profileView(answer as ProfileAnswer)
  }
}

const silentLine = ({ pid, error }: { pid: number; error: string }): string =>
  `pid ${pid}: ${error}`

/** Percentiles in one line; '-' of nothing. */
export const percentiles = (of: Distribution): string =>
  of.count === 0
    ? '-'
    : [
        ...([0.5, 0.9, 0.99] as const).map((p) => `p${p * 100} ${time(percentile(of, p))}`),
        `max ${time(of.max_us)}`,
      ].join(', ')

function statsView(snapshot: Snapshot): string[] {
  const { total, levels, processes, pid, state, uptime, addresses, engine } = snapshot
  const { batches, records, requests, syscalls } = total
  const calls = sum(syscalls)
  const perRequest = calls === 0 ? '' : `; ${ratio(calls, requests)} a request`
  return [
    ...pairs([
      ['server', `pid ${pid}, ${state}, for ${duration(uptime)}`],
      ['listening', addresses.join(', ')],
      ['engine', engine],
      ['connections', `${count(total.active)} open, ${count(total.accepted)} accepted`],
      ['closed', named(total.closed) || 'none'],
      ['requests', `${count(requests)}, ${count(total.replies)} answered`],
      ['in flight', `${count(levels.in_flight)}, ${count(levels.waiting)} wait for a worker`],
      ['bytes', `${bytes(total.bytes_in)} in, ${bytes(total.bytes_out)} out`],
      ['unsent', `${bytes(levels.queued_bytes)}, ${count(levels.paused)} connections not read`],
      ...tlsRow(total),
      ['batches', `${count(batches)}, ${ratio(records, batches)} records each`],
      ['system calls', calls === 0 ? 'not counted' : `${named(syscalls) || 'none'}${perRequest}`],
      ['latency', percentiles(total.latency)],
      ['loop lag', percentiles(total.lag)],
      ['handler errors', count(total.handler_errors)],
      ['workers lost', count(total.workers_lost)],
      ['log lines lost', count(total.log_dropped)],
    ]),
    ...(processes.length > 1 ? ['', ...processesView(processes)] : []),
    ...silent(processes),
  ]
}

/** Nothing where no TLS is spoken. */
const tlsRow = ({ tls_handshakes, tls_resumed, tls_failed }: ServerStats): [string, string][] =>
  tls_handshakes + tls_failed === 0
    ? []
    : [
        [
          'TLS',
          `${count(tls_handshakes)} handshakes, ${count(tls_resumed)} resumed, ${count(tls_failed)} failed`,
        ],
      ]

const silent = (processes: readonly { pid: number; error?: string | undefined }[]): string[] =>
  processes.flatMap(({ pid, error }) => (error === undefined ? [] : [silentLine({ pid, error })]))

function processesView(processes: readonly ProcessSnapshot[]): string[] {
  const heads = ['process', 'pid', 'state', 'busy', 'connections', 'requests', 'p99', 'lag'].map(
    (title) => (title === 'state' ? { title } : right(title)),
  )
  return columns(
    heads,
    processes.map(({ slot, pid, state, busy, stats, levels }) => [
      String(slot),
      String(pid),
      state,
      percent(busy),
      levels === undefined ? '?' : count(levels.connections),
      count(stats?.requests ?? 0),
      time(stats === undefined ? 0 : percentile(stats.latency, 0.99)),
      time(stats?.lag.max_us ?? 0),
    ]),
  )
}

function connectionsView({ connections, total, omitted, silent }: ConnectionsAnswer): string[] {
  const heads: Column[] = [
    { title: 'id' },
    right('process'),
    { title: 'peer' },
    { title: 'local' },
    { title: 'state' },
    ...['age', 'idle', 'in', 'out', 'requests', 'in flight', 'unsent'].map(right),
  ]
  const rows = connections.map((each) => [
    each.id,
    String(each.process),
    each.remote,
    each.local,
    each.paused ? `${each.state}, not read` : each.state,
    duration(each.age_ms / 1000),
    duration(each.idle_ms / 1000),
    bytes(each.bytes_in),
    bytes(each.bytes_out),
    count(each.requests),
    count(each.in_flight),
    bytes(each.queued_bytes),
  ])
  return [
    ...(rows.length > 0 ? columns(heads, rows) : []),
    omitted > 0 ? `and ${count(omitted)} more; ${count(total)} in all` : `${count(total)} in all`,
    ...silent.map(silentLine),
  ]
}

function workersView({ processes, handlers, waiting }: WorkersAnswer): string[] {
  const table = columns(
    [
      right('process'),
      right('pid'),
      right('generation'),
      { title: 'state' },
      ...['busy', 'connections', 'requests', 'in flight', 'memory', 'restarts', 'age'].map(right),
    ],
    processes.map((each) => [
      String(each.slot),
      String(each.pid),
      String(each.generation),
      each.state,
      percent(each.busy),
      count(each.connections ?? 0),
      count(each.requests ?? 0),
      count(each.in_flight ?? 0),
      bytes(each.rss_bytes ?? 0),
      String(each.restarts),
      each.uptime === undefined ? '?' : duration(each.uptime),
    ]),
  )
  const errors = silent(processes)
  if (handlers.length === 0) return [...table, ...errors]
  const workers = columns(
    [
      right('process'),
      { title: 'handler' },
      { title: 'state' },
      ...['busy', 'requests', 'in flight', 'restarts', 'age'].map(right),
    ],
    handlers.map((each) => [
      String(each.process),
      each.id,
      each.state,
      percent(each.busy),
      count(each.requests),
      count(each.in_flight),
      String(each.restarts),
      duration(each.uptime),
    ]),
  )
  return [...table, ...errors, '', ...workers, `${count(waiting)} requests wait for a worker`]
}

const configView = (options: ConfigAnswer): string[] =>
  columns(
    [{ title: 'option' }, { title: 'value' }, { title: 'from' }],
    Object.entries(options).map(([name, { value, origin }]) => [name, value || '-', origin]),
  )

function profileView({ profile, processes }: ProfileAnswer): string[] {
  return processes.map(({ pid, file, error }) => {
    if (error !== undefined) return silentLine({ pid, error })
    return profile === 'start' ? `pid ${pid}: profile started` : `pid ${pid}: ${file}`
  })
}
