// What the tests of vsock share: whether this machine has it, and a way for Node's sockets to connect by it.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openListener, probeVsock } from '../../lib/engine/native.js'
import { until } from './deadline.js'

const LOCAL = 1

/** Why nobody can listen here; undefined where one can. */
export const vsockRefusal = (): string | undefined => {
  const found = probeVsock()
  return found === undefined ? 'there is no addon' : found.refusal || undefined
}

let loopback: Promise<string | undefined> | undefined

/** Why this machine cannot connect to itself; undefined where it can. The kernel takes two seconds to say no. */
export function loopbackRefusal(): Promise<string | undefined> {
  loopback ??= tryLoopback()
  return loopback
}

async function tryLoopback(): Promise<string | undefined> {
  const refusal = vsockRefusal()
  if (refusal !== undefined) return refusal
  const { fd, port } = openListener({
    cid: 0xffff_ffff,
    address: 'any',
    port: 0,
    backlog: 1,
    v6only: false,
  })
  try {
    const child = spawn('socat', ['-u', '/dev/null', `VSOCK-CONNECT:${LOCAL}:${port}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const said = child.stderr.toArray().then(Buffer.concat)
    const code = await new Promise((resolve) => {
      child.once('close', resolve)
      child.once('error', () => resolve('socat is not installed'))
    })
    if (code === 0) return undefined
    const why = /E connect\(.*\): (.*)/.exec(String(await said))?.[1] ?? code
    return `no loopback of vsock (vsock_loopback): ${why}`
  } finally {
    closeSync(fd)
  }
}

/** Passes connections to a unix socket on to a vsock of this machine: Node cannot connect to that itself. */
export class Bridge {
  readonly path: string
  readonly #folder: string
  readonly #child: ChildProcess
  /** Its path is there before. */
  #isListening = false

  private constructor(port: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'gaidaros-vsock-'))
    this.path = join(this.#folder, 's')
    // -t: a reply may come long after the end of what was asked.
    const args = ['-d', '-d', '-t', '120', `UNIX-LISTEN:${this.path},fork,backlog=1024`]
    this.#child = spawn('socat', [...args, `VSOCK-CONNECT:${LOCAL}:${port}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child.stderr?.on('data', (text) => {
      this.#isListening ||= /listening on/.test(String(text))
    })
  }

  static async open(port: number): Promise<Bridge> {
    const bridge = new Bridge(port)
    await until(
      () => bridge.#isListening,
      () => 'socat, listening',
    )
    return bridge
  }

  close(): void {
    this.#child.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
