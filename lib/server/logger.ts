// The server's log: readable lines with time and level, one event a line. What a peer or a handler put
// into a field cannot forge a line: control characters are escaped and fields are capped.

export const LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LEVELS)[number]

/** What log_level may be: everything down to that level; fatal and silent: nothing of the server's. */
export type LogThreshold = LogLevel | 'trace' | 'fatal' | 'silent'

export type LogFields = Readonly<Record<string, unknown>>

/**
 * Where log events go; give your own as `logger`, for example pino's child with these four methods swapped.
 * @example
 * const logger: Logger = { error: console.error, warn: console.warn, info() {}, debug() {} }
 */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
}

/** Longest message or field, in characters; a stack trace gets through. */
const LONGEST = 2000

/** Everything that could end a line, move the cursor, or reorder text on a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * Text that can stand in a log line.
 * @example
 * safeText('a\nb') // 'a\\nb'
 */
export function safeText(text: string): string {
  const capped =
    text.length > LONGEST ? `${text.slice(0, LONGEST)}…(${text.length} characters)` : text
  return capped.replace(UNSAFE, escapeCharacter)
}

function fieldText(value: unknown): string {
  const text = safeText(typeof value === 'string' ? value : String(value))
  return /[\s"=]/.test(text) || text === '' ? `"${text.replaceAll('"', '\\"')}"` : text
}

/**
 * One line, without its end.
 * @example
 * logLine(new Date(0), 'warn', 'closed', { reason: 'split' })
 * // '1970-01-01T00:00:00.000Z warn  closed reason=split'
 */
export function logLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  const parts = [`${time.toISOString()} ${level.padEnd(5)} ${safeText(message)}`]
  for (const [name, value] of Object.entries(fields)) parts.push(`${name}=${fieldText(value)}`)
  return parts.join(' ')
}

/** A Logger that makes lines and gives them to `write`; less urgent ones than `level` are left out. */
export function lineLogger(level: LogThreshold, write: (line: string) => void): Logger {
  const most = level === 'trace' ? LEVELS.length : (LEVELS as readonly string[]).indexOf(level)
  const at =
    (each: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(each) <= most) write(logLine(new Date(), each, message, fields))
    }
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** The default: lines on stderr. */
export function stderrLogger(level: LogThreshold): Logger {
  return lineLogger(level, (line) => void process.stderr.write(`${line}\n`))
}
