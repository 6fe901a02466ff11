// A client of UDP that sends several datagrams as one message, and takes as many as one, which node:dgram does not.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Test } from 'tap'
import { until } from './deadline.js'
import { Unfit } from './unfit.js'

const PROGRAM = join(import.meta.dirname, 'segments.py')

export class Segments {
  /** What came: datagrams of one message each. */
  readonly got: Buffer[][] = []
  readonly #input: Writable
  #greeting: string | undefined

  private constructor(t: Test, host: string, port: number) {
    const child = spawn('python3', [PROGRAM, host, String(port)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill())
    this.#input = child.stdin
    createInterface(child.stdout as Readable).on('line', (line) => this.#heard(line))
  }

  /** @throws Unfit where this kernel does not have it */
  static async make(t: Test, host: string, port: number): Promise<Segments> {
    const client = new Segments(t, host, port)
    await until(
      () => client.#greeting !== undefined,
      () => 'python3 as a client',
    )
    if (client.#greeting !== 'ready') throw new Unfit(`UDP_SEGMENT: ${client.#greeting}`)
    return client
  }

  /** All of one size, but that the last may be shorter. */
  send(datagrams: readonly Buffer[]): void {
    const size = datagrams[0]?.length ?? 0
    this.#input.write(`${size} ${Buffer.concat(datagrams).toString('hex')}\n`)
  }

  /** All datagrams so far. */
  get datagrams(): Buffer[] {
    return this.got.flat()
  }

  #heard(line: string): void {
    if (this.#greeting === undefined) {
      this.#greeting = line
      return
    }
    const [size, hex] = line.split(' ')
    const message = Buffer.from(hex ?? '', 'hex')
    const datagrams: Buffer[] = []
    for (let at = 0; at < message.length; at += Number(size))
      datagrams.push(message.subarray(at, at + Number(size)))
    this.got.push(datagrams)
  }
}
