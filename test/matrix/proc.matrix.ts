import { conformance } from '../conformance/suite.js'
import { MATRIX } from '../conformance/variant.js'

await conformance(MATRIX.proc)
