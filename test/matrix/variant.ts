// A combination as what the conformance cases run over.

import { VARIANTS, type Variant } from '../conformance/variant.js'
import { type Combination, hasWorkers, titleOf } from './combination.js'
import { unfitFor } from './rules.js'

export function variantOf(combination: Combination): Variant {
  const { serverType, handlerType, backend } = combination
  const { engine, options } = VARIANTS[backend]
  const inLoop = handlerType === 'gthreadpool'
  return {
    name: titleOf(combination),
    engine,
    options: {
      ...options,
      serverType,
      handlerType,
      serverPoolSize: 2,
      handlerPoolSize: inLoop ? 1000 : 2,
    },
    sent: serverType !== '' || hasWorkers(combination),
    unfit: (title) => unfitFor(combination, title),
  }
}
