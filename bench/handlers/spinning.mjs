// Work that takes the same number of instructions each time.

/**
 * @param {number} iterations
 * @returns {number} never 0, so that nothing can be left out
 */
export function spin(iterations) {
  let x = 123456789
  for (let i = 0; i < iterations; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
  }
  return x
}

/**
 * How many iterations take `microseconds` here and now: the fastest of several tries, since nothing makes work faster
 * than it is.
 * @param {number} microseconds
 * @returns {number}
 */
export function calibrate(microseconds) {
  const tried = 1_000_000
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 40; i++) {
    const began = performance.now()
    spin(tried)
    fastest = Math.min(fastest, performance.now() - began)
  }
  return Math.round((tried * microseconds) / 1000 / fastest)
}
