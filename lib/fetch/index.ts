// The classes of the Fetch standard for -f fetch: as light as a request is here, and Node's where they have to be more.

export { installGlobals } from './globals.js'
export { LightHeaders } from './headers.js'
export { type Parts, partsOf } from './parts.js'
export { LightRequest, requestOf } from './request.js'
export { JSON_FIELDS, LightResponse, TEXT_FIELDS } from './response.js'
