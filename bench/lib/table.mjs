// The tables that people read, and the same figures as data.

import { PEERS } from './peers.mjs'
import { figure, rate, ratios } from './rounds.mjs'
import { median, summary } from './statistics.mjs'

/** Below this the generator may be what limits a server. */
const LEAST_IDLE = 0.02

const fixed = (value, digits) => value.toFixed(digits)

/**
 * A cell's figures, one row a peer.
 * @param {object[]} rounds from Rounds.run
 * @param {string[]} names peers that took part, the reference first
 */
export function summarize(rounds, names) {
  const [reference] = names
  return names.map((name) => ({
    peer: name,
    ratio: summary(ratios(rounds, name, reference)),
    requestsPerSecond: median(rounds.map((round) => rate(round, name))),
    p50Us: figure(rounds, name, (turn) => turn.latency_us.p50),
    p99Us: figure(rounds, name, (turn) => turn.latency_us.p99),
    serverCpuUs: figure(rounds, name, (turn) => turn.server.cpu_us_per_request),
    serverCpuShare: figure(rounds, name, (turn) => turn.server.cpu_share),
    generatorIdle: figure(rounds, name, (turn) => turn.idle_share),
    errors: rounds.flatMap((round) => round[name]).reduce((sum, turn) => sum + turn.errors.total, 0),
    firstError: rounds.flatMap((round) => round[name]).find((turn) => turn.errors.first)?.errors.first ?? '',
  }))
}

/** The promises of a suite that this cell's figures can be held against. */
export function judge(floors, cell, rounds, names) {
  const here = floors.filter((floor) => floor.cell === cell)
  return here.map((floor) => {
    if (!names.includes(floor.peer) || !names.includes(floor.against)) return { ...floor, state: 'not measured' }
    const measured = summary(ratios(rounds, floor.peer, floor.against))
    return { ...floor, measured, state: measured.median >= floor.atLeast ? 'pass' : 'FAIL' }
  })
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row) => row.map((text, column) => (column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
  return rows.map((row) => `  ${line(row).join('  ')}`).join('\n')
}

const HEAD = ['peer', 'ratio', 'min..max', 'middle half', 'req/s', 'p50 us', 'p99 us', 'CPU us/req', 'CPU', 'gen idle', '']

function cells(row) {
  const { ratio } = row
  const marks = [row.generatorIdle < LEAST_IDLE ? 'generator-bound' : '', row.errors || row.firstError ? 'ERRORS' : '']
  return [
    row.peer,
    fixed(ratio.median, 3),
    `${fixed(ratio.min, 2)}..${fixed(ratio.max, 2)}`,
    `${fixed(ratio.quartiles[0], 3)}..${fixed(ratio.quartiles[1], 3)}`,
    fixed(row.requestsPerSecond, 0),
    fixed(row.p50Us, 1),
    fixed(row.p99Us, 1),
    fixed(row.serverCpuUs, 2),
    `${fixed(row.serverCpuShare * 100, 0)} %`,
    `${fixed(row.generatorIdle * 100, 1)} %`,
    marks.filter(Boolean).join(', '),
  ]
}

/** A slow reference flatters every ratio: libuv does the same work and must not be faster. */
function doubtReference(rows) {
  const libuv = rows.find((row) => row.peer === 'libuv')
  if (!libuv || libuv.ratio.quartiles[0] <= 1) return []
  return [`  DOUBTFUL: libuv in C was faster than the reference (${fixed(libuv.ratio.median, 3)}); every ratio here flatters`]
}

/** A cell's table as text. */
export function table(rows) {
  const errors = rows.filter((row) => row.firstError).map((row) => `  ${row.peer}: ${row.errors} errors, first: ${row.firstError}`)
  return [aligned([HEAD, ...rows.map(cells)]), ...doubtReference(rows), ...errors].join('\n')
}

/** The floors of all cells beside what was measured, as text. */
export function floorTable(verdicts) {
  const rows = verdicts.map((verdict) => [
    verdict.cell,
    verdict.peer,
    `>= ${fixed(verdict.atLeast, 2)} x ${verdict.against}`,
    verdict.measured ? fixed(verdict.measured.median, 3) : '-',
    verdict.measured ? `${fixed(verdict.measured.min, 2)}..${fixed(verdict.measured.max, 2)}` : '-',
    verdict.state,
  ])
  return aligned([['cell', 'peer', 'floor', 'measured', 'min..max', ''], ...rows])
}

/** One line while a cell runs: what this round gave. */
export function progress(round, names) {
  const [reference, ...others] = names
  const base = rate(round, reference)
  return [`${fixed(base / 1000, 1)} k/s`, ...others.map((name) => `${name} ${fixed(rate(round, name) / base, 2)}`)].join(' · ')
}

/** What was repeated and why, in a sentence. */
export function describeRepeats({ turns, rounds, keptDisturbed, reasons }) {
  const why = Object.entries(reasons).map(([reason, count]) => `${reason}: ${count}`)
  const kept = keptDisturbed > 0 ? `; ${keptDisturbed} KEPT ALTHOUGH DISTURBED` : ''
  return `repeated: ${turns} turns, ${rounds} whole rounds${kept}${why.length > 0 ? ` (${why.join(', ')})` : ''}`
}

/** Who took part and who could not. */
export function describePeers(servers) {
  return servers.map(({ name, absent }) => `  ${name.padEnd(17)} ${absent ? `absent: ${absent}` : PEERS[name].what}`).join('\n')
}
