// Each case over gzip or zlib, by turns on each engine and polling type.

import { conformanceInTurns } from './suite.js'
import { overCompression, VARIANTS } from './variant.js'

const { edge, level, completion, portable } = VARIANTS
const methods = (['gzip', 'zlib'] as const).flatMap((method) =>
  [edge, level, completion, portable].map((variant) => overCompression(variant, method)),
)
await conformanceInTurns(methods, 0, 1)
