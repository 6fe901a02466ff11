// Waiting for a condition or a promise, never for a time: each wait has a deadline that a slow machine or a
// sanitizer build stretches (GAIDAROS_TEST_SLOW multiplies it).

/** How many times slower than usual everything is taken to be. */
export const SLOWNESS = Number(process.env['GAIDAROS_TEST_SLOW'] ?? '1')

/** The longest that one wait may take, milliseconds. */
export const DEADLINE_MS = 15_000 * SLOWNESS

/** A short time for a timer under test, as an option's value. */
export function brief(ms: number): string {
  return `${ms * SLOWNESS}ms`
}

/** Resolves after `ms`; only for polling a condition and for pacing a peer, never in place of a condition. */
export function tick(ms = 2): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What a wait says when its deadline has passed. */
export type Describe = string | (() => string | Promise<string>)

const describe = async (what: Describe): Promise<string> =>
  typeof what === 'string' ? what : await what()

const overdue = (what: string, ms: number): Error => new Error(`no ${what} within ${ms} ms`)

/** Waits until `condition` holds; throws with `what` after the deadline. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: Describe,
  ms = DEADLINE_MS,
): Promise<void> {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw overdue(await describe(what), ms)
    await tick()
  }
}

/** The value of `promise`, or an error with `what` after the deadline. */
export async function within<T>(promise: Promise<T>, what: string, ms = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(overdue(what, ms)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
