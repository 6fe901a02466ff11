// Prints the titles of all combinations, one a line: of -S, -X and engine, or with --streams of what streams go through;
// with --pairs of a few that cover all pairs. For scripts/matrix.mjs.

import { ALL, titleOf } from './combination.js'
import { covering } from './covering.js'
import { STREAMS, titleOfStream } from './streams.js'

const chosen = <T extends object>(all: readonly T[]): readonly T[] =>
  process.argv.includes('--pairs') ? covering(all) : all
const titles = process.argv.includes('--streams')
  ? chosen(STREAMS).map(titleOfStream)
  : chosen(ALL).map(titleOf)
console.log(titles.join('\n'))
