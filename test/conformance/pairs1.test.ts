// Each case over one of few combinations of -S, -X and engine, which have among them each value of one with each of the
// others: part 1 of three. All cases over all combinations are in npm run test:matrix.

import { ALL } from '../matrix/combination.js'
import { covering } from '../matrix/covering.js'
import { variantOf } from '../matrix/variant.js'
import { conformanceInTurns } from './suite.js'

await conformanceInTurns(covering(ALL).map(variantOf), 0, 3)
