import t from 'tap'
import { unavailable } from '../conformance/available.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { ALL, keepsOrder, titleOf } from './arrangement.js'

// Workers and server processes are started without the flags that compile the tests.
process.execArgv.length = 0
t.jobs = 2

for (const arrangement of ALL) {
  const reason = await unavailable(VARIANTS[arrangement.pollingType])
  void t.test(titleOf(arrangement), { buffered: true }, async (t) =>
    reason === undefined ? keepsOrder(t, arrangement) : refuse(t, reason),
  )
}
