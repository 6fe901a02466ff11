// The servers that are compared: how each is started and what it answers. A peer is a row here and, when
// it is a program of ours, a row in build.mjs.

import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { programPath } from '../build.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

const READY = /^listening (\d+)$/m

const program = (name, what) => ({ what, program: name, command: [programPath(name), '0'], ready: READY })

// --engine native: a machine without the addon must fail here, not be measured on the portable engine.
function gaidaros(handler, options, what, expect = 'echo') {
  const fixed = ['--no-config', '-h', '127.0.0.1', '-p', '0', '-m', path(`../handlers/${handler}.ts`)]
  const engine = options.includes('--engine') ? [] : ['--engine', 'native']
  return {
    what,
    expect,
    command: [execPath, path('../../bin/gaidaros.js'), ...fixed, ...engine, ...options],
    ready: /127\.0\.0\.1:(\d+)/,
  }
}

const BUSY = ['--busy-poll', '50us']

/** Every ratio is against this one unless a floor names another. */
export const REFERENCE = 'raw-epoll-edge'

/** Name → what it is, its command line, the line that tells its port, the response it gives. */
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
}
