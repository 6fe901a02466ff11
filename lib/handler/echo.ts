// What handles requests where no handler was given.

import type { HandleRequest } from './contract.js'

export const echo: HandleRequest = (request: unknown) => request
