// What the supervisor and its server processes say to each other, over node's IPC channel with advanced
// serialization. Both sides are of the same version: the supervisor starts them.

import type { Limits, TlsOptions } from '../../engine/engine.js'
import type { LogFields, LogLevel } from '../../log/logger.js'
import type { Settings } from '../../options/settings.js'
import type { Inspected, Question } from '../inspection.js'
import type { ServerStats } from '../stats.js'

/** A listening socket as a server process finds it among its descriptors. */
export interface InheritedSocket {
  fd: number
  address: string
  /** Of a unix socket. */
  path?: string
  port: number
  backlog: number
  /** The service manager has made it. */
  activated?: boolean
}

export interface Start {
  kind: 'start'
  slot: number
  generation: number
  settings: Settings
  limits: Limits
  /** Of files that the supervisor has read. */
  tls: TlsOptions | undefined
  sockets: InheritedSocket[]
  /** Where relative module paths begin. */
  base: string
  /** Log events go to the supervisor, whose user gave a logger of his own. */
  forwardLog: boolean
}

export type ToServer =
  | Start
  /** Accept from these sockets and from no others; answered by `listening`. */
  | { kind: 'listen'; sockets: number[]; id: number }
  /** Accept no more; end when the last connection has ended, or after graceMs (0: no limit) as `stop` does. */
  | { kind: 'retire'; graceMs: number; shutdownGraceMs: number }
  /** End what is idle, let what is in flight finish for graceMs, then leave. */
  | { kind: 'stop'; graceMs: number }
  | { kind: 'limits'; limits: Limits }
  | { kind: 'tls'; tls: TlsOptions }
  | { kind: 'report'; id: number }
  /** Answered by `inspected`. */
  | { kind: 'inspect'; id: number; question: Question }
  | { kind: 'reopenLogs' }

/** Counters of one server process, and how busy its loop was since its last report. */
export interface Report {
  stats: ServerStats
  busy: number
}

export type FromServer =
  /** It runs, and loads the handler. */
  | { kind: 'started' }
  | { kind: 'ready'; engine: { name: 'native' | 'portable'; description: string } }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'listening'; id: number }
  | { kind: 'report'; id?: number; report: Report }
  | ({ kind: 'inspected'; id: number } & Pick<Inspected, 'answer' | 'error'>)
  | { kind: 'log'; level: LogLevel; message: string; fields: LogFields }
  /** An error of the handler under die_on_error. */
  | { kind: 'fatal'; failure: Failure }

/** An error on its way to another process: what makes it the same error there. */
export interface Failure {
  name: string
  message: string
  stack: string | undefined
  code: string | undefined
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, code: undefined }
  const { name, message, stack } = error
  const { code } = error as { code?: unknown }
  return { name, message, stack, code: typeof code === 'string' ? code : undefined }
}

export function errorOf({ name, message, stack, code }: Failure): Error {
  const error = Object.assign(new Error(message), { name }, code === undefined ? {} : { code })
  if (stack !== undefined) error.stack = stack
  return error
}
