// How many iterations the spinning handler makes: measured once a run, so that all its peers do the same work.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calibrate } from '../handlers/spinning.mjs'

const BUILD = join(import.meta.dirname, '..', 'build')

/**
 * Measures, and leaves the number where handlers/spin.ts finds it.
 * @param {number} microseconds
 * @returns {number} iterations
 */
export function calibrateSpin(microseconds) {
  const iterations = calibrate(microseconds)
  mkdirSync(BUILD, { recursive: true })
  writeFileSync(join(BUILD, 'iterations'), String(iterations))
  return iterations
}
