// Order and byte-exactness over -S, -X and what polls: each value of one with each of the others. All of them are in
// npm run test:matrix.

import t from 'tap'
import { ALL } from '../matrix/combination.js'
import { covering } from '../matrix/covering.js'
import { keepOrder } from '../matrix/order.js'

await keepOrder(t, covering(ALL))
