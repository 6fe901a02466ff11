// Order and byte-exactness over -S, -X and -T: each value of one with each of the others. All of them are in
// npm run test:matrix.

import t from 'tap'
import { unavailable } from '../conformance/available.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { ALL, covering, keepsOrder, titleOf } from '../matrix/arrangement.js'

// Workers and server processes are started without the flags that compile the tests.
process.execArgv.length = 0
t.jobs = 2

for (const arrangement of covering(ALL)) {
  const reason = await unavailable(VARIANTS[arrangement.pollingType])
  void t.test(titleOf(arrangement), { buffered: true }, async (t) =>
    reason === undefined ? keepsOrder(t, arrangement) : refuse(t, reason),
  )
}
