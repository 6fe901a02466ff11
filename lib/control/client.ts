// The other end of the control socket: asks a running server, for the command.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A server that waits for a process of its own answers within a little more than a second. */
const ANSWER_MS = 3000

/** Why there is no answer. `kind`: nobody is there, this user may not ask, or nothing came back in time. */
export class ControlError extends Error {
  readonly kind: 'nobody' | 'denied' | 'silent' | 'refused'

  constructor(kind: ControlError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

export class ControlClient {
  readonly #socket: Socket
  #received: string[] = []
  #ended = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text) => this.#received.push(String(text)))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#ended = true
    })
  }

  /** @throws ControlError */
  static async open(path: string): Promise<ControlClient> {
    const socket = connect(path)
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS) })
      return new ControlClient(socket)
    } catch (error) {
      socket.on('error', () => undefined).destroy()
      throw unreachable(path, error)
    }
  }

  /**
   * Asks one question; the next one when it is answered.
   * @throws ControlError: no answer in time, or it is an error ('refused')
   */
  async ask(request: string): Promise<Record<string, unknown>> {
    this.#received = []
    this.#socket.write(`${request}\n`)
    const answer = JSON.parse(await this.#line()) as Record<string, unknown>
    if (typeof answer['error'] === 'string') throw new ControlError('refused', answer['error'])
    return answer
  }

  async #line(): Promise<string> {
    const signal = AbortSignal.timeout(ANSWER_MS)
    while (!this.#received.at(-1)?.includes('\n')) {
      if (this.#ended) throw new ControlError('nobody', 'the server has ended')
      const either = new AbortController()
      const options = { signal: AbortSignal.any([signal, either.signal]) }
      await Promise.race([
        once(this.#socket, 'data', options),
        once(this.#socket, 'close', options),
      ])
        .catch(() => {
          const seconds = ANSWER_MS / 1000
          throw new ControlError('silent', `no answer within ${seconds} s: its loop stands still`)
        })
        .finally(() => either.abort())
    }
    return this.#received.join('')
  }

  close(): void {
    this.#socket.destroy()
  }
}

function unreachable(path: string, error: unknown): ControlError {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return new ControlError('nobody', `no server: there is no ${path}`)
    case 'ECONNREFUSED':
      return new ControlError('nobody', `no server: nobody listens on ${path}`)
    case 'EACCES':
    case 'EPERM':
      return new ControlError(
        'denied',
        `${path}: not permitted; wanted the user that the server was started as, or root`,
      )
    default:
      return new ControlError('nobody', `${path}: ${code === 'ABORT_ERR' ? 'no answer' : message}`)
  }
}

/** Asks one question. @throws ControlError */
export async function ask(path: string, request: string): Promise<Record<string, unknown>> {
  const client = await ControlClient.open(path)
  try {
    return await client.ask(request)
  } finally {
    client.close()
  }
}
