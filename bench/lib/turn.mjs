// A turn: the generator against one server for a fraction of a second, and what the machine did meanwhile.

import { programPath } from '../build.mjs'
import { PEERS } from './peers.mjs'
import { run } from './processes.mjs'

/** Shares of a turn above which another process, or the hypervisor, had too much of it. */
const MOST_WAIT = 0.02
const MOST_STEAL = 0.02
/** A cache line's round trip is far when above this, and above this many times the nearest seen. */
const FAR_NS = 250
const FAR_TIMES = 2.5

/**
 * Drives one server for one turn.
 * @param {{ name: string, port: number, pid: number }} server
 * @param {object} load connections, depth, size, seconds, warmup, serverCore, clientCore
 * @returns {Promise<object>} the generator's JSON
 * @throws Error when the generator could not do it at all; wrong responses are in `errors` instead
 */
export async function takeTurn(server, load) {
  const { connections, depth, size, seconds, warmup, pinned, block, udp, tls, serverCore, clientCore } = load
  const options = {
    target: server.port,
    pid: server.pid,
    connections,
    depth,
    size,
    seconds,
    warmup,
    expect: PEERS[server.name].expect ?? 'echo',
    probe: `${serverCore},${clientCore}`,
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  if (block) args.push('--block')
  if (udp) args.push('--udp')
  if (tls) args.push('--tls')
  const bound = (seconds + warmup + 60) * 1000
  const { stdout, stderr, code, timedOut } = await run([programPath(tls ? 'loadgen-tls' : 'loadgen'), '--json', ...args], pinned ? clientCore : undefined, bound)
  if (!stdout) throw new Error(`${server.name}: ${timedOut ? 'the generator hung' : stderr.trim() || `exit code ${code}`}`)
  return JSON.parse(stdout)
}

/**
 * Why a turn cannot be compared with others; '' when it can.
 * @param {object} turn from takeTurn
 * @param {number} nearestNs the shortest round trip of a cache line seen in this run
 * @param {{ pinned: boolean, block: boolean, crowded?: boolean }} how `crowded`: the server has threads or processes
 * that wait for each other's core by design
 */
export function disturbance(turn, nearestNs, { pinned, block, crowded = false }) {
  const { environment, server } = turn
  const percent = (share) => `${(share * 100).toFixed(1)} %`
  if (pinned && !crowded && server.wait_share > MOST_WAIT) return `server waited ${percent(server.wait_share)} for its core`
  if (!block && environment.own_wait_share > MOST_WAIT) return `generator waited ${percent(environment.own_wait_share)} for its core`
  if (environment.steal_share > MOST_STEAL) return `${percent(environment.steal_share)} stolen by the hypervisor`
  if (!pinned) return ''
  const farthest = Math.max(...environment.cache_line_ns)
  if (farthest > Math.max(FAR_NS, FAR_TIMES * nearestNs)) return `cores are ${farthest.toFixed(0)} ns apart`
  return ''
}
