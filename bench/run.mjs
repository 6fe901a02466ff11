// Compares Gaidaros with servers written by hand, under one generator, on one machine, in interleaved
// rounds. README.md says how to read what it prints.
//
//   node bench/run.mjs [--suite engine] [--cell 64x1] [--peer edge,raw-uring] [--rounds 9] [--seconds 0.6] [--quick]

import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { calibrateSpin } from './lib/calibration.mjs'
import { selectSuite } from './lib/cells.mjs'
import { runCompression } from './lib/compression.mjs'
import { describeMachine, ensureDescriptors } from './lib/machine.mjs'
import { killAll, stop } from './lib/processes.mjs'
import { Rounds } from './lib/rounds.mjs'
import { startServer } from './lib/server.mjs'
import { describePeers, describeRepeats, floorTable, judge, progress, summarize, table } from './lib/table.mjs'
import { runTls } from './lib/tls.mjs'

const USAGE = `node bench/run.mjs [options]
  --suite NAME       engine (default), udp, tls, compression, http, dispatch: handlers elsewhere, scaling: two of
                     them beside one
  --cell NxD         connections x requests in flight on each; repeatable, commas work (64x1 1000x1 64x16 1x1)
  --peer NAME        only these beside the reference; repeatable, commas work
  --rounds N         interleaved rounds (9)
  --seconds S        length of a turn (0.6)
  --warmup S         before each turn (0.2)
  --size B           bytes of a request, its newline included (32)
  --server-core N    core of the servers (0)
  --client-core N    core of the generator (1)
  --quick            3 rounds of 0.25 s: a look, not a number to publish
  --check            exit code 1 when a floor is missed
  --help`

