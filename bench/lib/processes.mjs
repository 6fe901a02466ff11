// Every process that the runner starts: pinned to a core, in a session of its own (the scheduler's
// autogroups then treat it alone), bounded in time, and ended by its id whatever happens.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

const alive = new Set()
const GRACE_MS = 2_000

/**
 * Starts a command on a core, or on any where none is given. It dies with the runner, even when that is killed;
 * setpriv and taskset replace themselves by what follows, so the child's id is the command's.
 */
export function start(command, core) {
  const pin = core === undefined ? [] : ['taskset', '-c', String(core)]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...pin, ...command], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.add(child)
  child.once('error', () => alive.delete(child))
  child.once('close', () => alive.delete(child))
  return child
}

function signal(child, name) {
  if (child.exitCode !== null || child.signalCode !== null || !child.pid) return
  try {
    // The whole group: a server may have started processes of its own.
    process.kill(-child.pid, name)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** TERM, then KILL when that did not end it within two seconds. */
export async function stop(child) {
  if (!alive.has(child)) return
  const closed = once(child, 'close')
  signal(child, 'SIGTERM')
  const timer = setTimeout(() => signal(child, 'SIGKILL'), GRACE_MS)
  await closed
  clearTimeout(timer)
}

/** Ends all that are left, at once; for the runner's own end. */
export function killAll() {
  for (const child of alive) signal(child, 'SIGKILL')
}

/** Runs a command to its end: what it printed and its exit code; killed after `timeoutMs`. */
export async function run(command, core, timeoutMs) {
  const child = start(command, core)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  const timer = setTimeout(() => signal(child, 'SIGKILL'), timeoutMs)
  try {
    const [code, signalName] = await once(child, 'close')
    return { ...output, code, timedOut: signalName === 'SIGKILL' }
  } finally {
    clearTimeout(timer)
  }
}
