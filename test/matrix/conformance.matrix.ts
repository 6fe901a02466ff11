// The conformance cases over one combination, whose title is in GAIDAROS_MATRIX. scripts/matrix.mjs runs it once for
// each combination.

import { conformance } from '../conformance/suite.js'
import { ALL, titleOf } from './combination.js'
import { STREAMS, streamVariant, titleOfStream } from './streams.js'
import { variantOf } from './variant.js'

const wanted = process.env['GAIDAROS_MATRIX'] ?? ''
const combination = ALL.find((each) => titleOf(each) === wanted)
const stream = STREAMS.find((each) => titleOfStream(each) === wanted)
if (combination !== undefined) await conformance(variantOf(combination))
else if (stream !== undefined) await conformance(streamVariant(stream))
else throw new Error(`GAIDAROS_MATRIX: no combination ${wanted}; matrix/list.ts prints all of them`)
