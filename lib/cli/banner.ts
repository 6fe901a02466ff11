// What the foreground server prints when it is ready: who serves, where, and a line to try it with.

import { endpoint } from '../engine/endpoint.js'
import type { Address } from '../engine/engine.js'
import { version } from '../version.js'

const ANY = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** `-w 1`: most kinds of nc would wait on after the answer. */
function attempt({ address, port }: Address, takesLines: boolean): string {
  const client = `nc -w 1 ${ANY.get(address) ?? address} ${port}`
  return takesLines ? `printf 'hello\\n' | ${client}` : client
}

export interface Serving {
  engine: { name: string; description: string }
  addresses: readonly Address[]
  /** Requests are lines, as far as the options say. */
  takesLines: boolean
}

/** The lines. */
export function banner({ engine, addresses, takesLines }: Serving): string[] {
  const [first] = addresses
  return [
    `Gaidaros ${version()}, ${engine.name} engine: ${engine.description}`,
    ...addresses.map((address) => `listening on ${endpoint(address)}`),
    ...(first ? [`try it: ${attempt(first, takesLines)}`] : []),
  ]
}
