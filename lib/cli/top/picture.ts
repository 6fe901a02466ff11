// One picture of gaidaros top: lines from two snapshots of a server. Knows nothing of terminals but their size.

import type { ProcessSnapshot, Snapshot } from '../../control/snapshot.js'
import { type Distribution, percentile, sorted } from '../../engine/distribution.js'
import { type Column, columns, right } from '../columns.js'
import { bytes, count, duration, named, percent, time } from '../numbers.js'
import { type ProcessRates, processRates, type Rates, ratesOf } from './rates.js'
import { bar, clip, type Style, sparkline } from './style.js'

export interface View {
  before: Snapshot
  now: Snapshot
  /** Requests a second so far, the last one last. */
  history: readonly number[]
  columns: number
  rows: number
  style: Style
  /** Why what is shown is not of now. */
  trouble?: string | undefined
}

/** Lines, as many as fit. */
export function picture(view: View): string[] {
  const { before, now, style, trouble } = view
  const rates = ratesOf(before, now)
  const lines = [
    ...head(now, style, trouble),
    '',
    ...numbers(view, rates),
    '',
    ...closed(now, rates, style),
    '',
    ...processes(view),
    ...handlers(view),
  ]
  const room = Math.max(1, view.rows)
  const cut = lines.length > room ? [...lines.slice(0, room - 1), style.label('…')] : lines
  return cut.map((line) => clip(line, view.columns))
}

function head(now: Snapshot, style: Style, trouble: string | undefined): string[] {
  const { version, server_type, engine, pid, uptime, addresses, state, time: at } = now
  const clock = new Date(at * 1000).toTimeString().slice(0, 8)
  const type = server_type === '' ? 'one process' : server_type
  const life = state === 'serving' ? `up ${duration(Math.round(uptime))}` : state
  return [
    `${style.title(`Gaidaros ${version}`)}  ${type}, ${engine}`,
    `${style.label('pid')} ${pid}, ${life}, ${style.label('at')} ${addresses.join(', ')}  ${style.label(clock)}`,
    ...(trouble === undefined ? [] : [style.bad(trouble)]),
  ]
}

/** Three columns of numbers: traffic, efficiency and queues, times. */
function numbers({ now, history, style, columns: width }: View, rates: Rates): string[] {
  const { levels, total } = now
  const number = (value: number): string =>
    Number.isFinite(value) ? String(Number(value.toFixed(value < 10 ? 2 : 1))) : '-'
  const left = [
    ['requests/s', count(rates.requests)],
    ['replies/s', count(rates.replies)],
    ['accepts/s', count(rates.accepted)],
    ['in', `${bytes(Math.round(rates.bytes_in))}/s`],
    ['out', `${bytes(Math.round(rates.bytes_out))}/s`],
    ['errors/s', number(rates.handler_errors)],
  ]
  const middle = [
    ['connections', count(total.active)],
    ['in flight', count(levels.in_flight)],
    ['wait for worker', count(levels.waiting)],
    ['unsent', bytes(levels.queued_bytes)],
    ['batch', number(rates.batch)],
    ['syscalls/request', number(rates.syscalls)],
  ]
  const times = [
    ['', 'latency', 'loop lag'],
    ...([0.5, 0.9, 0.99] as const).map((p) => [
      `p${p * 100}`,
      of(rates.latency, percentile(rates.latency, p)),
      of(rates.lag, percentile(rates.lag, p)),
    ]),
    ['max', of(rates.latency, rates.latency.max_us), of(rates.lag, rates.lag.max_us)],
  ]
  const cell = ([name = '', value = '']: readonly string[], names: number, values: number) =>
    `${style.label(name.padEnd(names))}${value.padStart(values)}`
  const three = ([name = '', a = '', b = '']: readonly string[]) =>
    name === ''
      ? style.label(`${' '.repeat(4)}${a.padStart(10)}${b.padStart(10)}`)
      : `${style.label(name.padEnd(4))}${a.padStart(10)}${b.padStart(10)}`
  const table = left.map(
    (row, i) =>
      `  ${cell(row, 11, 14)}    ${cell(middle[i] ?? [], 16, 12)}    ${three(times[i] ?? [])}`,
  )
  const room = Math.max(10, Math.min(60, width - 40))
  const most = Math.max(...history, 0)
  return [
    ...table,
    '',
    `  ${style.label('requests/s ')}${style.good(sparkline(history.slice(-room)).padStart(room))}  ${style.label(`of ${count(most)}`)}`,
    `  ${style.label('latency    ')}${spectrum(rates.latency, style)}`,
  ]
}

