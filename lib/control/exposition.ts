// A snapshot as Prometheus text, format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).

import { type Distribution, sorted } from '../engine/distribution.js'
import type { ProcessSnapshot, Snapshot } from './snapshot.js'

type Labels = Readonly<Record<string, string | number>>
type Sample = readonly [labels: Labels, value: number]
type Kind = 'counter' | 'gauge' | 'histogram'

/** Bounds of a histogram: 4 µs to a minute, each twice the one before. All are bounds of our own buckets. */
const BOUNDS_US = Array.from({ length: 25 }, (_, i) => 4 * 2 ** i)

const escapeLabel = (value: string | number): string =>
  String(value).replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`
}

function family(kind: Kind, name: string, help: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return `# HELP gaidaros_${name} ${help}\n# TYPE gaidaros_${name} ${kind}\n${lines.join('\n')}\n`
}

function metric(
  kind: 'counter' | 'gauge',
  name: string,
  help: string,
  samples: readonly Sample[] | number,
): string {
  const all: readonly Sample[] = typeof samples === 'number' ? [[{}, samples]] : samples
  const lines = all.map(([labels, value]) => line(`gaidaros_${name}`, labels, value))
  return family(kind, name, help, lines)
}

function histogram(name: string, help: string, of: Distribution): string {
  const buckets = sorted(of)
  const below = (us: number) =>
    buckets.reduce((sum, [bound, count]) => (bound <= us ? sum + count : sum), 0)
  const full = `gaidaros_${name}`
  return family('histogram', name, help, [
    ...BOUNDS_US.map((us) => line(`${full}_bucket`, { le: us / 1e6 }, below(us))),
    line(`${full}_bucket`, { le: '+Inf' }, of.count),
    line(`${full}_sum`, {}, of.sum_us / 1e6),
    line(`${full}_count`, {}, of.count),
  ])
}

const labelled = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([key, count]) => [{ [label]: key }, count])

/**
 * The text.
 * @example
 * exposition(snapshot).split('\n')[0] // '# HELP gaidaros_info What serves; always 1.'
 */
export function exposition(snapshot: Snapshot): string {
  return [
    ...identity(snapshot),
    ...traffic(snapshot),
    ...faults(snapshot),
    ...levels(snapshot),
    ...times(snapshot),
    ...processes(snapshot.processes),
  ].join('')
}

function identity({ version, engine, server_type, started, silent }: Snapshot): string[] {
  return [
    metric('gauge', 'info', 'What serves; always 1.', [[{ version, engine, server_type }, 1]]),
    metric('gauge', 'start_time_seconds', 'When it began to serve, since 1970.', started),
    metric('gauge', 'silent_processes', 'Server processes that gave no answer.', silent),
  ]
}

function traffic({ total }: Snapshot): string[] {
  const closed = labelled('reason', total.closed)
  const calls = labelled('call', total.syscalls)
  return [
    metric('counter', 'connections_accepted_total', 'Connections accepted.', total.accepted),
    metric('counter', 'connections_closed_total', 'Connections closed, by reason.', closed),
    metric('counter', 'requests_total', 'Requests cut from the input.', total.requests),
    metric('counter', 'replies_total', 'Requests answered.', total.replies),
    metric('counter', 'received_bytes_total', 'Bytes received.', total.bytes_in),
    metric('counter', 'sent_bytes_total', 'Bytes sent.', total.bytes_out),
    metric(
      'counter',
      'received_compressed_bytes_total',
      'What the received bytes were inflated from.',
      total.compressed_bytes_in,
    ),
    metric(
      'counter',
      'sent_compressed_bytes_total',
      'What the sent bytes were compressed to.',
      total.compressed_bytes_out,
    ),
    metric('counter', 'batches_total', 'Crossings into the handler.', total.batches),
    metric('counter', 'records_total', 'Requests and events that crossed.', total.records),
    metric('counter', 'turns_total', 'Turns of the event loops.', total.turns),
    metric('counter', 'syscalls_total', 'System calls of the native engine, by call.', calls),
  ]
}

