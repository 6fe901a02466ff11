// A cell is a load: connections x requests in flight on each. Which peers run in it by default, and the
// floors that the project promised for it (medians of paired ratios).

import { PEERS, REFERENCE } from './peers.mjs'

const RAW = ['raw-epoll-edge', 'raw-epoll-level', 'raw-uring', 'libuv', 'node-net']
const SERVERS = ['edge', 'level', 'completion', 'portable']
const BATCH = ['edge-batch', 'completion-batch']

/** Cells run by default, and their peers. */
export const CELLS = {
  '64x1': [...RAW, ...SERVERS, 'edge-upper', 'completion-upper'],
  '1000x1': [...RAW, ...SERVERS],
  '64x16': [...RAW, ...SERVERS, ...BATCH],
  '1x1': [...RAW, ...SERVERS, 'edge-busy', 'completion-busy'],
}

const floor = (cell, peer, atLeast, against = REFERENCE) => ({ cell, peer, atLeast, against })

/** The floors, each a lower bound of a median. */
export const FLOORS = [
  floor('64x1', 'edge', 1.05),
  floor('64x1', 'completion', 1.1),
  floor('64x1', 'edge-upper', 1.03),
  floor('64x1', 'edge', 1.7, 'node-net'),
  floor('64x1', 'completion', 1.7, 'node-net'),
  floor('64x1', 'portable', 0.95, 'node-net'),
  floor('1000x1', 'edge', 1.05),
  floor('1000x1', 'completion', 1.08),
  floor('1000x1', 'edge', 1.7, 'node-net'),
  floor('1000x1', 'completion', 1.7, 'node-net'),
  floor('1000x1', 'portable', 0.95, 'node-net'),
  floor('64x16', 'edge', 0.85),
  floor('64x16', 'completion', 0.88),
  floor('64x16', 'edge-batch', 1.03),
  floor('64x16', 'completion-batch', 1.08),
  floor('64x16', 'portable', 0.95, 'node-net'),
  floor('1x1', 'edge', 0.88),
  floor('1x1', 'completion', 0.88),
  floor('1x1', 'edge-busy', 1.25),
  floor('1x1', 'completion-busy', 1.25),
  floor('1x1', 'portable', 0.95, 'node-net'),
]

/**
 * The loads and peers of a run.
 * @param {string[]} names cells such as '64x1'; empty: all default ones
 * @param {string[]} peers names of peers; empty: those of the cell
 * @returns {{ name: string, connections: number, depth: number, peers: string[] }[]}
 * @throws RangeError naming the cell or peer that is not known
 */
export function selectCells(names, peers) {
  const unknown = peers.find((peer) => !PEERS[peer])
  if (unknown) throw new RangeError(`--peer ${unknown}: wanted one of ${Object.keys(PEERS).join(', ')}`)
  return (names.length > 0 ? names : Object.keys(CELLS)).map((name) => {
    const [, connections, depth] = /^([1-9]\d*)x([1-9]\d*)$/.exec(name) ?? []
    if (!depth) throw new RangeError(`--cell ${name}: wanted CONNECTIONSxDEPTH, such as 64x1`)
    const chosen = peers.length > 0 ? peers : (CELLS[name] ?? [...RAW, ...SERVERS])
    const others = chosen.filter((peer) => peer !== REFERENCE)
    return { name, connections: Number(connections), depth: Number(depth), peers: [REFERENCE, ...others] }
  })
}
