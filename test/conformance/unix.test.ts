// Each case over unix sockets, by turns on each engine and polling type.

import { conformanceInTurns } from './suite.js'
import { overUnix, VARIANTS } from './variant.js'

const { edge, level, completion, portable } = VARIANTS
await conformanceInTurns([edge, level, completion, portable].map(overUnix), 0, 1)
