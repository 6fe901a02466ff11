// handler_type: where a request is handled. The one place that tells its values apart.

import type { ServingEngine } from '../../engine/engine.js'
import { GaidarosError } from '../../errors.js'
import type { HandlerSettings } from '../../handler/resolve.js'
import { transformedFiles } from '../../handler/typescript.js'
import type { Log } from '../../log/log.js'
import type { Settings } from '../../options/settings.js'
import type { HandlerPlan } from '../plan.js'
import { asTasks } from '../tasks.js'
import { portableHandler } from './job.js'
import { HandlerPool, type HandlerPoolOptions } from './pool.js'

export { HandlerPool, type HandlerWorker } from './pool.js'

type HandlerType = '' | 'thread' | 'threadpool' | 'proc' | 'procpool' | 'gthread' | 'gthreadpool'

const WORKERS = {
  thread: { kind: 'thread', oneShot: true },
  threadpool: { kind: 'thread', oneShot: false },
  proc: { kind: 'process', oneShot: true },
  procpool: { kind: 'process', oneShot: false },
} as const

/** Whether requests leave the loop for threads or processes. */
const workersOf = (type: HandlerType) =>
  type in WORKERS ? WORKERS[type as keyof typeof WORKERS] : undefined

/** The plan that the loop's own dispatcher runs: green threads in the loop; with workers, only what is left to it. */
export function planForLoop(plan: HandlerPlan, settings: Settings): HandlerPlan {
  const type = settings.handlerType as HandlerType
  if (type === 'gthread') return asTasks(plan, Number.POSITIVE_INFINITY)
  if (type === 'gthreadpool') return asTasks(plan, settings.handlerPoolSize as number)
  if (workersOf(type) === undefined) return plan
  const { opened: _opened, closed: _closed, framing: _framing, ...rest } = plan
  return rest
}

export interface PoolCircumstances {
  settings: Settings
  plan: HandlerPlan
  engine: ServingEngine
  /** Directory that relative module paths begin at. */
  base: string
  allowCode: boolean
  log: Log
  /** A worker's handler failed under die_on_error. */
  fatal: (error: Error) => void
  /** Where there is an access log; see HandlerPoolOptions. */
  noted: HandlerPoolOptions['noted']
}

/**
 * The workers that handler_type asks for; undefined: the handler runs in the loop.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE where the kernel refuses what they need, TypeError ERR_GAIDAROS_OPTION for a
 * handler that cannot be sent to them
 */
export function makeHandlerPool({
  settings,
  plan,
  engine,
  base,
  allowCode,
  log,
  fatal,
  noted,
}: PoolCircumstances): HandlerPool | undefined {
  const type = settings.handlerType as HandlerType
  const workers = workersOf(type)
  if (workers === undefined) return undefined
  const { isDatagram: datagrams, hasMessages: messages } = engine
  const chunks = plan.framer.kind === 'chunk' && !datagrams
  if (workers.oneShot && chunks)
    throw new GaidarosError(
      'ERR_GAIDAROS_HANDLER',
      `handler_type ${type}: end_request or split_request is a function, whose worker has to stay with the connection; wanted a declared framer, or handler_type ${type}pool`,
    )
  if (workers.oneShot && hasHooks(plan))
    throw new GaidarosError(
      'ERR_GAIDAROS_HANDLER',
      `handler_type ${type}: opened and closed are hooks, and no worker stays with a connection to call them; wanted none, or handler_type ${type}pool`,
    )
  const { outputHighWater, maxFrameSize, maxPipelined, stallWarning } = settings
  return new HandlerPool({
    ...workers,
    pool: engine.pool,
    size: settings.handlerPoolSize as number,
    sticky: !workers.oneShot && (chunks || plan.seesConnection || hasHooks(plan)),
    chunks,
    idempotent: plan.idempotent ?? false,
    handlerTimeout: settings.handlerTimeout,
    job: {
      spec: { framer: plan.framer, highWater: outputHighWater, stallWarning, datagrams, messages },
      handler: portableHandler(settings as HandlerSettings, type),
      base,
      allowCode,
      transformed: transformedFiles(),
      dieOnError: settings.dieOnError,
      logged: noted !== undefined,
      limits: { outputHighWater, maxFrameSize, maxPipelined },
    },
    log,
    fatal,
    noted,
  })
}

const hasHooks = ({ opened, closed }: HandlerPlan): boolean =>
  opened !== undefined || closed !== undefined
