// The suite `compression`: what a server sends of long replies over gzip, beside node:zlib piped into node:net. A client
// asks for some replies in one stream and reads to its end without inflating it, so that the server is the limit.

import { connect } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import { startServer } from './server.mjs'
import { stop } from './processes.mjs'
import { summary } from './statistics.mjs'
import { floorTable } from './table.mjs'

const REPLY_BYTES = 1 << 20
/** Replies to each connection in a turn. */
const REPLIES = 8

const bytesOf = async (port) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(gzipSync('go\n'.repeat(REPLIES)))
  const chunks = await socket.toArray()
  return Buffer.concat(chunks)
}

/** MiB of replies a second over so many connections at once. */
async function turn({ port }, connections) {
  const began = performance.now()
  await Promise.all(Array.from({ length: connections }, () => bytesOf(port)))
  return (connections * REPLIES * 1000) / (performance.now() - began)
}

/** Throws where a server does not give what was asked for. */
async function check({ name, port }) {
  const { length } = gunzipSync(await bytesOf(port))
  if (length !== REPLIES * REPLY_BYTES) throw new Error(`${name} gave ${length} bytes`)
}

async function runCell({ name, connections, peers }, plan) {
  const servers = await Promise.all(peers.map((peer) => startServer(peer)))
  try {
    const absent = servers.find((server) => server.absent)
    if (absent) throw new Error(`${absent.name}: ${absent.absent}`)
    for (const server of servers) await check(server)
    const rounds = []
    for (let i = 0; i < plan.rounds; i++) {
      const round = {}
      for (const server of servers) round[server.name] = await turn(server, connections)
      rounds.push(round)
    }
    return { cell: name, rounds }
  } finally {
    await Promise.all(servers.filter(({ child }) => child).map(({ child }) => stop(child)))
  }
}

const line = (peer, rates, ratios) =>
  `  ${peer.padEnd(18)} ${summary(rates).median.toFixed(1)} MiB/s (${Math.min(...rates).toFixed(1)}..${Math.max(...rates).toFixed(1)}), ratio ${summary(ratios).median.toFixed(3)}`

/** Runs the suite's cells. @returns {Promise<{ results: object[], missed: number }>} */
export async function runCompression({ suite, rounds }) {
  const results = []
  const verdicts = []
  for (const cell of suite.cells) {
    const result = await runCell(cell, { rounds })
    results.push(result)
    console.log(`${cell.name}: ${cell.connections} connections, ${REPLIES} replies of 1 MiB on each`)
    for (const peer of cell.peers) {
      const ratios = result.rounds.map((round) => round[peer] / round[suite.reference])
      console.log(line(peer, result.rounds.map((round) => round[peer]), ratios))
      for (const floor of suite.floors.filter((each) => each.cell === cell.name && each.peer === peer)) {
        const measured = summary(ratios)
        verdicts.push({ ...floor, measured, state: measured.median >= floor.atLeast ? 'pass' : 'FAIL' })
      }
    }
  }
  if (verdicts.length > 0) console.log(`\nFloors (medians of paired ratios):\n${floorTable(verdicts)}\n`)
  return { results, missed: verdicts.filter(({ state }) => state === 'FAIL').length }
}
