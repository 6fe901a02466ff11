// Prometheus text over HTTP, in the process that the command started.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GaidarosError } from '../errors.js'
import { type ListenPlace, parsePlace } from '../options/place.js'
import { type Subject, snapshot } from './answers.js'
import { exposition } from './exposition.js'

const TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const MOST_CLIENTS = 32
const HEADERS_MS = 5000
const REQUEST_MS = 10_000
/** After an upgrade: how often it is tried whether the server before has let go of the port. */
const RETRY_MS = 250

export class Metrics {
  readonly #subject: Subject
  #server: Server | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(subject: Subject) {
    this.#subject = subject
  }

  /** Where it listens, as HOST:PORT. */
  get place(): string | undefined {
    const address = this.#server?.address() as AddressInfo | null | undefined
    if (!address) return undefined
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `${host}:${address.port}`
  }

  /**
   * Listens.
   * @param waits a port in use is waited for: the server before has it
   * @throws GaidarosError ERR_GAIDAROS_LISTEN
   */
  async open(text: string, waits: boolean): Promise<void> {
    const place = parsePlace(text)
    if (place === undefined) throw refused(text, new Error('wanted [HOST:]PORT'))
    try {
      this.#server = await this.#listen(place)
    } catch (error) {
      if (!waits || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE')
        throw refused(text, error)
      this.#wait(place)
    }
  }

  close(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#server?.close()
    this.#server?.closeAllConnections()
    this.#server = undefined
  }

  #wait(place: ListenPlace): void {
    this.#retry = setTimeout(() => {
      this.#listen(place).then(
        (server) => {
          if (this.#retry === undefined) server.close()
          else this.#server = server
        },
        () => this.#retry && this.#wait(place),
      )
    }, RETRY_MS).unref()
  }

  async #listen({ host, port }: ListenPlace): Promise<Server> {
    const server = createServer(
      { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
      (request, response) => {
        this.#serve(request, response).catch(() => response.destroy())
      },
    )
    server.maxConnections = MOST_CLIENTS
    server.listen(port, host)
    await once(server, 'listening')
    return server
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const head = method === 'HEAD'
    const send = (status: number, text: string, headers: Record<string, string> = {}): void => {
      const type = status === 200 && url !== '/' ? TYPE : 'text/plain; charset=utf-8'
      const length = Buffer.byteLength(text)
      response.writeHead(status, { 'content-type': type, 'content-length': length, ...headers })
      response.end(head ? undefined : text)
    }
    if (method !== 'GET' && !head) {
      request.resume()
      return send(405, 'GET or HEAD\n', { allow: 'GET, HEAD' })
    }
    const path = url.split('?')[0]
    if (path === '/') return send(200, 'Gaidaros: the statistics are at /metrics\n')
    if (path !== '/metrics') return send(404, 'not found; the statistics are at /metrics\n')
    send(200, exposition(await snapshot(this.#subject)))
  }
}

function refused(text: string, error: unknown): GaidarosError {
  const { code, message } = error as NodeJS.ErrnoException
  const why =
    code === 'EADDRINUSE'
      ? 'is in use by another process; wanted a free port'
      : `cannot be listened on (${code ?? message})`
  return new GaidarosError(
    'ERR_GAIDAROS_LISTEN',
    `metrics: ${text} ${why}`,
    code === undefined ? {} : { errnoCode: code },
    error,
  )
}
