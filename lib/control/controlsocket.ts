// The control socket: a line is a request, a line of JSON its answer, in the order of the requests. Bounded in its
// clients, in the length of a line, and in what a client that does not read can cost: one answer.

import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Log } from '../log/log.js'
import { type Claim, SocketFile } from '../process/socketfile.js'
import { answer, type Subject } from './answers.js'
import { parseRequest, RequestError } from './requests.js'

const MOST_CLIENTS = 16
const LONGEST_LINE = 1024
/** A client that says nothing for so long is closed, as is one that does not take its answer. */
const IDLE_MS = 300_000
const WRITE_MS = 10_000

export class ControlSocket {
  readonly #subject: Subject
  readonly #log: Log
  readonly #clients = new Set<Socket>()
  #server: Server | undefined
  #file: SocketFile | undefined

  constructor(subject: Subject, log: Log) {
    this.#subject = subject
    this.#log = log
  }

  /** @throws GaidarosError ERR_GAIDAROS_PROCESS as SocketFile.claim() does */
  async open(path: string, claim: Claim): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
    this.#file = await SocketFile.claim(server, path, claim)
    server.on('error', (error) =>
      this.#log.limited('control', 'warn', 'control socket', { error: error.message }),
    )
    this.#server = server
  }

  /** False once another server has taken the name. */
  get isOwn(): boolean {
    return this.#file?.isOwn === true
  }

  close(): void {
    this.#file?.remove()
    this.#server?.close()
    for (const socket of this.#clients) socket.destroy()
  }

  #accept(socket: Socket): void {
    socket.on('error', () => undefined)
    if (this.#clients.size >= MOST_CLIENTS) {
      socket.end(`${JSON.stringify({ error: `there are ${MOST_CLIENTS} clients already` })}\n`)
      socket.setTimeout(WRITE_MS, () => socket.destroy())
      socket.resume()
      return
    }
    this.#clients.add(socket)
    socket.on('close', () => this.#clients.delete(socket))
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.setEncoding('utf8')
    this.#serve(socket)
      .catch(() => undefined)
      .finally(() => socket.destroySoon())
  }

  /** Nothing is read while an answer is made or waits for its reader. */
  async #serve(socket: Socket): Promise<void> {
    let rest = ''
    // Its end is the client's last word, not the answer's.
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const lines = `${rest}${chunk}`.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) await this.#tell(socket, await this.#answer(line))
      if (rest.length <= LONGEST_LINE) continue
      await this.#tell(socket, tooLong)
      return
    }
    if (rest.trim() !== '') await this.#tell(socket, await this.#answer(rest))
  }

  async #answer(line: string): Promise<object> {
    if (line.length > LONGEST_LINE) return tooLong
    try {
      const words = line.trim().split(/\s+/).filter(Boolean)
      return await answer(this.#subject, parseRequest(words))
    } catch (error) {
      if (!(error instanceof RequestError))
        this.#log.limited('control', 'debug', 'a request on the control socket failed', {
          error: String(error),
        })
      return { error: error instanceof Error ? error.message : String(error) }
    }
  }

  async #tell(socket: Socket, value: object): Promise<void> {
    if (socket.write(`${JSON.stringify(value)}\n`)) return
    await once(socket, 'drain', { signal: AbortSignal.timeout(WRITE_MS) }).catch((error) => {
      socket.destroy()
      throw error
    })
  }
}

const tooLong = { error: `a request is at most ${LONGEST_LINE} bytes` }
