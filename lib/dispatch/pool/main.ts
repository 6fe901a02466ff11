// What runs in a worker thread or process: the handler, and a dispatcher over the engine that the server
// reaches, by shared memory or by messages. It ends when it is told to, when its one request is answered
// (one-shot), or when the server is gone.

import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { createWorkerEngine, type WorkerEngine } from '../../engine/worker.js'
import { resolveHandler } from '../../handler/resolve.js'
import { enableTypeScript } from '../../handler/typescript.js'
import { Log } from '../../log/log.js'
import type { LogFields, Logger, LogLevel } from '../../log/logger.js'
import { releaseMemoryAtRest } from '../../process/allocator.js'
import { leaveWithParent } from '../../process/parent.js'
import { handlerName } from '../../server/handlername.js'
import { Dispatcher } from '../dispatcher.js'
import { describeError } from '../failures.js'
import { workerJournal } from '../journal.js'
import { planFor } from '../plan.js'
import { memoryOf, type WorkerJob, type WorkerNews, type WorkerOrder } from './job.js'

/** The messages' two ends. */
function tell(news: WorkerNews, then: () => void = () => undefined): void {
  if (parentPort !== null) {
    parentPort.postMessage(news, news.type === 'batch' ? memoryOf(news) : [])
    then()
  } else if (process.connected) process.send?.(news, undefined, undefined, then)
  else then()
}

/** What is logged here stands in the server's log. */
function serversLogger(): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      const plain = Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'number' ? value : String(value),
      ])
      tell({ type: 'log', level, message, fields: Object.fromEntries(plain) })
    }
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** Of this worker, once its handler was loaded. */
let engine: WorkerEngine | undefined
let dispatcher: Dispatcher | undefined

async function begin(job: WorkerJob): Promise<void> {
  const { spec, handler, base, allowCode, limits } = job
  if (job.transformed.length > 0) enableTypeScript(job.transformed)
  const plan = planFor(await resolveHandler(handler, { base, allowCode }), spec)
  dispatcher = new Dispatcher({
    plan,
    log: new Log(serversLogger()),
    nameOf: (plan) => handlerName({ handlerModule: handler.handlerModule ?? '' }, plan),
    fatal: job.dieOnError
      ? // Behind what becomes of the request, which this turn says at its end.
        (error) => void setImmediate(() => tell({ type: 'fatal', error: plainError(error) }))
      : undefined,
    onFailure: (count) => engine?.countErrors(count),
    ...(job.logged && { journal: workerJournal((...note) => engine?.note(...note)) }),
    ...limits,
  })
  engine = createWorkerEngine(spec, dispatcher, () => finish(Number.POSITIVE_INFINITY), tell)
  dispatcher.attach(engine)
  engine.start()
}

/** An error as such, which can be cloned whatever was thrown. */
function plainError(error: unknown): Error {
  const plain = new Error(error instanceof Error ? error.message : describeError(error))
  if (error instanceof Error && error.stack) plain.stack = error.stack
  return plain
}

/** Nothing of the handler's (timers, sockets) keeps a worker that is not needed any more. What is told goes first. */
function leave(): void {
  setImmediate(() => process.exit(0))
}

/** Leaves behind what its handler still goes on with. */
function finish(graceMs: number): void {
  if (dispatcher === undefined) leave()
  else void dispatcher.finish(graceMs).then(leave)
}

function obey(order: WorkerOrder): void {
  if (order.type === 'stop') finish(order.graceMs)
  else if (order.type === 'batch') engine?.take?.(order)
  else start(order.job)
}

function start(job: WorkerJob): void {
  begin(job).then(
    () => tell({ type: 'ready' }),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      tell({ type: 'failed', message }, () => process.exit(1))
    },
  )
}

if (parentPort !== null) {
  parentPort.on('message', obey)
  start(workerData as WorkerJob)
} else {
  leaveWithParent('at once')
  process.title = 'gaidaros: handler'
  releaseMemoryAtRest()
  process.on('message', obey)
  // Of a thread the server is told the error that it ends with.
  process.on('uncaughtExceptionMonitor', (error) => {
    serversLogger().error('a worker ends by an error', { error: describeError(error) })
  })
  // The server is gone, however that came about.
  process.on('disconnect', () => process.exit(0))
  // A terminal's Ctrl-C goes to the whole group; the server says when it is time.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
    process.on(signal, () => undefined)
}
