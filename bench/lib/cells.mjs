// Suites of cells. A cell is a load: connections x requests in flight on each. A suite says which peers run in its
// cells by default, against which one the ratios are, and the floors that the project promised for it (medians of
// paired ratios).

import { PEERS } from './peers.mjs'

const RAW = ['raw-epoll-edge', 'raw-epoll-level', 'raw-uring', 'libuv', 'node-net']
const SECURE = ['tls-edge', 'tls-completion']
const SECURE_PEERS = ['raw-tls', 'bun-tls']
const SERVERS = ['edge', 'level', 'completion', 'portable']
const BATCH = ['edge-batch', 'completion-batch']
const HTTP_PEERS = ['node-http', 'bun-http', 'uws-http']
const HTTP = ['http-edge', 'http-level', 'http-completion', 'http-portable', 'http-edge-batch', 'http-completion-batch']
const FETCH = ['fetch-edge', 'fetch-completion', 'hono-edge', 'hono-node']
const ELSEWHERE = ['edge-threadpool', 'edge-procpool', 'postmessage-batch', 'postmessage-request', 'ipc-batch']

const engineFloor = (cell, peer, atLeast, against = 'raw-epoll-edge') => ({ cell, peer, atLeast, against })
const secureCeilings = (cell, atMost) => SECURE.map((peer) => ({ cell, peer, atMost }))
const httpFloors = (cell, atLeast) =>
  ['http-edge', 'http-completion'].map((peer) => ({ cell, peer, atLeast, against: 'raw-http' }))
const fetchFloors = (cell, atLeast) =>
  ['fetch-edge', 'fetch-completion'].map((peer) => ({ cell, peer, atLeast, against: 'node-http' }))
const dispatchFloor = (cell, peer, atLeast) => ({ cell, peer, atLeast, against: 'edge' })

/**
 * Name -> its reference, its cells with their peers, its floors, and what is special about its load. `pinned`: server
 * and generator have a core each; `block`: the generator sleeps while nothing is there.
 */
