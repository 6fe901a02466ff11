// The servers that are compared: how each is started and what it answers. A peer is a row here and, when
// it is a program of ours, a row in build.mjs.

import { env, execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { programPath } from '../build.mjs'
import { files } from './tls.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

const READY = /^listening (\d+)$/m

const program = (name, what) => ({ what, program: name, command: [programPath(name), '0'], ready: READY })

// --engine native: a machine without the addon must fail here, not be measured on the portable engine.
function gaidaros(handler, options, what, expect = 'echo') {
  const file = handler.includes('.') ? handler : `${handler}.ts`
  const fixed = ['--no-config', '-h', '127.0.0.1', '-p', '0', '-m', path(`../handlers/${file}`)]
  const engine = options.includes('--engine') ? [] : ['--engine', 'native']
  return {
    what,
    expect,
    command: [execPath, path('../../bin/gaidaros.js'), ...fixed, ...engine, ...options],
    ready: /127\.0\.0\.1:(\d+)/,
  }
}

const BUSY = ['--busy-poll', '50us']

const secure = (options, what) => gaidaros('big', ['--tls-cert', files.cert, '--tls-key', files.key, ...options], what)

const elsewhere = (handler, options, what) => ({ ...gaidaros(handler, options, what), crowded: true })
const http = (handler, options, what) => gaidaros(handler, options, what, 'http')
const fetching = (file, options, what) => gaidaros(file, ['-f', 'fetch', ...options], what, 'http')
const script = (file, what, program = execPath) => ({
  what,
  expect: 'http',
  command: [program, path(`../peers/${file}.mjs`), '0'],
  ready: READY,
})
const spinning = (options, what) => elsewhere('spin', ['-T', 'edge', ...options], what)

/**
 * Name → what it is, its command line, the line that tells its port, the response it gives (the generator's
 * `--expect`). `crowded`: it has threads or processes that wait for each other's core by design.
 */
export const PEERS = {
  'raw-epoll-edge': program('raw-epoll-edge', 'C by hand, epoll edge-triggered: the reference'),
  'raw-epoll-level': program('raw-epoll-level', 'C by hand, epoll level-triggered'),
  'raw-uring': program('raw-uring', 'C by hand, io_uring, one submit a batch'),
  libuv: program('libuv', 'libuv in C, uv_try_write a chunk'),
  'node-net': {
    what: 'node:net, one write a chunk',
    command: [execPath, path('../peers/node-net.mjs'), '0'],
    ready: READY,
  },
  edge: gaidaros('echo', ['-T', 'edge'], 'gaidaros edge, handler returns its Buffer'),
  level: gaidaros('echo', ['-T', 'level'], 'gaidaros level, the same handler'),
  completion: gaidaros('echo', ['-T', 'completion'], 'gaidaros completion, the same handler'),
  'edge-batch': gaidaros('batch', ['-T', 'edge'], 'gaidaros edge, handle_batch'),
  'completion-batch': gaidaros('batch', ['-T', 'completion'], 'gaidaros completion, handle_batch'),
  'edge-upper': gaidaros('upper', ['-T', 'edge'], 'gaidaros edge, string handler', 'upper'),
  'completion-upper': gaidaros('upper', ['-T', 'completion'], 'gaidaros completion, string handler', 'upper'),
  'edge-busy': gaidaros('echo', ['-T', 'edge', ...BUSY], 'gaidaros edge, busy polling'),
  'completion-busy': gaidaros('echo', ['-T', 'completion', ...BUSY], 'gaidaros completion, busy polling'),
  portable: gaidaros('echo', ['--engine', 'portable'], 'gaidaros on node:net'),
  'raw-udp': program('raw-udp', 'C by hand, recvmmsg and sendmmsg: the reference'),
  'node-dgram': {
    what: 'node:dgram, a send each',
    command: [execPath, path('../peers/node-dgram.mjs'), '0'],
    ready: READY,
  },
  'udp-edge': gaidaros('echo', ['-P', 'UDP', '-T', 'edge'], 'gaidaros, handler returns its Buffer'),
  'udp-completion': gaidaros('echo', ['-P', 'UDP', '-T', 'completion'], 'gaidaros completion, the same handler'),
  'udp-batch': gaidaros('batch', ['-P', 'UDP', '-T', 'edge'], 'gaidaros, handle_batch'),
  'udp-single': gaidaros('echo', ['-P', 'UDP', '-T', 'edge', '--udp-gso', 'off', '--udp-gro', 'off'], 'gaidaros, no two datagrams in one message'),
  'node-tls': {
    what: 'node:tls, one write a chunk: the reference of TLS',
    command: [execPath, path('../peers/node-tls.mjs'), '0', files.cert, files.key],
    ready: READY,
  },
  'raw-tls': {
    ...program('raw-tls', 'C by hand, epoll edge-triggered and OpenSSL'),
    command: [programPath('raw-tls'), '0', files.cert, files.key],
  },
  'bun-tls': {
    what: "Bun's sockets, one write a chunk",
    command: [env['BUN'] ?? 'bun', path('../peers/bun-tls.mjs'), '0', files.cert, files.key],
    ready: READY,
  },
  'tls-edge': secure(['-T', 'edge'], 'gaidaros edge, TLS'),
  'tls-level': secure(['-T', 'level'], 'gaidaros level, TLS'),
  'tls-completion': secure(['-T', 'completion'], 'gaidaros completion, TLS'),
  'tls-portable': secure(['--engine', 'portable'], 'gaidaros on node:tls'),
  'node-gzip': {
    what: 'node:net and node:zlib, piped: the reference',
    command: [execPath, path('../peers/node-gzip.mjs'), '0'],
    ready: READY,
  },
  'gzip-edge': gaidaros('text', ['-z', 'gzip', '-T', 'edge'], 'gaidaros -z gzip'),
  'gzip-completion': gaidaros('text', ['-z', 'gzip', '-T', 'completion'], 'gaidaros completion -z gzip'),
  'raw-http': { ...program('raw-http', 'HTTP in C by hand, epoll edge-triggered: the reference'), expect: 'http' },
  'node-http': script('node-http', 'node:http'),
  'bun-http': script('bun-http', 'Bun.serve', env['BUN'] ?? 'bun'),
  'uws-http': script('uws-http', 'uWebSockets.js'),
  'http-edge': http('http', ['-T', 'edge'], 'gaidaros edge, handler returns the body'),
  'http-level': http('http', ['-T', 'level'], 'gaidaros level, the same handler'),
  'http-completion': http('http', ['-T', 'completion'], 'gaidaros completion, the same handler'),
  'http-edge-batch': http('http-batch', ['-T', 'edge'], 'gaidaros edge, handle_batch, whole responses'),
  'http-completion-batch': http('http-batch', ['-T', 'completion'], 'gaidaros completion, the same handler'),
  'fetch-edge': fetching('fetch.ts', ['-T', 'edge'], 'gaidaros edge, -f fetch, a Response'),
  'fetch-completion': fetching('fetch.ts', ['-T', 'completion'], 'gaidaros completion, the same handler'),
  'hono-edge': fetching('hono.mjs', ['-T', 'edge'], 'gaidaros edge, -f fetch, a Hono application'),
  'hono-node': script('hono-node', 'the same application on @hono/node-server'),
  'http-portable': http('http', ['--engine', 'portable'], 'gaidaros on node:net'),
  'edge-threadpool': elsewhere('echo', ['-T', 'edge', '-X', 'threadpool', '-n', '1'], 'the handler of edge in a worker thread'),
  'edge-procpool': elsewhere('echo', ['-T', 'edge', '-X', 'procpool', '-n', '1'], 'the handler of edge in a worker process'),
  'postmessage-batch': elsewhere('postmessage-batch', ['-T', 'edge'], 'the same by hand: a postMessage a turn'),
  'postmessage-request': elsewhere('postmessage-request', ['-T', 'edge'], 'the same by hand: a postMessage a request'),
  'ipc-batch': elsewhere('ipc-batch', ['-T', 'edge'], 'the same by hand: an IPC message a turn to a child_process'),
  'spin-inline': spinning([], 'a handler of 500 us in the loop'),
  'spin-1-thread': spinning(['-X', 'threadpool', '-n', '1'], 'in one worker thread'),
  'spin-2-threads': spinning(['-X', 'threadpool', '-n', '2'], 'in two'),
  'spin-1-process': spinning(['-X', 'procpool', '-n', '1'], 'in one worker process'),
  'spin-2-processes': spinning(['-X', 'procpool', '-n', '2'], 'in two'),
  'spin-1-server': spinning(['-S', 'procpool', '-N', '1'], 'in the loop of one server process'),
  'spin-2-servers': spinning(['-S', 'procpool', '-N', '2'], 'in those of two'),
}
