// What stands around a handler goes by the handler's name.

import type { HandleRequest } from '../handler/contract.js'

/** `around`, which logs call by the name of the handler in it. */
export const named = (around: HandleRequest, { name }: HandleRequest): HandleRequest =>
  Object.defineProperty(around, 'name', { value: name })