export const SUITES = {
  engine: {
    what: 'the engine against servers written by hand',
    reference: 'raw-epoll-edge',
    pinned: true,
    block: false,
    cells: {
      '64x1': [...RAW, ...SERVERS, 'edge-upper', 'completion-upper'],
      '1000x1': [...RAW, ...SERVERS],
      '64x16': [...RAW, ...SERVERS, ...BATCH],
      '1x1': [...RAW, ...SERVERS, 'edge-busy', 'completion-busy'],
    },
    floors: [
      engineFloor('64x1', 'edge', 1.05),
      engineFloor('64x1', 'completion', 1.1),
      engineFloor('64x1', 'edge-upper', 1.03),
      engineFloor('64x1', 'edge', 1.7, 'node-net'),
      engineFloor('64x1', 'completion', 1.7, 'node-net'),
      engineFloor('64x1', 'portable', 0.95, 'node-net'),
      engineFloor('1000x1', 'edge', 1.05),
      engineFloor('1000x1', 'completion', 1.08),
      engineFloor('1000x1', 'edge', 1.7, 'node-net'),
      engineFloor('1000x1', 'completion', 1.7, 'node-net'),
      engineFloor('1000x1', 'portable', 0.95, 'node-net'),
      engineFloor('64x16', 'edge', 0.85),
      engineFloor('64x16', 'completion', 0.88),
      engineFloor('64x16', 'edge-batch', 1.03),
      engineFloor('64x16', 'completion-batch', 1.08),
      engineFloor('64x16', 'portable', 0.95, 'node-net'),
      engineFloor('1x1', 'edge', 0.88),
      engineFloor('1x1', 'completion', 0.88),
      engineFloor('1x1', 'edge-busy', 1.25),
      engineFloor('1x1', 'completion-busy', 1.25),
      engineFloor('1x1', 'portable', 0.95, 'node-net'),
    ],
  },
  udp: {
    what: 'datagrams against a server written by hand',
    reference: 'raw-udp',
    pinned: true,
    block: false,
    udp: true,
    /** Bytes of a datagram. */
    size: 64,
    cells: { '64x16': ['udp-edge', 'udp-completion', 'udp-batch', 'udp-single', 'node-dgram'] },
    floors: [
      { cell: '64x16', peer: 'udp-edge', atLeast: 0.92, against: 'raw-udp' },
      { cell: '64x16', peer: 'udp-completion', atLeast: 0.92, against: 'raw-udp' },
    ],
  },
  tls: {
    what: 'what TLS costs the server, beside node:tls',
    reference: 'node-tls',
    /** lib/tls.mjs measures it; its cells are its figures, and its floors are ceilings. */
    figures: true,
    cells: {
      '64x1': [...SECURE, ...SECURE_PEERS],
      '64x16': [...SECURE, ...SECURE_PEERS],
      handshake: [...SECURE, ...SECURE_PEERS],
      big: SECURE,
      'big-cpu': SECURE,
      idle: [...SECURE, 'bun-tls'],
    },
    floors: [
      ...secureCeilings('64x1', 0.5),
      ...secureCeilings('64x16', 0.5),
      ...secureCeilings('handshake', 0.75),
      ...secureCeilings('big', 1),
      ...secureCeilings('big-cpu', 1),
      ...secureCeilings('idle', 0.45),
    ],
  },
  compression: {
    what: 'long replies over gzip, beside node:zlib piped into node:net',
    reference: 'node-gzip',
    cells: { '1x1': ['gzip-edge', 'gzip-completion'], '4x1': ['gzip-edge', 'gzip-completion'] },
    floors: [
      { cell: '1x1', peer: 'gzip-edge', atLeast: 1, against: 'node-gzip' },
      { cell: '1x1', peer: 'gzip-completion', atLeast: 1, against: 'node-gzip' },
    ],
  },
  http: {
    what: 'Hello, World! over HTTP/1.1 against a server written by hand',
    reference: 'raw-http',
    pinned: true,
    block: false,
    /** Bytes of the generator's request, which is always the same. */
    size: 35,
    cells: { '64x1': [...HTTP_PEERS, ...HTTP, ...FETCH], '64x16': [...HTTP_PEERS, ...HTTP, ...FETCH] },
    floors: [
      ...httpFloors('64x1', 1),
      ...httpFloors('64x16', 0.8),
      // With one request in flight the kernel's share hides the rest: raw-http itself may be below twice node-http.
      ...fetchFloors('64x16', 10),
      { cell: '64x16', peer: 'hono-edge', atLeast: 2, against: 'hono-node' },
    ],
  },
  dispatch: {
    what: 'the same handler in the loop and in a worker, all on one core',
    reference: 'edge',
    pinned: true,
    block: false,
    cells: { '64x1': ELSEWHERE, '64x16': ELSEWHERE },
    floors: [
      dispatchFloor('64x1', 'edge-threadpool', 0.9),
      dispatchFloor('64x1', 'edge-procpool', 0.9),
      dispatchFloor('64x16', 'edge-threadpool', 0.88),
      dispatchFloor('64x16', 'edge-procpool', 0.88),
    ],
  },
  scaling: {
    what: 'a handler of 500 us: the work of two threads, two handler processes, two server processes beside that of one',
    reference: 'spin-1-thread',
    pinned: false,
    block: true,
    /** Microseconds of the spinning handler. */
    spin: 500,
    cells: {
      '16x1': ['spin-inline', 'spin-2-threads', 'spin-1-process', 'spin-2-processes', 'spin-1-server', 'spin-2-servers'],
    },
    floors: [
      { cell: '16x1', peer: 'spin-2-threads', atLeast: 1.8, against: 'spin-1-thread' },
      { cell: '16x1', peer: 'spin-2-processes', atLeast: 1.8, against: 'spin-1-process' },
      { cell: '16x1', peer: 'spin-2-servers', atLeast: 1.8, against: 'spin-1-server' },
    ],
  },
}

/**
 * A suite with the loads and peers of a run.
 * @param {string} name
 * @param {string[]} cells such as '64x1'; empty: all default ones
 * @param {string[]} peers names of peers; empty: those of the cell
 * @returns {object} the suite, its cells as { name, connections, depth, peers }
 * @throws RangeError naming the suite, cell or peer that is not known
 */
export function selectSuite(name, cells, peers) {
  const suite = SUITES[name]
  if (!suite) throw new RangeError(`--suite ${name}: wanted one of ${Object.keys(SUITES).join(', ')}`)
  const unknown = peers.find((peer) => !PEERS[peer])
  if (unknown) throw new RangeError(`--peer ${unknown}: wanted one of ${Object.keys(PEERS).join(', ')}`)
  const chosen = cells.length > 0 ? cells : Object.keys(suite.cells)
  return { ...suite, name, cells: chosen.map((cell) => selectCell(suite, cell, peers)) }
}

function selectCell({ reference, cells, figures }, name, peers) {
  const [, connections, depth] = /^([1-9]\d*)x([1-9]\d*)$/.exec(name) ?? []
  if (figures && !cells[name]) throw new RangeError(`--cell ${name}: wanted one of ${Object.keys(cells).join(', ')}`)
  if (!depth && !figures) throw new RangeError(`--cell ${name}: wanted CONNECTIONSxDEPTH, such as 64x1`)
  const chosen = peers.length > 0 ? peers : (cells[name] ?? Object.values(cells)[0])
  const others = chosen.filter((peer) => peer !== reference)
  return { name, connections: Number(connections), depth: Number(depth), peers: [reference, ...others] }
}
