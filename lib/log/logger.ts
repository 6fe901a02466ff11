// The error log as the server sees it: a Logger of lines, one event a line, as text for people or as JSON.
// Pino does the levels and the JSON; what a peer or a handler put into a field cannot forge a line.

import pino from 'pino'
import { capText, fieldText, safeJson, safeText } from './text.js'

/** From the most important one on. */
export const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof LEVELS)[number]

/** What log_level may be: everything down to that level; silent is nothing. */
export type LogThreshold = LogLevel | 'silent'

export type LogFormat = 'text' | 'json'

export type LogFields = Readonly<Record<string, unknown>>

/**
 * Where log events go; give your own as `logger`, for example pino's child with its arguments swapped.
 * Without `fatal` and `trace` these events go to `error` and `debug`.
 * @example
 * const logger: Logger = { error: console.error, warn: console.warn, info() {}, debug() {} }
 */
export interface Logger {
  fatal?(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  trace?(message: string, fields?: LogFields): void
}

/** The server's own. */
export interface LineLogger extends Required<Logger> {
  setLevel(level: LogThreshold): void
}

export interface LoggerOptions {
  level: LogThreshold
  format: LogFormat
  /** Which of several processes or threads this is; stands in every line when it is given. */
  worker?: string | undefined
}

/**
 * One line of text, without its end.
 * @example
 * logLine(new Date(0), 'warn', 'closed', { reason: 'split' })
 * // '1970-01-01T00:00:00.000Z warn  closed reason=split'
 */
export function logLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  const parts = [`${time.toISOString()} ${level.padEnd(5)} ${safeText(message)}`]
  for (const [name, value] of Object.entries(fields)) parts.push(`${name}=${fieldText(value)}`)
  return parts.join(' ')
}

/**
 * A Logger that makes finished lines, without their ends, and gives them to `write`.
 * @example
 * const logger = lineLogger({ level: 'info', format: 'json' }, (line) => console.log(line))
 */
export function lineLogger(
  { level, format, worker }: LoggerOptions,
  write: (line: string) => void,
): LineLogger {
  const form = format === 'json' ? jsonForm : textForm
  const instance = pino(
    {
      level,
      base: { ...(format === 'json' && { pid: process.pid }), ...(worker && { worker }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json: string) => write(form(json)) },
  )
  const at =
    (each: LogLevel): Logger['error'] =>
    (message, fields = {}) => {
      if (instance.isLevelEnabled(each)) instance[each](capped(fields), capText(message))
    }
  const calls = Object.fromEntries(LEVELS.map((each) => [each, at(each)]))
  const setLevel = (to: LogThreshold): void => {
    instance.level = to
  }
  return { ...(calls as Record<LogLevel, Logger['error']>), setLevel }
}

/** Numbers and booleans stay what they are; everything else is text of bounded length. */
function capped(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'number' || typeof value === 'boolean' ? value : capText(String(value)),
    ]),
  )
}

const jsonForm = (json: string): string => safeJson(json.trimEnd())

interface Event extends Record<string, unknown> {
  level: LogLevel
  time: string
  msg: string
}

function textForm(json: string): string {
  const { level, time, msg, worker, ...fields } = JSON.parse(json) as Event
  return logLine(new Date(time), level, msg, worker === undefined ? fields : { ...fields, worker })
}
