// The conformance cases over one combination, whose title is in GAIDAROS_MATRIX. scripts/matrix.mjs runs it once for
// each combination.

import { conformance } from '../conformance/suite.js'
import { ALL, titleOf } from './combination.js'
import { variantOf } from './variant.js'

const wanted = process.env['GAIDAROS_MATRIX'] ?? ''
const combination = ALL.find((each) => titleOf(each) === wanted)
if (combination === undefined)
  throw new Error(
    `GAIDAROS_MATRIX: no combination ${wanted}; wanted one of ${ALL.map(titleOf).join(', ')}`,
  )
await conformance(variantOf(combination))
