// Each case over one of few combinations of engine, transport, PROXY, TLS and compression, which have among them each
// value of one with each of the others. All of them are in npm run test:matrix -- --streams.

import { covering } from '../matrix/covering.js'
import { STREAMS, streamVariant } from '../matrix/streams.js'
import { conformanceInTurns } from './suite.js'

await conformanceInTurns(covering(STREAMS).map(streamVariant), 0, 1)
