import { conformance } from './suite.js'
import { VARIANTS } from './variant.js'

await conformance(VARIANTS.threadpool)
