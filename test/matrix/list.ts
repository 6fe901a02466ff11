// Prints the titles of all combinations, one a line; with --pairs of a few that cover all pairs. For scripts/matrix.mjs.

import { ALL, covering, titleOf } from './combination.js'

const chosen = process.argv.includes('--pairs') ? covering(ALL) : ALL
console.log(chosen.map(titleOf).join('\n'))
