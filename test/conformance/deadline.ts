// Waiting for a condition or a promise, never for a time: each wait has a deadline that a slow machine or a
// sanitizer build stretches (GAIDAROS_TEST_SLOW multiplies it).

/** How many times slower than usual everything is taken to be; a CI machine has neighbours. */
export const SLOWNESS = Number(process.env['GAIDAROS_TEST_SLOW'] ?? (process.env['CI'] ? '2' : '1'))

/** The longest that one wait may take, milliseconds. */
export const DEADLINE_MS = 30_000 * SLOWNESS

/**
 * A short time for a timer under test, as an option's value. Only for one that nothing but the subject can run into:
 * a machine that is busy elsewhere may keep the test from its next step for longer.
 */
export function brief(ms: number): string {
  return `${ms * SLOWNESS}ms`
}

/** Longer than a slow machine keeps a test from its next step, milliseconds. */
export const PATIENCE_MS = 3000 * SLOWNESS

/** A timer that must leave those alone who keep to it, or that fires when everything else has: an option's value. */
export const PATIENT = `${PATIENCE_MS}ms`

/** Resolves after `ms`; only for polling a condition and for pacing a peer, never in place of a condition. */
export function tick(ms = 2): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What a wait says when its deadline has passed. */
export type Describe = string | (() => string | Promise<string>)

const describe = async (what: Describe): Promise<string> =>
  typeof what === 'string' ? what : await what()

const overdue = (what: string, ms: number): Error => new Error(`no ${what} within ${ms} ms`)

/** Conditions that do not hold at once are asked more and more seldom, up to this, milliseconds. */
const LONGEST_TICK_MS = 20
/** How often it is asked whether what is waited for is on its way, milliseconds. */
const PROGRESS_MS = 500

/** Deadlines that one wait may take at most, however steadily it comes nearer to its end. */
const MOST_STEPS = 8

/**
 * Waits until `condition` holds; throws with `what` after the deadline.
 * @param progress moves while what is waited for is on its way: the deadline is then that of the next step
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: Describe,
  ms = DEADLINE_MS,
  progress: () => number | Promise<number> = () => 0,
): Promise<void> {
  const end = performance.now() + MOST_STEPS * ms
  let moved = performance.now()
  let asked = moved
  let before: number | undefined
  let pause = 1
  while (!(await condition())) {
    if (performance.now() > asked + PROGRESS_MS) {
      const now = await progress()
      asked = performance.now()
      if (now !== before) moved = asked
      before = now
    }
    if (performance.now() > Math.min(end, moved + ms)) throw overdue(await describe(what), ms)
    await tick(pause)
    pause = Math.min(pause * 1.5, LONGEST_TICK_MS)
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