const OPTIONS = {
  suite: { type: 'string', default: 'engine' },
  cell: { type: 'string', multiple: true, default: [] },
  peer: { type: 'string', multiple: true, default: [] },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  warmup: { type: 'string', default: '0.2' },
  size: { type: 'string' },
  'server-core': { type: 'string', default: '0' },
  'client-core': { type: 'string', default: '1' },
  quick: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

function numberOf(name, text, least, most) {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new RangeError(`--${name} ${text}: wanted a number from ${least} to ${most}`)
}

/** What the command line asks for. Throws TypeError or RangeError naming the option. */
function readPlan(args) {
  const { values } = parseArgs({ args, options: OPTIONS })
  const list = (texts) => texts.flatMap((text) => text.split(',')).filter(Boolean)
  const number = (name, otherwise, least, most) => numberOf(name, values[name] ?? String(otherwise), least, most)
  const lastCore = availableParallelism() - 1
  const suite = selectSuite(values.suite, list(values.cell), list(values.peer))
  return {
    help: values.help,
    check: values.check,
    suite,
    rounds: number('rounds', values.quick ? 3 : 9, 1, 1000),
    seconds: number('seconds', values.quick ? 0.25 : 0.6, 0.05, 600),
    warmup: number('warmup', 0.2, 0, 600),
    size: number('size', suite.size ?? 32, 2, 1 << 20),
    serverCore: number('server-core', 0, 0, lastCore),
    clientCore: number('client-core', 1, 0, lastCore),
  }
}

async function measure(cell, plan, servers) {
  const taking = servers.filter((server) => !server.absent)
  if (taking[0]?.name !== plan.suite.reference) throw new Error(`the reference is absent:\n${describePeers(servers)}`)
  const names = taking.map((server) => server.name)
  const { pinned, block, udp } = plan.suite
  const rounds = new Rounds(taking, { ...plan, ...cell, pinned, block, udp })
  const done = await rounds.run(plan.rounds, (round, index) => {
    console.log(`  round ${index}/${plan.rounds}: ${progress(round, names)}`)
  })
  const rows = summarize(done, names)
  console.log(`\n${table(rows)}\n  ${describeRepeats(rounds.repeats)}\n${udp ? lossLine(done, names) : ''}`)
  return { rows, repeats: rounds.repeats, floors: judge(plan.suite.floors, cell.name, done, names), rounds: done }
}

/** The share of datagrams that each peer has lost. */
function lossLine(rounds, names) {
  const sum = (name, figure) => rounds.flatMap((round) => round[name]).reduce((total, turn) => total + turn[figure], 0)
  const share = (name) => (100 * sum(name, 'lost')) / Math.max(1, sum(name, 'lost') + sum(name, 'requests'))
  return `  lost: ${names.map((name) => `${name} ${share(name).toFixed(4)} %`).join(', ')}\n`
}

/** One load: starts its peers, measures, ends them. */
async function runCell(cell, plan) {
  console.log(`${cell.name}: ${cell.connections} connections x ${cell.depth} in flight, ${plan.size} bytes`)
  const lacking = ensureDescriptors(cell.connections + 128)
  if (lacking) throw new Error(`cell ${cell.name}: ${lacking}`)
  const servers = []
  try {
    for (const name of cell.peers) servers.push(await startServer(name, plan.suite.pinned ? plan.serverCore : undefined))
    console.log(describePeers(servers))
    const absent = servers.filter((server) => server.absent).map(({ name, absent }) => ({ name, reason: absent }))
    return { cell: cell.name, connections: cell.connections, depth: cell.depth, absent, ...(await measure(cell, plan, servers)) }
  } finally {
    await Promise.all(servers.filter((server) => server.child).map((server) => stop(server.child)))
  }
}

function writeResults(machine, plan, results) {
  const directory = join(import.meta.dirname, 'results')
  mkdirSync(directory, { recursive: true })
  const stamp = new Date().toISOString().replaceAll(':', '-').slice(0, 19)
  const name = `${stamp}-${machine.commit.slice(0, 9)}.json`
  writeFileSync(join(directory, name), JSON.stringify({ machine, plan, results }, null, 1))
  return `bench/results/${name}`
}

/** Suites that have a generator and figures of their own. */
const FIGURES = { tls: runTls, compression: runCompression }

async function measureFigures(plan, run) {
  const machine = describeMachine()
  console.log(`${machine.cpu}, Linux ${machine.kernel}, node ${machine.node}, commit ${machine.commit.slice(0, 9)}\n${plan.suite.name}: ${plan.suite.what}\n`)
  const { results, missed } = await run(plan)
  console.log(`written to ${writeResults(machine, plan, results)}`)
  return plan.check && missed > 0 ? 1 : 0
}

async function main(plan) {
  if (plan.serverCore === plan.clientCore) console.log('NOTE: server and generator share a core: ratios tell little')
  const own = FIGURES[plan.suite.name]
  if (own) return measureFigures(plan, own)
  const reason = build('loadgen')
  if (reason) throw new Error(`the generator cannot be built: ${reason}`)
  const machine = describeMachine()
  console.log(`${machine.cpu}, Linux ${machine.kernel}, node ${machine.node}, commit ${machine.commit.slice(0, 9)}\n${plan.suite.name}: ${plan.suite.what}\n`)
  if (plan.suite.spin) console.log(`${calibrateSpin(plan.suite.spin)} iterations take ${plan.suite.spin} us\n`)
  const results = []
  for (const cell of plan.suite.cells) results.push(await runCell(cell, plan))
  const floors = results.flatMap((result) => result.floors)
  if (floors.length > 0) console.log(`Floors (medians of paired ratios):\n${floorTable(floors)}\n`)
  console.log(`written to ${writeResults(machine, plan, results)}`)
  const failed = results.flatMap((result) => result.rows).some((row) => row.errors > 0 || row.firstError)
  return failed || (plan.check && floors.some((floor) => floor.state !== 'pass')) ? 1 : 0
}

process.on('exit', killAll)
for (const [name, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) process.on(name, () => process.exit(code))

try {
  const plan = readPlan(process.argv.slice(2))
  if (plan.help) console.log(USAGE)
  else process.exitCode = await main(plan)
} catch (error) {
  const misuse = error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS')
  console.error(misuse ? `bench: ${error.message}\n${USAGE}` : `bench: ${error.message}`)
  process.exitCode = misuse ? 2 : 1
}
