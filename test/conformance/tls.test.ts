// Each case over TLS, by turns on each engine and polling type.

import { conformanceInTurns } from './suite.js'
import { overTls, VARIANTS } from './variant.js'

const { edge, level, completion, portable } = VARIANTS
await conformanceInTurns([edge, level, completion, portable].map(overTls), 0, 1)