const of = (distribution: Distribution, us: number): string =>
  distribution.count === 0 ? '-' : time(us)

/** From a microsecond to a second, two columns for an octave. */
const FIRST_US = 1
const OCTAVES = 20
const STEPS = 2

function spectrum(latency: Distribution, style: Style): string {
  const heights = Array.from({ length: OCTAVES * STEPS }, () => 0)
  for (const [bound, n] of sorted(latency)) {
    const at = Math.ceil(Math.log2(bound / FIRST_US) * STEPS) - 1
    const column = Math.min(heights.length - 1, Math.max(0, at))
    heights[column] = (heights[column] ?? 0) + n
  }
  return `${style.label('1 µs')} ${style.good(sparkline(heights))} ${style.label('1 s')}`
}

function closed({ total }: Snapshot, rates: Rates, style: Style): string[] {
  const now = rates.closed
    .map(([reason, rate]) => `${rate < 10 ? rate.toFixed(1) : count(rate)} ${reason}`)
    .join(', ')
  return [
    `  ${style.label('closed/s   ')}${now || '-'}`,
    `  ${style.label('closed     ')}${named(total.closed) || '-'}`,
  ]
}

const BAR = 20

interface Row {
  process: ProcessSnapshot
  rates: ProcessRates
}

function rowsOf({ before, now }: View): Row[] {
  const seconds = Math.max(1e-3, now.time - before.time)
  return now.processes.map((process) => {
    const earlier = before.processes.find(({ pid }) => pid === process.pid)
    return { process, rates: processRates(earlier, process, seconds) }
  })
}

/** Who of the server processes does how much: bars against the one that does most. */
function processes(view: View): string[] {
  const rows = rowsOf(view)
  const most = Math.max(...rows.map(({ rates }) => rates.requests), 1)
  const heads: Column[] = [
    right('process'),
    right('pid'),
    { title: 'state' },
    right('requests/s'),
    { title: ' '.repeat(BAR) },
    ...['busy', 'connections', 'in flight', 'p99', 'lag', 'memory'].map(right),
  ]
  const table = columns(
    heads,
    rows.map(({ process: { slot, pid, state, levels, rss_bytes, error }, rates }) => [
      String(slot),
      String(pid),
      error === undefined ? state : 'silent',
      count(rates.requests),
      bar(rates.requests / most, BAR),
      percent(rates.busy),
      levels === undefined ? '?' : count(levels.connections),
      levels === undefined ? '?' : count(levels.in_flight),
      of(rates.latency, percentile(rates.latency, 0.99)),
      of(rates.lag, rates.lag.max_us),
      rss_bytes === undefined ? '?' : bytes(rss_bytes),
    ]),
  )
  return painted(
    table,
    rows.map(({ process, rates }) => (process.error === undefined ? load(rates.busy) : 'bad')),
    view.style,
  )
}

function handlers(view: View): string[] {
  const rows = rowsOf(view).flatMap(({ process, rates }) =>
    (process.handlers ?? []).map((each) => ({
      slot: process.slot,
      each,
      now: rates.handlers.get(each.id) ?? { busy: 0, requests: 0 },
    })),
  )
  if (rows.length === 0) return []
  const table = columns(
    [
      right('process'),
      { title: 'handler' },
      { title: 'state' },
      right('requests/s'),
      { title: ' '.repeat(BAR) },
      ...['busy', 'in flight', 'in turn', 'restarts'].map(right),
    ],
    rows.map(({ slot, each, now }) => [
      String(slot),
      each.id,
      each.state,
      count(now.requests),
      bar(now.busy, BAR),
      percent(now.busy),
      count(each.in_flight),
      each.turn_ms > 0 ? time(each.turn_ms * 1000) : '-',
      String(each.restarts),
    ]),
  )
  return [
    '',
    ...painted(
      table,
      rows.map(({ now }) => load(now.busy)),
      view.style,
    ),
  ]
}

const load = (busy: number): 'good' | 'warn' | 'bad' =>
  busy > 0.95 ? 'bad' : busy > 0.8 ? 'warn' : 'good'

const BLOCKS = /[▏▎▍▌▋▊▉█]+/

/** Titles dim, bars in the colour of their row. */
const painted = (
  [titles = '', ...lines]: readonly string[],
  colours: readonly ('good' | 'warn' | 'bad')[],
  style: Style,
): string[] => [
  style.label(titles),
  ...lines.map((line, i) => line.replace(BLOCKS, (bars) => style[colours[i] ?? 'good'](bars))),
]