function faults({ total }: Snapshot): string[] {
  const pauses: Sample[] = [
    [{ why: 'limit' }, total.accept_paused_limit],
    [{ why: 'resources' }, total.accept_paused_resources],
  ]
  return [
    metric('counter', 'handler_errors_total', 'Errors of the handler.', total.handler_errors),
    metric('counter', 'workers_lost_total', 'Handler workers that died.', total.workers_lost),
    metric('counter', 'dropped_frames_total', 'Unfinished requests.', total.dropped_frames),
    metric('counter', 'accept_errors_total', 'Errors of accept().', total.accept_errors),
    metric('counter', 'datagrams_cut_total', 'Datagrams that were too long.', total.datagrams_cut),
    metric(
      'counter',
      'datagrams_corrupt_total',
      'Datagrams that did not inflate.',
      total.datagrams_corrupt,
    ),
    metric(
      'counter',
      'datagrams_multipart_total',
      'Messages of ZeroMQ whose body had several frames.',
      total.datagrams_multipart,
    ),
    metric(
      'counter',
      'datagrams_held_back_total',
      'Replies that udp_amplification held back.',
      total.datagrams_held_back,
    ),
    metric(
      'counter',
      'datagrams_unsent_total',
      'Replies that the kernel did not take.',
      total.datagrams_unsent,
    ),
    metric('counter', 'tls_handshakes_total', 'TLS handshakes.', total.tls_handshakes),
    metric('counter', 'tls_resumed_total', 'Those that resumed a session.', total.tls_resumed),
    metric('counter', 'tls_failed_total', 'TLS handshakes that failed.', total.tls_failed),
    metric('counter', 'icmp_errors_total', 'Errors that ICMP reported.', total.icmp_errors),
    metric('counter', 'accept_pauses_total', 'Times that accepting was paused.', pauses),
    metric('counter', 'log_dropped_total', 'Lines that the logs lost.', total.log_dropped),
  ]
}

function levels({ levels: now, total }: Snapshot): string[] {
  return [
    metric('gauge', 'connections', 'Open connections.', total.active),
    metric('gauge', 'connections_paused', 'Connections that are not read from.', now.paused),
    metric('gauge', 'requests_in_flight', 'Requests not answered yet.', now.in_flight),
    metric('gauge', 'requests_waiting', 'Requests without a handler worker.', now.waiting),
    metric('gauge', 'queued_bytes', 'Replies that wait for their peers.', now.queued_bytes),
  ]
}

function times({ total }: Snapshot): string[] {
  return [
    histogram(
      'request_duration_seconds',
      'From handing a request over to its answer on its way.',
      total.latency,
    ),
    histogram('loop_lag_seconds', 'How long a loop was kept from its sockets.', total.lag),
  ]
}

function processes(all: readonly ProcessSnapshot[]): string[] {
  const each = (value: (process: ProcessSnapshot) => number | undefined): Sample[] =>
    all.flatMap((process): Sample[] => {
      const number = value(process)
      return number === undefined ? [] : [[{ process: process.slot, pid: process.pid }, number]]
    })
  const { requests, connections, busy, memory, up, workers } = {
    up: each(({ error }) => (error === undefined ? 1 : 0)),
    requests: each(({ stats }) => stats?.requests),
    connections: each(({ levels }) => levels?.connections),
    busy: each(({ busy_seconds }) => busy_seconds),
    memory: each(({ rss_bytes }) => rss_bytes),
    workers: each(({ handlers }) => (handlers?.length ? handlers.length : undefined)),
  }
  return [
    metric('gauge', 'process_up', 'Whether a server process answered.', up),
    metric('counter', 'process_requests_total', 'Requests of a server process.', requests),
    metric('gauge', 'process_connections', 'Connections of a server process.', connections),
    metric('counter', 'process_busy_seconds_total', 'Time that its loop ran or wanted to.', busy),
    metric('gauge', 'process_resident_memory_bytes', 'Its resident memory.', memory),
    metric('gauge', 'process_handler_workers', 'Its handler workers.', workers),
  ]
}
