// One peer: built, started, ready at a port, or absent with the reason.

import { build } from '../build.mjs'
import { PEERS } from './peers.mjs'
import { start, stop } from './processes.mjs'

const START_MS = 20_000

/** Resolves with the port that the server tells; rejects with its last words when it ends or stays silent. */
async function ready(child, pattern) {
  let text = ''
  let timer
  const told = new Promise((resolve, reject) => {
    const look = (piece) => {
      // A server may go on logging for as long as it runs.
      if (text.length < 65_536) text += piece
      const port = pattern.exec(text)?.[1]
      if (port) resolve(Number(port))
    }
    timer = setTimeout(() => reject(new Error(`not ready after ${START_MS / 1000} s`)), START_MS)
    child.stdout.setEncoding('utf8').on('data', look)
    child.stderr.setEncoding('utf8').on('data', look)
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(lastWords(text) || `ended with exit code ${code}`)))
  })
  return told.finally(() => clearTimeout(timer))
}

/** The line that names the error, when there is one; a stack trace says little in a table. */
function lastWords(text) {
  const lines = text.trim().split('\n').map((line) => line.trim())
  return (lines.find((line) => /error\b.*:|^gaidaros: (?!warning)/i.test(line)) ?? lines[0]).slice(0, 300)
}

/**
 * Starts a peer on a core.
 * @returns {Promise<{ name: string, pid: number, port: number, child: object, absent: string }>} `absent` says why it
 * does not take part; '' when it does
 */
export async function startServer(name, core) {
  const peer = PEERS[name]
  const reason = peer.program ? build(peer.program) : ''
  if (reason) return { name, absent: reason }
  const child = start(peer.command, core)
  try {
    const port = await ready(child, peer.ready)
    return { name, pid: child.pid, port, child, absent: '' }
  } catch (error) {
    await stop(child)
    return { name, absent: error.message }
  }
}
