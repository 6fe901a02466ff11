// The measured handler: a fixed number of iterations, calibrated once a run (lib/calibration.mjs).
import { readFileSync } from 'node:fs'
import { spin } from './spinning.mjs'

const iterations = Number(readFileSync(new URL('../build/iterations', import.meta.url), 'utf8'))

export const handleRequest = (request: Buffer) => {
  spin(iterations)
  return request
}
