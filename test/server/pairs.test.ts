// Order and byte-exactness over -S, -X and -T: each value of one with each of the others. All of them are in
// npm run test:matrix.

import t from 'tap'
import { ALL, covering, keepOrder } from '../matrix/arrangement.js'

await keepOrder(t, covering(ALL))
