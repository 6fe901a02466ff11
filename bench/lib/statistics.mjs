// Order statistics of a handful of samples.

/**
 * The value below which `share` of the samples lie, interpolated.
 * @param {number[]} samples not empty
 * @param {number} share 0 to 1
 * @example quantile([1, 2, 3], 0.5) // 2
 */
export function quantile(samples, share) {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}

export const median = (samples) => quantile(samples, 0.5)

/** Median with its spread: the whole range and the middle half. */
export function summary(samples) {
  return {
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    quartiles: [quantile(samples, 0.25), quantile(samples, 0.75)],
  }
}
