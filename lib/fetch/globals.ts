// The light classes as globals. Node's fetch goes on with Node's classes: a Request of ours becomes one of its own.

import { isInstance } from './expose.js'
import { LightHeaders } from './headers.js'
import { nodeFetch } from './node.js'
import { LightRequest, toNode } from './request.js'
import { LightResponse } from './response.js'

/** What each is in the globals; a second call changes nothing. To be called before the handler is imported. */
export function installGlobals(): void {
  for (const [name, value] of [
    ['Headers', LightHeaders],
    ['Request', LightRequest],
    ['Response', LightResponse],
  ] as const)
    install(name, value, false)
  install('fetch', fetch, true)
}

function install(name: string, value: unknown, enumerable: boolean): void {
  const descriptor = { value, enumerable, writable: true, configurable: true }
  Object.defineProperty(globalThis, name, descriptor)
}

/** https://fetch.spec.whatwg.org/#fetch-method */
async function fetch(input: unknown, init: unknown = undefined): Promise<Response> {
  const request = isLight(input) ? toNode(input) : (input as Request)
  return nodeFetch(request, init as RequestInit)
}

const isLight = (value: unknown): value is LightRequest => isInstance(LightRequest, value)
