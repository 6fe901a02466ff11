// What handlers go on with behind their responses: the promises of context.waitUntil(). Made with a handler's plan; its
// dispatcher hears of failures, and whoever ends the server waits for the rest.

import { deferred } from '../dispatch/deferred.js'

/** Told of each promise that was rejected, with the connection that it came from. */
export type BackgroundFailure = (error: unknown, slot: number, generation: number) => void

export class Background {
  /** Set by the dispatcher. */
  onFailure: BackgroundFailure = () => undefined
  readonly #pending = new Set<Promise<void>>()

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#pending.size === 0
  }

  /** Any value that is no promise is done already. */
  add(promise: unknown, slot: number, generation: number): void {
    const settled: Promise<void> = Promise.resolve(promise)
      .then(
        () => undefined,
        (error: unknown) => this.onFailure(error, slot, generation),
      )
      .finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
  }

  /** Resolves when nothing is under way any more, what was added meanwhile included. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }
}

/** Waits for all of them, at most so long; 0: not at all, Infinity: without a limit. */
export async function settle(all: Iterable<Background>, graceMs: number): Promise<void> {
  const busy = [...all].filter(({ isIdle }) => !isIdle)
  if (busy.length === 0 || graceMs <= 0) return
  const late = deferred()
  const timer = Number.isFinite(graceMs) ? setTimeout(late.resolve, graceMs) : undefined
  await Promise.race([late.promise, Promise.all(busy.map((each) => each.settled()))])
  clearTimeout(timer)
}
