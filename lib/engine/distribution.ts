// How long things took: buckets with a width of an eighth of an octave, so that a percentile is right to 12.5 %. Those
// of several loops, and of several moments, add up and can be subtracted. native/core/histogram.h is the same in C++.

/** Durations that were counted. */
export interface Distribution {
  count: number
  sum_us: number
  max_us: number
  /** How many were shorter than this bound, in microseconds, and not than the one before it; empty ones are left out. */
  buckets: Record<string, number>
}

/** Eighths of a microsecond. */
const UNIT_US = 0.125
const STEPS = 8
const BUCKETS = 224

export const noDurations = (): Distribution => ({ count: 0, sum_us: 0, max_us: 0, buckets: {} })

function bucketOf(us: number): number {
  // Whole numbers of 32 bits, which last for nine minutes, are counted in a few instructions.
  const units = Math.min(us / UNIT_US, 0xffff_ffff) >>> 0
  if (units < STEPS) return units
  const octave = 29 - Math.clz32(units)
  return Math.min(BUCKETS - 1, octave * STEPS + ((units >>> (octave - 1)) & (STEPS - 1)))
}

/** What is in a bucket is shorter than this, in microseconds. */
const boundOf = (bucket: number): number =>
  UNIT_US *
  (bucket < STEPS
    ? bucket + 1
    : (STEPS + 1 + (bucket % STEPS)) * 2 ** (Math.floor(bucket / STEPS) - 1))

/** A distribution that grows. */
export class Durations {
  readonly #buckets = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #max = 0

  /** Counts a duration, in milliseconds, `times` times. */
  add(ms: number, times = 1): void {
    const us = ms * 1000
    const bucket = bucketOf(us)
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + times
    this.#count += times
    this.#sum += us * times
    if (us > this.#max) this.#max = us
  }

  get distribution(): Distribution {
    const buckets: Record<string, number> = {}
    for (const [bucket, count] of this.#buckets.entries())
      if (count > 0) buckets[boundOf(bucket)] = count
    return { count: this.#count, sum_us: this.#sum, max_us: this.#max, buckets }
  }
}

/** Bounds in microseconds with their counts, shortest first. */
export const sorted = ({ buckets }: Distribution): [bound: number, count: number][] =>
  Object.entries(buckets)
    .map(([bound, count]): [number, number] => [Number(bound), count])
    .sort(([a], [b]) => a - b)

/** Several as one. */
export function together(all: readonly Distribution[]): Distribution {
  const sum = noDurations()
  for (const { count, sum_us, max_us, buckets } of all) {
    sum.count += count
    sum.sum_us += sum_us
    sum.max_us = Math.max(sum.max_us, max_us)
    for (const [bound, n] of Object.entries(buckets))
      sum.buckets[bound] = (sum.buckets[bound] ?? 0) + n
  }
  return sum
}

/**
 * What came between two readings. The longest of them is known as the bound of its bucket only. A distribution that
 * has begun anew since is what it is now.
 */
export function between(then: Distribution, now: Distribution): Distribution {
  if (now.count < then.count) return now
  const buckets = Object.fromEntries(
    Object.entries(now.buckets)
      .map(([bound, n]): [string, number] => [bound, n - (then.buckets[bound] ?? 0)])
      .filter(([, n]) => n > 0),
  )
  const longest = Math.max(0, ...Object.keys(buckets).map(Number))
  return {
    count: now.count - then.count,
    sum_us: now.sum_us - then.sum_us,
    max_us: now.max_us > then.max_us ? now.max_us : Math.min(longest, now.max_us),
    buckets,
  }
}

/**
 * The duration, in microseconds, that `share` of them did not reach; 0 of none.
 * @param share 0 to 1
 * @example
 * percentile({ count: 4, sum_us: 40, max_us: 19, buckets: { 8: 3, 20: 1 } }, 0.5) // 8
 */
export function percentile(of: Distribution, share: number): number {
  let left = of.count * share
  for (const [bound, count] of sorted(of)) {
    left -= count
    if (left <= 0) return Math.min(bound, of.max_us)
  }
  return of.max_us
}
