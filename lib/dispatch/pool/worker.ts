// One worker as its server sees it: a thread or a process, from its start to its end. Both are told the same
// job and say the same things; how they are started is all that differs.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker as Thread } from 'node:worker_threads'
import type { Batch, PoolDescriptors } from '../../engine/pool.js'
import { childFlags } from '../../process/command.js'
import { cleanEnvironment } from '../../process/environment.js'
import { parentArgument } from '../../process/parent.js'
import { deferred } from '../deferred.js'
import { describeError } from '../failures.js'
import { memoryOf, type WorkerJob, type WorkerNews, type WorkerOrder } from './job.js'
import { stackOf } from './stack.js'

export interface WorkerEvents {
  news(news: WorkerNews): void
  /** It is gone; `why` in words. */
  gone(why: string): void
}

export interface PoolWorker {
  /** Process id, or thread id, for people. */
  readonly id: string
  /** Sends it requests, where no memory is shared. */
  post(batch: Batch): void
  /** Asks it to end once it has nothing left to do, or after graceMs. */
  stop(graceMs: number): void
  /** Ends it now. */
  kill(): void
  /** Where its handler is at this moment, as text, where the runtime can tell. */
  stack(): Promise<string | undefined>
  /** Settles when it is gone. */
  readonly gone: Promise<void>
}

const MAIN = new URL('./main.js', import.meta.url)

/** Starts a thread. It sees the descriptors under the numbers that they have here. */
export function startThread(job: WorkerJob, events: WorkerEvents): PoolWorker {
  const thread = new Thread(MAIN, { workerData: job, execArgv: childFlags(process.execArgv) })
  let trouble = ''
  thread.on('message', (news: WorkerNews) => events.news(news))
  thread.on('error', (error) => {
    trouble = `: ${describeError(error)}`
  })
  const end = deferred()
  thread.on('exit', (code) => {
    end.resolve()
    events.gone(`exit status ${code}${trouble}`)
  })
  const say = (order: WorkerOrder): void => thread.postMessage(order)
  return {
    id: `thread ${thread.threadId}`,
    post: (batch) => thread.postMessage(batch, memoryOf(batch)),
    stop: (graceMs) => say({ type: 'stop', graceMs }),
    kill: () => void thread.terminate(),
    stack: () => stackOf(thread.threadId),
    gone: end.promise,
  }
}

/** Descriptors in a child: 0 to 2 are the usual ones, 3 is the channel for messages. */
const FIRST = 4

/** Starts a process, which inherits the descriptors where memory is shared. */
export function startProcess(
  job: WorkerJob,
  shared: PoolDescriptors | undefined,
  events: WorkerEvents,
): PoolWorker {
  const { spec } = job
  const descriptors = shared && [shared.memory, shared.bells[spec.index] as number, shared.bell]
  const child: ChildProcess = spawn(
    process.execPath,
    [...childFlags(process.execArgv), fileURLToPath(MAIN), parentArgument()],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...(descriptors ?? [])],
      serialization: 'advanced',
      env: cleanEnvironment(process.env),
    },
  )
  const inherited = shared && { memory: FIRST, bell: FIRST + 1, serverBell: FIRST + 2 }
  const say = (order: WorkerOrder): void => {
    if (child.connected) child.send(order, () => undefined)
  }
  child.on('message', (news: WorkerNews) => events.news(news))
  const end = deferred()
  let over = false
  const gone = (why: string): void => {
    end.resolve()
    if (!over) events.gone(why)
    over = true
  }
  child.on('error', (error) => gone(`cannot be started: ${error.message}`))
  // Not 'exit': what it has said is heard first.
  child.on('close', (code, signal) =>
    gone(signal === null ? `exit status ${code}` : `killed by ${signal}`),
  )
  say({ type: 'job', job: { ...job, spec: { ...spec, ...inherited } } })
  return {
    id: `process ${child.pid ?? '?'}`,
    post: say,
    stop: (graceMs) => say({ type: 'stop', graceMs }),
    kill: () => void child.kill('SIGKILL'),
    stack: () => Promise.resolve(undefined),
    gone: end.promise,
  }
}
