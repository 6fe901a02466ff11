// Order and byte-exactness over all combinations, or those whose titles are in GAIDAROS_MATRIX with | between them.

import t from 'tap'
import { ALL, titleOf } from './combination.js'
import { keepOrder } from './order.js'

const wanted = process.env['GAIDAROS_MATRIX']?.split('|')
await keepOrder(
  t,
  ALL.filter((each) => wanted?.includes(titleOf(each)) ?? true),
)
