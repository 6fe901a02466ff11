// Each case over vsock, by turns on each polling type, where this machine can connect to itself by it.

import t from 'tap'
import { conformanceInTurns } from './suite.js'
import { overVsock, VARIANTS } from './variant.js'
import { loopbackRefusal } from './vsock.js'

const { edge, level, completion } = VARIANTS
const refusal = await loopbackRefusal()
if (refusal !== undefined) t.plan(0, refusal)
else await conformanceInTurns([edge, level, completion].map(overVsock), 0, 1)
