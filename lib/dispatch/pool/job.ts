// What a worker is told when it is started, and what the two say to each other besides the requests, which
// go through shared memory where they can. Everything here can be cloned to a thread and sent to a process.

import type { Batch } from '../../engine/pool.js'
import type { MessageSpec } from '../../engine/worker.js'
import { misuse } from '../../errors.js'
import { type HandlerSettings, OPTIONS } from '../../handler/resolve.js'
import type { TransformedFile } from '../../handler/typescript.js'
import type { LogLevel } from '../../log/logger.js'
import type { WorkerSpec } from '../../native.js'

export interface WorkerJob {
  spec: WorkerSpec | MessageSpec
  handler: HandlerSettings
  /** Directory that relative module paths begin at. */
  base: string
  allowCode: boolean
  /** Of the handler's files in TypeScript: what the server has made of them already. */
  transformed: readonly TransformedFile[]
  dieOnError: boolean
  /** The server has an access log. */
  logged: boolean
  limits: { outputHighWater: number; maxFrameSize: number; maxPipelined: number }
}

/** From a worker. */
export type WorkerNews =
  | { type: 'ready' }
  /** It cannot start. */
  | { type: 'failed'; message: string }
  /** An error of the handler under die_on_error. */
  | { type: 'fatal'; error: Error }
  /** A line for the server's log. */
  | { type: 'log'; level: LogLevel; message: string; fields: Record<string, string | number> }
  /** Answers, where no memory is shared. */
  | Batch

/** To a worker. */
export type WorkerOrder =
  | { type: 'job'; job: WorkerJob }
  | { type: 'stop'; graceMs: number }
  | Batch

/** What of a batch a thread is given and not copied. */
export const memoryOf = ({ entries, bytes }: Batch): ArrayBuffer[] => [
  entries.buffer as ArrayBuffer,
  bytes.buffer as ArrayBuffer,
]

const NAMES = { ...OPTIONS, handlerClass: 'handler_class' } as const

/**
 * The part of the settings that makes the handler, if it can be sent elsewhere.
 * @throws TypeError ERR_GAIDAROS_OPTION when a function or a class was given as such
 */
export function portableHandler(settings: HandlerSettings, handlerType: string): HandlerSettings {
  for (const [name, option] of Object.entries(NAMES))
    if (typeof settings[name as keyof typeof NAMES] === 'function')
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `${option}: is a function, which cannot go to another thread or process (handler_type ${handlerType}); wanted handler_module and, where it is not the usual one, a name`,
      )
  const { handlerModule, handlerClass, handlerClassArgs, handlerClassKwargs, keepalive } = settings
  const { frontend, tlsCert, tlsMode } = settings
  const functions = Object.fromEntries(
    Object.keys(OPTIONS).map((name) => [name, settings[name as keyof typeof OPTIONS]]),
  )
  return {
    ...functions,
    ...(handlerModule === undefined ? {} : { handlerModule }),
    ...(handlerClass === undefined ? {} : { handlerClass }),
    ...(handlerClassArgs === undefined ? {} : { handlerClassArgs }),
    ...(handlerClassKwargs === undefined ? {} : { handlerClassKwargs }),
    ...(keepalive === undefined ? {} : { keepalive }),
    ...(frontend === undefined ? {} : { frontend }),
    ...(tlsCert === undefined ? {} : { tlsCert }),
    ...(tlsMode === undefined ? {} : { tlsMode }),
  }
}
