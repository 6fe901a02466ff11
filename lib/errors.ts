// The errors that this library throws. Misuse by the programmer is a TypeError or RangeError with a
// code; what the machine refuses (bind, memory, kernel) is a GaidarosError; a peer never causes either.

/** Codes of errors thrown for misuse and for machine failures. */
export type ErrorCode =
  | 'ERR_GAIDAROS_OPTION' // an option's name or value is wrong
  | 'ERR_GAIDAROS_CONFIG' // a configuration file is refused or malformed
  | 'ERR_GAIDAROS_HANDLER' // a handler module or function is missing or of the wrong shape
  | 'ERR_GAIDAROS_STATE' // a call that does not fit the server's state
  | 'ERR_GAIDAROS_LISTEN' // socket, bind or listen failed
  | 'ERR_GAIDAROS_PROCESS' // pidfile, user, group, root directory or detaching was refused
  | 'ERR_GAIDAROS_ENGINE' // the wanted engine or polling type cannot be had
  | 'ERR_GAIDAROS_LOG' // a log file cannot be opened
  | 'ERR_GAIDAROS_TLS' // certificates, keys or ciphers that cannot be used
  | 'ERR_GAIDAROS_POOL' // a server process cannot be started, or dies again and again
  | 'ERR_GAIDAROS_REPLY' // a handler's reply is of a type that has no bytes

/** What the machine said, where a system call failed. */
export interface SystemFailure {
  /** Negative errno as libuv counts it, for example -98. */
  errno?: number
  /** Symbolic name, for example EADDRINUSE. */
  errnoCode?: string
  syscall?: string
  address?: string
  port?: number
  /** The process that stands in the way. */
  pid?: number
}

/** The machine (bind, memory, kernel) refused something. */
export class GaidarosError extends Error {
  readonly code: ErrorCode
  readonly errno?: number
  readonly errnoCode?: string
  readonly syscall?: string
  readonly address?: string
  readonly port?: number
  readonly pid?: number

  constructor(code: ErrorCode, message: string, failure: SystemFailure = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'GaidarosError'
    this.code = code
    Object.assign(this, failure)
  }
}

/** A TypeError with a code: the programmer passed something of the wrong kind. */
export function misuse(
  code: ErrorCode,
  message: string,
  cause?: unknown,
): TypeError & { code: ErrorCode } {
  return Object.assign(new TypeError(message, cause === undefined ? undefined : { cause }), {
    code,
  })
}
