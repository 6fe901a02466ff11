// A server with an access log, and what stands in it.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Gaidaros, type GaidarosOptions } from '../../dist/server/gaidaros.js'
import { temporary } from '../cli/command.js'
import { until } from '../conformance/deadline.js'
import type { Variant } from '../conformance/variant.js'

export type Line = Record<string, string | number>

export interface Started {
  server: Gaidaros
  port: number
  /** The line of this event so far, in order of their request numbers. */
  requests(): Line[]
  closes(): Line[]
  /** Waits for so many connections to have ended, and for their lines. */
  ended(count?: number): Promise<void>
  /** Sends `text` and FIN. @returns what came back */
  ask(text: string | Buffer): Promise<string>
}

export type Start = (t: Test, options: GaidarosOptions) => Promise<Started>

export const startOn =
  (variant: Pick<Variant, 'options'>): Start =>
  async (t, options) => {
    const path = join(temporary(t), 'access.log')
    const server = new Gaidaros({
      host: '127.0.0.1',
      port: 0,
      shutdownGrace: '300ms',
      accessLog: path,
      logFormat: 'json',
      log: () => undefined,
      ...variant.options,
      ...options,
    } as GaidarosOptions)
    t.teardown(() => server.close())
    const port = (await server.serve())[0]?.port ?? 0
    const lines = (event: string): Line[] =>
      readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line)
        .filter((line) => line['event'] === event)
    const requests = () =>
      lines('request').sort((a, b) => Number(a['request']) - Number(b['request']))
    const closes = () => lines('close')
    const ended = (count = 1) =>
      until(
        () => closes().length >= count,
        () => `${count} closed; the file has ${readFileSync(path, 'utf8')}`,
      )
    const ask = async (text: string | Buffer) => {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.end(text)
      let answer = ''
      try {
        for await (const piece of socket) answer += String(piece)
      } catch {
        // A reply that was broken off is reset.
      }
      return answer
    }
    return { server, port, requests, closes, ended, ask }
  }

/** The numbers of the lines that a test can know. */
export const told = (lines: Line[]) =>
  lines.map(({ request, in: bytesIn, out, status }) => [request, bytesIn, out, status])
