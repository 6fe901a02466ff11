// Headers, Request, Response and fetch as Node has them, under names of their own: the light classes hand over to them
// what they have not themselves.

const NAMES = ['Headers', 'Request', 'Response'] as const
export type NodeClass = (typeof NAMES)[number]

export interface NodeClasses {
  Headers: typeof Headers
  Request: typeof Request
  Response: typeof Response
}

/** How they stood when this module was loaded; in Node 20 a getter loads them, which takes longer than all of ours. */
const descriptors = new Map<NodeClass, PropertyDescriptor>()
for (const name of NAMES) {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, name)
  if (descriptor !== undefined) descriptors.set(name, descriptor)
}

export const nodeFetch: typeof fetch = globalThis.fetch

let classes: NodeClasses | undefined

export function node(): NodeClasses {
  classes ??= {
    Headers: load('Headers') as typeof Headers,
    Request: load('Request') as typeof Request,
    Response: load('Response') as typeof Response,
  }
  return classes
}

/** Node's getter sets the global to what it has loaded; whatever stands there by now stays. */
function load(name: NodeClass): unknown {
  const { value, get } = descriptors.get(name) ?? {}
  if (get === undefined) return value
  const now = Object.getOwnPropertyDescriptor(globalThis, name) as PropertyDescriptor
  const loaded: unknown = get.call(globalThis)
  const restored = now.get === get ? { ...VALUE, value: loaded } : now
  Object.defineProperty(globalThis, name, restored)
  return loaded
}

const VALUE: PropertyDescriptor = { writable: true, enumerable: false, configurable: true }
