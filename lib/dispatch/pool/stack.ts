// Where a worker thread is at this moment: asked over the inspector's protocol, which reaches it in a loop that
// never ends too. Nothing of it is set up before it is wanted. A process has no such way in but a port, which is
// not opened for this.

import type { Session } from 'node:inspector'
import { type Deferred, deferred } from '../deferred.js'

/** A thread that gives no answer in this time, for it is in a system call for one, is ended without. */
const PATIENCE_MS = 500
const MOST_FRAMES = 12

interface Frame {
  functionName: string
  url: string
  location: { lineNumber: number; columnNumber?: number }
}

interface Message {
  id?: number
  method?: string
  params?: { callFrames?: Frame[] }
}

/** What of the NodeWorker domain is used; `sessionId` names a thread within one session. */
interface Attached {
  params: { sessionId: string; workerInfo: { title: string } }
}
interface Received {
  params: { sessionId: string; message: string }
}

const ENABLE = 1
const PAUSE = 2
const DISABLE = 3

/**
 * The stack of a thread of this process, as text; undefined where it cannot be had. The thread runs on afterwards.
 * @param threadId worker_threads' number of it
 */
export async function stackOf(threadId: number): Promise<string | undefined> {
  try {
    const { Session } = await import('node:inspector')
    const session = new Session()
    session.connect()
    return await new Question(session, threadId).answer()
  } catch {
    // A node without inspector, or one that lets nobody in.
    return undefined
  }
}

class Question {
  readonly #session: Session
  readonly #over: Deferred = deferred()
  #thread: string | undefined
  #stack: string | undefined

  constructor(session: Session, threadId: number) {
    this.#session = session
    const on = <M>(event: string, call: (message: M) => void) =>
      session.on(event, call as (message: unknown) => void)
    on('NodeWorker.attachedToWorker', ({ params }: Attached) => {
      if (!new RegExp(`^\\[worker ${threadId}\\]`).test(params.workerInfo.title)) return
      this.#thread = params.sessionId
      this.#send(ENABLE, 'Debugger.enable')
      this.#send(PAUSE, 'Debugger.pause')
    })
    on('NodeWorker.receivedMessageFromWorker', ({ params }: Received) => {
      if (params.sessionId === this.#thread) this.#heard(JSON.parse(params.message) as Message)
    })
  }

  async answer(): Promise<string | undefined> {
    const late = setTimeout(() => {
      this.#send(DISABLE, 'Debugger.disable')
      this.#over.resolve()
    }, PATIENCE_MS)
    this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    await this.#over.promise
    clearTimeout(late)
    this.#session.disconnect()
    return this.#stack
  }

  #heard({ id, method, params }: Message): void {
    // A thread that is paused cannot be ended.
    if (id === DISABLE) this.#over.resolve()
    if (method !== 'Debugger.paused') return
    this.#stack = params?.callFrames?.slice(0, MOST_FRAMES).map(described).join('\n')
    this.#send(DISABLE, 'Debugger.disable')
  }

  #send(id: number, method: string): void {
    if (this.#thread === undefined) return
    const message = JSON.stringify({ id, method })
    this.#session.post('NodeWorker.sendMessageToWorker', { sessionId: this.#thread, message })
  }
}

const described = ({ functionName, url, location }: Frame): string =>
  `    at ${functionName || '<anonymous>'} (${url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`
