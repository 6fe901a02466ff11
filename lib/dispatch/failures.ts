// The one place that decides what an error of the user's handler does: it is logged with connection
// and request number, counted, and with die_on_error it stops the server. Closing is the caller's.

import type { Log } from '../log/log.js'

export class Failures {
  /** Errors of the handler since the start. */
  count = 0
  /** Told of each request that gets no answer because of an error, or an apology of `bytes` in place of one. */
  onFailed:
    | ((slot: number, generation: number, request: number, bytes?: number) => void)
    | undefined
  readonly #log: Log
  readonly #fatal: ((error: unknown) => void) | undefined
  readonly #onFailure: ((count: number) => void) | undefined

  /** @param fatal called with each error when die_on_error is set; @param onFailure told the count after each */
  constructor(
    log: Log,
    fatal: ((error: unknown) => void) | undefined,
    onFailure?: (count: number) => void,
  ) {
    this.#log = log
    this.#fatal = fatal
    this.#onFailure = onFailure
  }

  /**
   * @param where the function that failed, for example 'handle_request'
   * @param apology bytes of what the client is told
   */
  report(
    error: unknown,
    where: string,
    slot: number,
    generation: number,
    request?: number,
    apology?: number,
  ): void {
    this.count++
    this.#onFailure?.(this.count)
    this.#log.limited('handler_error', 'error', 'handler error', {
      reason: 'handler_error',
      connection: `${slot}.${generation}`,
      ...(request === undefined ? {} : { request }),
      in: where,
      error: describeError(error),
    })
    if (request !== undefined) this.onFailed?.(slot, generation, request, apology)
    this.#fatal?.(error)
  }
}

/** Stack of an error, or what else was thrown, as text; never throws itself. */
export function describeError(error: unknown): string {
  try {
    if (error instanceof Error) return String(error.stack ?? error)
    return `thrown value: ${String(error)}`
  } catch (unprintable) {
    return `thrown value that cannot be printed (${typeof unprintable})`
  }
}
